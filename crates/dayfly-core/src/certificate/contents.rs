//! What a certificate may say. Minting and verification both ask here, so that neither lets through what the other refuses.

use crate::{
    address::{Network, parse_source_address},
    certificate::{FORCE_COMMAND, SOURCE_ADDRESS, VERIFY_REQUIRED},
    principal::{MAX_PRINCIPALS, Principal},
    reason::{Reason, Refusal},
    role::{Extension, ForceCommand},
    validity::Validity,
};
use ssh_key::{Certificate, certificate::OptionsMap};
use std::collections::BTreeSet;

/// The longest key id, in bytes.
const LONGEST_KEY_ID: usize = 512;

/// The shortest nonce, in bytes. OpenSSH writes 32.
const SHORTEST_NONCE: usize = 16;

pub(super) fn refusal(reason: Reason, message: impl Into<String>) -> Refusal {
    let remedy = match reason {
        Reason::Expired => "get a new certificate: dayfly cert",
        Reason::NotYetValid => "check the clocks of this host and of the CA",
        Reason::SourceAddress => "connect from an address that the role allows, or get a certificate from here",
        _ => "use a certificate that the CA issued: dayfly cert",
    };
    Refusal::new(reason, message, remedy)
}

/// Nonce, key id and window: what must hold whoever the certificate is for.
pub(super) fn check_form(certificate: &Certificate) -> Result<Validity, Refusal> {
    let malformed = |message: &str| refusal(Reason::Malformed, message);
    if certificate.nonce().len() < SHORTEST_NONCE {
        return Err(malformed("the certificate's nonce is too short"));
    }
    if certificate.key_id().len() > LONGEST_KEY_ID || certificate.key_id().chars().any(char::is_control) {
        return Err(malformed("the certificate's key id is too long or holds control characters"));
    }
    Validity::new(certificate.valid_after(), certificate.valid_before())
        .map_err(|_| malformed("the certificate's validity is empty or without end"))
}

/// At least one principal, each within the grammar, none twice, no more than OpenSSH takes.
pub(super) fn check_principals(certificate: &Certificate) -> Result<BTreeSet<Principal>, Refusal> {
    let bad = |message: String| refusal(Reason::BadPrincipal, message);
    let names = certificate.valid_principals();
    if names.is_empty() {
        return Err(refusal(Reason::NoPrincipals, "the certificate names no principal"));
    }
    if names.len() > MAX_PRINCIPALS {
        return Err(bad(format!("the certificate names {} principals, more than {MAX_PRINCIPALS}", names.len())));
    }
    let mut principals = BTreeSet::new();
    for name in names {
        let principal = Principal::new(name.as_str()).map_err(|error| bad(error.to_string()))?;
        if !principals.insert(principal) {
            return Err(bad(format!("the certificate names {name:?} twice")));
        }
    }
    Ok(principals)
}

/// The limits that critical options set. What is not known here is refused; where `verify-required` cannot be enforced, admission refuses it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Limits {
    pub(super) force_command: Option<ForceCommand>,
    pub(super) source_address: Vec<Network>,
    pub(super) verify_required: bool,
}

pub(super) fn check_critical_options(options: &OptionsMap) -> Result<Limits, Refusal> {
    let mut limits = Limits::default();
    for (name, value) in options.iter() {
        match name.as_str() {
            FORCE_COMMAND => {
                let command = ForceCommand::new(value.as_str()).map_err(|error| refusal(Reason::Malformed, error.to_string()))?;
                limits.force_command = Some(command);
            }
            SOURCE_ADDRESS => {
                limits.source_address =
                    parse_source_address(value).map_err(|error| refusal(Reason::Malformed, format!("source-address: {error}")))?;
            }
            VERIFY_REQUIRED if value.is_empty() => limits.verify_required = true,
            VERIFY_REQUIRED => return Err(refusal(Reason::Malformed, "verify-required has a value, and takes none")),
            _ => {
                let shown: String = name.chars().take(64).collect();
                return Err(refusal(Reason::UnknownCriticalOption, format!("the certificate demands {shown:?}, which is not known here")));
            }
        }
    }
    Ok(limits)
}

/// What a certificate permits. What is not known permits nothing; a permission that carries a value is refused, as `sshd` does; and so is a
/// limit that stands among the permissions, where everybody reads over it.
pub(super) fn check_extensions(extensions: &OptionsMap) -> Result<BTreeSet<Extension>, Refusal> {
    let malformed = |message: String| refusal(Reason::Malformed, message);
    let mut permitted = BTreeSet::new();
    for (name, value) in extensions.iter() {
        if [FORCE_COMMAND, SOURCE_ADDRESS, VERIFY_REQUIRED].contains(&name.as_str()) {
            return Err(malformed(format!("the certificate holds the limit {name} among its extensions, where it limits nobody")));
        }
        let Some(extension) = Extension::named(name) else { continue };
        if !value.is_empty() {
            return Err(malformed(format!("the certificate's extension {name} carries a value, and none is allowed")));
        }
        permitted.insert(extension);
    }
    Ok(permitted)
}
