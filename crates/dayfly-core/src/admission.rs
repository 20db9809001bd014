//! Admission: a verified certificate, a target and an account → yes, as a value, or why not. The bastion asks before it dials; the CA asks again.

use crate::{
    certificate::VerifiedCertificate,
    name::{AccountName, TargetName},
    reason::{Reason, Refusal},
    target::{Mode, Target},
};

/// A yes: this certificate admits to this target, and to this account if one was named. Only [`admit`] makes one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Admission {
    certificate: VerifiedCertificate,
    target: TargetName,
    mode: Mode,
    account: Option<AccountName>,
}

impl Admission {
    /// The certificate that admits.
    pub fn certificate(&self) -> &VerifiedCertificate {
        &self.certificate
    }

    /// The target.
    pub fn target(&self) -> &TargetName {
        &self.target
    }

    /// How the target is reached.
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// The account; none for passthrough, where only the target's own `sshd` learns it.
    pub fn account(&self) -> Option<&AccountName> {
        self.account.as_ref()
    }
}

/// Refuses a certificate that demands what cannot be seen where a bastion answers for the target: a PIN or a fingerprint at the login.
pub fn check_enforceable(certificate: &VerifiedCertificate) -> Result<(), Refusal> {
    if !certificate.verify_required() {
        return Ok(());
    }
    Err(Refusal::new(
        Reason::VerifyRequired,
        "the certificate demands a PIN or fingerprint, which a bastion that answers for a recorded target cannot see",
        "use a role without verify_required for recorded targets",
    ))
}

/// Decides whether `certificate` admits to `account` at `target`. A recorded target needs an account; for passthrough the certificate must hold some
/// principal for the target.
pub fn admit(certificate: &VerifiedCertificate, target: &Target, account: Option<&AccountName>) -> Result<Admission, Refusal> {
    if target.mode == Mode::Record && account.is_none() {
        return Err(Refusal::new(
            Reason::WrongMode,
            format!("{} is recorded and cannot be reached without naming an account", target.name),
            format!("log in with: ssh -J BASTION ACCOUNT@{}", target.name),
        ));
    }
    if target.mode == Mode::Record {
        check_enforceable(certificate)?;
    }
    let admits = certificate.principals().iter().any(|principal| match principal.as_str().split_once('@') {
        Some((name, scope)) => account.is_none_or(|account| account.as_str() == name) && target.scopes().any(|own| own == scope),
        None => target
            .literal_principals
            .get(principal)
            .is_some_and(|accounts| account.map_or(!accounts.is_empty(), |account| accounts.contains(account))),
    });
    if !admits {
        let wanted = account.map_or_else(|| target.name.to_string(), |account| format!("{account}@{}", target.name));
        return Err(Refusal::new(
            Reason::PrincipalMismatch,
            format!("the certificate does not admit to {wanted}"),
            format!("get one that does: dayfly cert ROLE --target {}", target.name),
        ));
    }
    Ok(Admission { certificate: certificate.clone(), target: target.name.clone(), mode: target.mode, account: account.cloned() })
}
