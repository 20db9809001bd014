//! A directory of TOML files, each of which holds `[[target]]` tables like those of `ca.toml`.

use super::{
    document::{Document, Placed},
    rules::{check_targets, entries},
};
use crate::{
    mistake::{Mistake, Mistakes},
    private_file,
};
use dayfly_core::target::{Inventory, Target};
use std::path::{Path, PathBuf};

/// The targets of every `*.toml` in `directory`, `max_bytes` at most of all of them together. Files that begin with a dot are an editor's.
pub(crate) fn read(directory: &Path, max_bytes: u64) -> Result<Vec<Target>, Mistakes> {
    private_file::check_writers(directory)?;
    let mut mistakes = Mistakes::default();
    let (mut targets, mut bytes) = (Vec::new(), 0_u64);
    for path in files(directory)? {
        let Some(size) = mistakes.keep(size(&path)) else { continue };
        bytes = bytes.saturating_add(size);
        if bytes > max_bytes {
            let cause = format!("the files before it and this one are larger than max_bytes, {max_bytes}");
            return Err(Mistake::new(&path, cause, "take targets away, or raise max_bytes").into());
        }
        targets.extend(mistakes.keep(read_file(&path)).unwrap_or_default());
    }
    mistakes.or(targets)
}

fn files(directory: &Path) -> Result<Vec<PathBuf>, Mistake> {
    let unreadable =
        |error: std::io::Error| Mistake::new(directory, format!("cannot be read: {error}"), "make the directory, or check who may read it");
    let mut files = Vec::new();
    for entry in std::fs::read_dir(directory).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        let is_hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        if path.extension().is_some_and(|extension| extension == "toml") && !is_hidden {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// A pipe would be waited for.
fn size(path: &Path) -> Result<u64, Mistake> {
    private_file::check_writers(path)?;
    let file = std::fs::metadata(path).map_err(|error| Mistake::new(path, format!("cannot be read: {error}"), "check who may read it"))?;
    if file.is_file() { Ok(file.len()) } else { Err(Mistake::new(path, "is no file", "remove it, or write targets into a file")) }
}

fn read_file(path: &Path) -> Result<Vec<Target>, Mistakes> {
    let document = Document::read(path)?;
    let table = document.table()?;
    let mut mistakes = Mistakes::default();
    for (key, _) in table.get_ref().iter().filter(|(key, _)| key.get_ref() != "target") {
        mistakes.0.push(document.mistake(Some(key.span()), &format!("unknown key `{}`, expected target", key.get_ref())));
    }
    let targets: Option<Vec<Placed<Target>>> = entries(&document, &table, "target", &["name", "address", "mode"], &mut mistakes);
    let targets = targets.unwrap_or_default();
    let listed: Option<Inventory> = mistakes.keep(check_targets(&document, &targets));
    mistakes.or(listed.map(|inventory| inventory.iter().cloned().collect()).unwrap_or_default())
}
