//! The document's rules and what each source said → one rule book. Pure: the same answers give the same book.

use super::{Taken, Trouble, judge::judge};
use crate::config::{RuleBook, SourceSettings};
use dayfly_core::{
    name::{SourceName, TargetGroupName, TargetName},
    role::{RoleError, Roles},
    target::{Inventory, Target},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// What each source said last.
pub type Answers = BTreeMap<SourceName, Arc<Vec<Target>>>;

/// A rule book, and what it was composed of.
#[derive(Debug, Clone)]
pub struct Composed {
    /// Everything that is in force.
    pub book: RuleBook,
    /// Where each target that is not the document's own comes from.
    pub origins: BTreeMap<TargetName, SourceName>,
    /// The sources whose answer cannot be used, and why.
    pub aside: BTreeMap<SourceName, Trouble>,
}

/// The document comes first, then the sources in its order. An answer that does not fit what came before it is left out as a whole.
pub fn compose(written: &RuleBook, sources: &[SourceSettings], answers: &Answers, taken: &Taken) -> Composed {
    let groups: BTreeSet<TargetGroupName> = sources.iter().flat_map(|source| source.permits.groups.iter().cloned()).collect();
    let (mut origins, mut aside) = (BTreeMap::new(), BTreeMap::new());
    let mut inventory = written.inventory.clone();
    for source in sources {
        let Some(targets) = answers.get(&source.name) else { continue };
        let fitting = judge(source, targets, &groups, taken).and_then(|targets| beside(&inventory, &written.roles, targets));
        match fitting {
            Ok(together) => {
                inventory = together;
                origins.extend(targets.iter().map(|target| (target.name.clone(), source.name.clone())));
            }
            Err(trouble) => {
                aside.insert(source.name.clone(), trouble);
            }
        }
    }
    Composed { book: RuleBook { inventory, ..written.clone() }, origins, aside }
}

fn beside(inventory: &Inventory, roles: &Roles, targets: Vec<Target>) -> Result<Inventory, Trouble> {
    let together = inventory.beside(targets).map_err(|errors| Trouble::beside(&errors))?;
    let misfits = roles.misfits(&together).into_iter().filter(|error| !error.is_absence()).collect::<Vec<RoleError>>();
    if misfits.is_empty() { Ok(together) } else { Err(Trouble::bad(&misfits.iter().map(ToString::to_string).collect::<Vec<_>>())) }
}
