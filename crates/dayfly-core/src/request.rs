//! What a person or machine asks for: untrusted fields become a [`CertificateRequest`] once, at the edge.

use crate::{
    name::{RoleName, ScopeName},
    reason::{Reason, Refusal},
    signature::{FidoFlags, strength},
    validity::Ttl,
};
use serde::{Deserialize, Serialize};
use ssh_key::PublicKey;
use std::collections::BTreeSet;

/// The longest reason a person may give, in characters.
pub const LONGEST_REASON: usize = 500;

/// Which targets a certificate is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RequestedTargets {
    /// These targets and target groups, all of them or none.
    Named(BTreeSet<ScopeName>),
    /// Every target of the role that policy permits.
    All,
}

/// What somebody asks for. It can only narrow what the role allows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateRequest {
    /// The role.
    pub role: RoleName,
    /// The targets.
    pub targets: RequestedTargets,
    /// The lifetime; the role's if not given.
    pub ttl: Option<Ttl>,
    /// Why, in the person's words.
    pub reason: Option<String>,
    /// The key to certify.
    pub public_key: PublicKey,
    /// What the key said of the proof that it is held, if it is a FIDO key.
    pub fido: Option<FidoFlags>,
}

impl CertificateRequest {
    /// Checks what the types of the fields do not: that some target is named, that the reason is printable text, and that the key is strong.
    pub fn new(
        role: RoleName,
        targets: RequestedTargets,
        ttl: Option<Ttl>,
        reason: Option<String>,
        public_key: PublicKey,
    ) -> Result<Self, Refusal> {
        if matches!(&targets, RequestedTargets::Named(names) if names.is_empty()) {
            return Err(Refusal::new(Reason::BadRequest, "the request names no target", "name at least one target, or ask for all"));
        }
        if reason.as_deref().is_some_and(|text| text.chars().count() > LONGEST_REASON || text.chars().any(char::is_control)) {
            return Err(Refusal::new(
                Reason::BadRequest,
                "the reason is too long or holds control characters",
                format!("give a reason in one line of at most {LONGEST_REASON} characters"),
            ));
        }
        strength(public_key.key_data())?;
        Ok(Self { role, targets, ttl, reason, public_key, fido: None })
    }

    /// The same, for a key that said `fido` when it proved that it is held.
    pub fn held_with(self, fido: Option<FidoFlags>) -> Self {
        Self { fido, ..self }
    }
}
