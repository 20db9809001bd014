//! The answer to a request, as a value that only [`crate::policy::decide`] can make.

use crate::{
    address::Network,
    identity::Subject,
    name::{RoleName, TargetName},
    principal::Principal,
    reason::Refusal,
    role::{Extension, ForceCommand},
    validity::Ttl,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use uuid::Uuid;

/// The answer to a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// Yes: what one certificate is minted from.
    Granted(Grant),
    /// Not yet: [`Refusal::missing`] tells what would make it a yes.
    Missing(Refusal),
    /// No, whatever else is brought.
    Refused(Refusal),
}

impl Decision {
    /// The grant, or why there is none.
    pub fn into_grant(self) -> Result<Grant, Refusal> {
        match self {
            Self::Granted(grant) => Ok(grant),
            Self::Missing(refusal) | Self::Refused(refusal) => Err(refusal),
        }
    }
}

/// A yes. Only the decision makes one, and a user certificate is minted from nothing else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    pub(crate) id: Uuid,
    pub(crate) subject: Subject,
    pub(crate) role: RoleName,
    pub(crate) targets: BTreeSet<TargetName>,
    pub(crate) principals: BTreeSet<Principal>,
    pub(crate) ttl: Ttl,
    pub(crate) force_command: Option<ForceCommand>,
    pub(crate) source_address: Vec<Network>,
    pub(crate) verify_required: bool,
    pub(crate) extensions: BTreeSet<Extension>,
    pub(crate) explanation: Explanation,
}

impl Grant {
    /// Its id: what the certificate and every later event name.
    pub fn id(&self) -> Uuid {
        self.id
    }

    /// Whom it was given to.
    pub fn subject(&self) -> &Subject {
        &self.subject
    }

    /// The role it was given under.
    pub fn role(&self) -> &RoleName {
        &self.role
    }

    /// The targets it covers.
    pub fn targets(&self) -> &BTreeSet<TargetName> {
        &self.targets
    }

    /// The principals that its certificate holds.
    pub fn principals(&self) -> &BTreeSet<Principal> {
        &self.principals
    }

    /// How long its certificate lives.
    pub fn ttl(&self) -> Ttl {
        self.ttl
    }

    /// Why it was granted, and what was narrowed.
    pub fn explanation(&self) -> &Explanation {
        &self.explanation
    }
}

/// Why the answer is what it is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Explanation {
    /// The `@id`s of the policies that decided.
    pub policies: BTreeSet<String>,
    /// What was narrowed, a sentence each.
    pub narrowed: Vec<String>,
}
