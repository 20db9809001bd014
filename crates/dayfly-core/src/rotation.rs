//! Rotation: one authority's key gives way to another, a step at a time, and nobody is locked out on the way.
//!
//! ```text
//! prepared ─ publish → published ─ switch → switched ─ retire → retired
//!                          │                    │
//!            until every holder was seen   until the old key's last
//!            with the new key              certificate has ended
//! ```
//!
//! Before it has switched, a rotation can be abandoned: the old key never stopped signing, and is trusted alone again.
//!
//! From `published` on both keys are trusted; from `switched` on the new one signs; from `retired` on the new one alone is trusted. A step that was cut off
//! is asked for again, since the stage is what was last put down, and [`Rotation::next`] takes nothing else into account but the time and who was seen.

mod endorsement;

pub use endorsement::{Endorsement, ROTATION_NAMESPACE, are_vouched_for, keys_digest};

use serde::{Deserialize, Serialize};
use std::{collections::BTreeSet, fmt, str::FromStr};

/// What one of the CA's authorities signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Purpose {
    /// People's and machines' certificates. Trusted by bastions and `passthrough` targets.
    User,
    /// Session certificates. Trusted by `recorded` targets.
    Session,
    /// Host certificates of bastions and real hosts. Trusted by people and bastions.
    Host,
    /// What a bastion shows when it answers for a recorded target. Trusted by people.
    InnerHost,
}

impl Purpose {
    /// Every purpose.
    pub const ALL: [Self; 4] = [Self::User, Self::Session, Self::Host, Self::InnerHost];

    /// As it is written in commands and events.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Session => "session",
            Self::Host => "host",
            Self::InnerHost => "inner-host",
        }
    }
}

impl fmt::Display for Purpose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// No authority has this purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the authorities are: user, session, host, inner-host")]
pub struct UnknownPurpose;

impl FromStr for Purpose {
    type Err = UnknownPurpose;
    fn from_str(text: &str) -> Result<Self, UnknownPurpose> {
        Self::ALL.into_iter().find(|purpose| purpose.as_str() == text).ok_or(UnknownPurpose)
    }
}

impl Stage {
    /// As people read it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Prepared => "prepared",
            Self::Published { .. } => "published",
            Self::Switched { .. } => "switched",
            Self::Retired => "retired",
            Self::Abandoned => "abandoned",
        }
    }
}

/// How far a rotation is. Times in Unix seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "stage", rename_all = "snake_case")]
pub enum Stage {
    /// The new key exists. Nobody has been told.
    Prepared,
    /// Both keys are trusted, the old one signs.
    Published {
        /// Since when.
        at: u64,
    },
    /// Both keys are trusted, the new one signs.
    Switched {
        /// When the last certificate of the old key ends.
        last_end: u64,
    },
    /// The old key is trusted no more.
    Retired,
    /// It was given up before the new key signed: the old one stays, and is trusted alone.
    Abandoned,
}

/// Somebody who must know a key before it signs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Holder {
    /// Its name, unique among holders: `bastion:front`, `target:db1`, `people`.
    pub name: String,
    /// What it was seen with.
    pub seen: Seen,
}

/// How a holder is known to hold the new key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Seen {
    /// It reported the new key.
    WithNewKey,
    /// It reported others, or nothing yet.
    Without,
    /// It reports nothing, and counts as told this many seconds after the key was published.
    After(u64),
}

/// What comes next.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "step", rename_all = "snake_case")]
pub enum Step {
    /// Have both keys trusted.
    Publish,
    /// Have the new key sign.
    Switch {
        /// Who was not seen with the new key, and is left behind on purpose.
        despite: Vec<String>,
    },
    /// Stop trusting the old key.
    Retire,
}

/// What a rotation waits for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "waits_for", rename_all = "snake_case")]
pub enum Waiting {
    /// These were not seen with the new key yet.
    Holders {
        /// Their names.
        names: Vec<String>,
        /// When the last of those that report nothing counts as told; none if all of them report.
        told_at: Option<u64>,
    },
    /// The old key's last certificate has not ended yet.
    LastCertificate {
        /// When it ends.
        ends_at: u64,
    },
    /// Nothing: it is over.
    Nothing,
}

/// One authority's key on its way to another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rotation {
    /// Whose key.
    pub purpose: Purpose,
    /// How far it is.
    pub stage: Stage,
    /// Who may be left behind.
    pub despite: BTreeSet<String>,
}

impl Rotation {
    /// The step that may be taken `now` (Unix seconds), or what it waits for. `holders` are all who trust this authority. An old key that was revoked is not
    /// trusted a moment longer than it takes the new one to sign.
    pub fn next(&self, now: u64, holders: &[Holder], old_is_revoked: bool) -> Result<Step, Waiting> {
        match self.stage {
            Stage::Prepared => Ok(Step::Publish),
            Stage::Published { at } => self.switch(at, now, holders),
            Stage::Switched { last_end } if now >= last_end || old_is_revoked => Ok(Step::Retire),
            Stage::Switched { last_end } => Err(Waiting::LastCertificate { ends_at: last_end }),
            Stage::Retired | Stage::Abandoned => Err(Waiting::Nothing),
        }
    }

    /// Whether nothing comes any more.
    pub fn is_over(&self) -> bool {
        matches!(self.stage, Stage::Retired | Stage::Abandoned)
    }

    /// Whether it can be given up: once the new key has signed, there is only forward.
    pub fn can_be_abandoned(&self) -> bool {
        matches!(self.stage, Stage::Prepared | Stage::Published { .. })
    }

    fn switch(&self, published: u64, now: u64, holders: &[Holder]) -> Result<Step, Waiting> {
        let told_at = |holder: &Holder| match holder.seen {
            Seen::WithNewKey | Seen::Without => None,
            Seen::After(seconds) => Some(published.saturating_add(seconds)),
        };
        let is_behind = |holder: &&Holder| match holder.seen {
            Seen::WithNewKey => false,
            Seen::Without => true,
            Seen::After(_) => told_at(holder).is_some_and(|at| now < at),
        };
        let behind: Vec<&Holder> = holders.iter().filter(is_behind).collect();
        let (despite, awaited): (Vec<&Holder>, Vec<&Holder>) = behind.into_iter().partition(|holder| self.despite.contains(&holder.name));
        let names = |holders: &[&Holder]| holders.iter().map(|holder| holder.name.clone()).collect();
        if awaited.is_empty() {
            Ok(Step::Switch { despite: names(&despite) })
        } else {
            Err(Waiting::Holders { names: names(&awaited), told_at: awaited.into_iter().filter_map(told_at).max() })
        }
    }

    /// Which of the two keys are trusted: the old, the new.
    pub fn trusted(&self) -> (bool, bool) {
        match self.stage {
            Stage::Prepared | Stage::Abandoned => (true, false),
            Stage::Published { .. } | Stage::Switched { .. } => (true, true),
            Stage::Retired => (false, true),
        }
    }

    /// Whether the new key signs.
    pub fn new_key_signs(&self) -> bool {
        matches!(self.stage, Stage::Switched { .. } | Stage::Retired)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    fn rotation(stage: Stage, despite: &[&str]) -> Rotation {
        Rotation { purpose: Purpose::User, stage, despite: despite.iter().map(ToString::to_string).collect() }
    }

    fn holder(name: &str, seen: Seen) -> Holder {
        Holder { name: name.to_owned(), seen }
    }

    #[test]
    fn a_key_signs_only_once_everybody_was_seen_with_it() {
        let published = rotation(Stage::Published { at: 100 }, &[]);
        let holders = [holder("bastion:front", Seen::WithNewKey), holder("target:web1", Seen::Without)];
        let waiting = Waiting::Holders { names: vec!["target:web1".to_owned()], told_at: None };
        assert_eq!(published.next(u64::MAX, &holders, false), Err(waiting));
        let holders = [holder("bastion:front", Seen::WithNewKey), holder("target:web1", Seen::WithNewKey)];
        assert_eq!(published.next(100, &holders, false), Ok(Step::Switch { despite: Vec::new() }));
    }

    #[test]
    fn somebody_can_be_left_behind_on_purpose_and_by_name() {
        let holders = [holder("target:web1", Seen::Without), holder("target:web2", Seen::Without)];
        let one = rotation(Stage::Published { at: 100 }, &["target:web1"]);
        assert_eq!(one.next(200, &holders, false), Err(Waiting::Holders { names: vec!["target:web2".to_owned()], told_at: None }));
        let both = rotation(Stage::Published { at: 100 }, &["target:web1", "target:web2"]);
        assert_eq!(both.next(200, &holders, false), Ok(Step::Switch { despite: vec!["target:web1".to_owned(), "target:web2".to_owned()] }));
    }

    #[test]
    fn people_count_as_told_to_the_second() {
        let published = rotation(Stage::Published { at: 100 }, &[]);
        let people = [holder("people", Seen::After(50))];
        let waiting = Waiting::Holders { names: vec!["people".to_owned()], told_at: Some(150) };
        assert_eq!(published.next(149, &people, false), Err(waiting));
        assert_eq!(published.next(150, &people, false), Ok(Step::Switch { despite: Vec::new() }));
    }

    #[test]
    fn the_old_key_is_trusted_until_its_last_certificate_has_ended() {
        let switched = rotation(Stage::Switched { last_end: 300 }, &[]);
        assert_eq!(switched.next(299, &[], false), Err(Waiting::LastCertificate { ends_at: 300 }));
        assert_eq!(switched.next(300, &[], false), Ok(Step::Retire));
        assert_eq!(switched.next(0, &[], true), Ok(Step::Retire), "it is in other hands");
        assert_eq!(rotation(Stage::Retired, &[]).next(300, &[], false), Err(Waiting::Nothing));
    }

    fn stages() -> impl Strategy<Value = Stage> {
        prop_oneof![
            Just(Stage::Prepared),
            any::<u64>().prop_map(|at| Stage::Published { at }),
            any::<u64>().prop_map(|last_end| Stage::Switched { last_end }),
            Just(Stage::Retired),
            Just(Stage::Abandoned),
        ]
    }

    fn anybody() -> impl Strategy<Value = Vec<Holder>> {
        let seen = prop_oneof![Just(Seen::WithNewKey), Just(Seen::Without), any::<u64>().prop_map(Seen::After)];
        proptest::collection::vec(("[a-c]", seen).prop_map(|(name, seen)| Holder { name, seen }), 0..4)
    }

    proptest! {
        #[test]
        fn whoever_is_signed_for_trusts_the_key_that_signs(stage in stages()) {
            let rotation = rotation(stage, &[]);
            let (old, new) = rotation.trusted();
            let signs_and_is_trusted = if rotation.new_key_signs() { new } else { old };
            prop_assert!(signs_and_is_trusted);
        }

        #[test]
        fn nobody_is_left_behind_who_was_not_named(at: u64, now: u64, holders in anybody(), despite in proptest::collection::btree_set("[a-c]", 0..3)) {
            let rotation = Rotation { purpose: Purpose::Host, stage: Stage::Published { at }, despite };
            if let Ok(Step::Switch { despite }) = rotation.next(now, &holders, false) {
                for holder in &holders {
                    let told = match holder.seen {
                        Seen::WithNewKey => true,
                        Seen::Without => false,
                        Seen::After(seconds) => at.saturating_add(seconds) <= now,
                    };
                    prop_assert!(told || (rotation.despite.contains(&holder.name) && despite.contains(&holder.name)));
                }
            }
        }
    }
}
