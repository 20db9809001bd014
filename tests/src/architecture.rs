//! The rules of the architecture as functions that find violations. The lists that they are asked with stand in `tests/architecture.rs`.

use anyhow::{Context, Result};
use std::{fmt, fs, path::Path};

pub mod edges;
pub mod files;
pub mod imports;
pub mod threats;
mod tokens;

/// A source file of the workspace.
#[derive(Debug, Clone)]
pub struct Source {
    /// Relative to the workspace, with slashes.
    pub path: String,
    /// What it says.
    pub text: String,
}

/// Where a rule is broken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// The file, and the line if there is one: `crates/dayfly-core/src/name.rs:12`.
    pub place: String,
    /// What is wrong and what to do.
    pub message: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.message)
    }
}

/// All Rust sources under `crates/`, `tests/`, `fuzz/` and `benches/`.
pub fn sources(workspace: &Path) -> Result<Vec<Source>> {
    let mut sources = Vec::new();
    for folder in ["crates", "tests", "fuzz", "benches"] {
        read_into(&mut sources, workspace, &workspace.join(folder))?;
    }
    Ok(sources)
}

fn read_into(sources: &mut Vec<Source>, workspace: &Path, folder: &Path) -> Result<()> {
    for entry in fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))? {
        let path = entry?.path();
        if path.is_dir() {
            read_into(sources, workspace, &path)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
            let path = path.strip_prefix(workspace).unwrap_or(&path).to_string_lossy().replace('\\', "/");
            sources.push(Source { path, text });
        }
    }
    Ok(())
}
