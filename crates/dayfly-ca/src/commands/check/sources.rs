//! The sources of the inventory, as `check` looks at them. What is wrong with one keeps no CA from starting, so all of it is warnings.

use crate::{
    config::{Place, RuleBook, SourceSettings, directory},
    inventory::{Answers, Taken, compose},
    mistake::{Mistake, Mistakes},
    private_file,
    store::{Store, StoreError},
};
use dayfly_core::role::RoleError;
use std::{path::Path, sync::Arc};

/// Directories are read now; of programs, since a check runs nothing, and of directories that cannot be used it is known what they said last. Returns the rules
/// with all of it.
pub(super) async fn check(
    config: &Path,
    sources: &[SourceSettings],
    store: &dyn Store,
    written: &RuleBook,
) -> Result<(RuleBook, Vec<Mistake>), StoreError> {
    let records = store.inventory_sources().await?;
    let mut warnings = Mistakes::default();
    let mut answers = Answers::new();
    for source in sources {
        let record = records.iter().find(|record| record.name == source.name && record.place == source.place.to_string());
        if let Some(failure) = record.and_then(|record| record.failure.as_ref()) {
            let remedy = "correct that; what it said last that could be used is in force (`dayfly-ca inventory`)";
            warnings.0.push(Mistake::new(config, format!("source {}: {}", source.name, failure.detail), remedy));
        }
        let read = match &source.place {
            Place::Directory(path) => warnings.keep(directory::read(path, source.max_bytes)),
            Place::Command(program, _) => {
                warnings.keep(private_file::check_writers(program));
                None
            }
        };
        let said = read.or_else(|| record.and_then(|record| record.targets.clone()));
        answers.extend(said.map(|targets| (source.name.clone(), Arc::new(targets))));
    }
    let composed = compose(written, sources, &answers, &Taken::of(store).await?);
    for (name, trouble) in &composed.aside {
        let remedy = "correct what it lists, or what the configuration says";
        warnings.0.push(Mistake::new(config, format!("source {name}: {trouble}"), remedy));
    }
    // What a role or policy names may be listed by a source tomorrow.
    let book = composed.book;
    let absent = book.roles.misfits(&book.inventory).into_iter().filter(RoleError::is_absence);
    warnings.0.extend(absent.map(|error| Mistake::new(config, error.to_string(), "wait for a source that lists it")));
    let unknown = book.policy.unknown_names(&book.roles, Some(&book.inventory), &book.networks);
    warnings.0.extend(unknown.into_iter().map(Mistake::from));
    Ok((book, warnings.0))
}
