//! What a certificate on this host is good for.

pub mod files;

use crate::error::{Failure, Kind};
use dayfly_core::{
    certificate::{KeyId, Revocations, Verifier},
    identity::Subject,
    name::RoleName,
    reason::{Reason, Refusal},
    request::RequestedTargets,
};
use ssh_key::{Certificate, public::KeyData};
use std::{
    net::{IpAddr, Ipv4Addr},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// A certificate that ends sooner than this is renewed: a login must not fail halfway.
pub const LEAST_REMAINING_SECONDS: u64 = 60;

/// What begins the comment of every key that is made here.
const LABEL_PREFIX: &str = "dayfly ";

/// What a certificate is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// The role.
    pub role: RoleName,
    /// The targets.
    pub targets: RequestedTargets,
}

impl Wanted {
    /// The comment of the key, by which a later call knows what it was for: `dayfly ROLE TARGET,…`, and `*` for all targets.
    pub fn label(&self) -> String {
        let targets = match &self.targets {
            RequestedTargets::All => "*".to_owned(),
            RequestedTargets::Named(names) => names.iter().map(|name| name.as_str()).collect::<Vec<_>>().join(","),
        };
        format!("{LABEL_PREFIX}{} {targets}", self.role)
    }
}

/// Whether a key with this comment was made here.
pub fn is_ours(comment: &str) -> bool {
    comment.starts_with(LABEL_PREFIX)
}

/// Whether a certificate with this comment still is what is wanted, for long enough.
pub fn is_good_for(certificate: &Certificate, comment: &str, wanted: &Wanted, subject: &Subject, user_ca: &[KeyData], now: u64) -> bool {
    let is_whose = certificate.key_id().parse::<KeyId>().is_ok_and(|id| id.subject == *subject && id.role == wanted.role);
    comment == wanted.label()
        && is_whose
        && user_ca.contains(certificate.signature_key())
        && certificate.valid_after() <= now
        && certificate.valid_before() >= now.saturating_add(LEAST_REMAINING_SECONDS)
}

/// Checks a certificate that the CA just gave: for our key, by its user CA, with nothing in it that OpenSSH or a bastion would refuse.
pub fn check_issued(certificate: &Certificate, key: &KeyData, user_ca: &[KeyData]) -> Result<(), Failure> {
    let unexpected = |cause: &str| {
        Failure::new(Kind::Failed, "the CA gave a certificate that cannot be used")
            .because(cause)
            .remedy("log in again, which shows whether this still is your CA: dayfly login URL")
    };
    if certificate.public_key() != key {
        return Err(unexpected("it is for another key than the one that was made here"));
    }
    // Judged at its beginning, so that a clock that differs is told apart from a bad certificate.
    match verdict(certificate, user_ca, certificate.valid_after()) {
        Ok(()) => Ok(()),
        Err(refusal) => Err(unexpected(&refusal.message)),
    }
}

/// What the verifier says of a person's certificate at `now`, wherever it is used from.
pub fn verdict(certificate: &Certificate, authorities: &[KeyData], now: u64) -> Result<(), Refusal> {
    let revocations = Revocations::default();
    let from = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
    match (Verifier { authorities, revocations: &revocations }).user(certificate, now, from) {
        Err(refusal) if refusal.reason != Reason::SourceAddress => Err(refusal),
        _ => Ok(()),
    }
}

/// The time by this host's clock, in Unix seconds.
pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// A number of seconds in words, such as `4m 52s`.
pub fn in_words(seconds: u64) -> String {
    humantime::format_duration(Duration::from_secs(seconds)).to_string()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use dayfly_core::{name::ScopeName, signer::SeedSigner, signer::Signer as _};
    use ssh_key::certificate::{Builder, CertType};

    const KEY_ID: &str = "alice role=db-admin grant=01890a5d-ac96-774b-bcce-b302099a8057";

    fn certificate(ca: u8, key_id: &str, after: u64, before: u64) -> Certificate {
        let mut builder = Builder::new(vec![7; 32], SeedSigner::new(1).public_key().clone(), after, before).unwrap();
        builder.serial(5).unwrap().key_id(key_id).unwrap().cert_type(CertType::User).unwrap().valid_principal("root@db1").unwrap();
        builder.critical_option("source-address", "10.0.0.0/8").unwrap();
        builder.sign(SeedSigner::new(ca).private_key()).unwrap()
    }

    fn wanted(role: &str, targets: &[&str]) -> Wanted {
        let targets = targets.iter().map(|name| ScopeName::new(*name).unwrap()).collect();
        Wanted { role: RoleName::new(role).unwrap(), targets: RequestedTargets::Named(targets) }
    }

    #[test]
    fn the_label_does_not_depend_on_the_order_of_targets() {
        assert_eq!(wanted("db-admin", &["db2", "db1"]).label(), "dayfly db-admin db1,db2");
        let all = Wanted { targets: RequestedTargets::All, ..wanted("db-admin", &[]) };
        assert_eq!(all.label(), "dayfly db-admin *");
    }

    #[test]
    fn a_certificate_is_renewed_a_minute_before_its_end() {
        let ca = [SeedSigner::new(9).public_key().clone()];
        let alice: Subject = "alice".parse().unwrap();
        let wanted = wanted("db-admin", &["db1"]);
        let is_good = |certificate: &Certificate, comment: &str, now| is_good_for(certificate, comment, &wanted, &alice, &ca, now);
        let ours = certificate(9, KEY_ID, 1000, 1300);
        assert!(is_good(&ours, "dayfly db-admin db1", 1240));
        assert!(!is_good(&ours, "dayfly db-admin db1", 1241));
        assert!(!is_good(&ours, "dayfly db-admin db1", 999));
        assert!(!is_good(&ours, "dayfly db-admin db2", 1100), "for another target");
        assert!(!is_good(&certificate(8, KEY_ID, 1000, 1300), "dayfly db-admin db1", 1100), "of another CA");
        assert!(!is_good(&certificate(9, &KEY_ID.replace("alice", "bob"), 1000, 1300), "dayfly db-admin db1", 1100), "of somebody else");
        assert!(!is_good(&certificate(9, &KEY_ID.replace("db-admin", "web"), 1000, 1300), "dayfly db-admin db1", 1100), "for another role");
    }

    #[test]
    fn what_the_ca_gave_is_checked() {
        let (key, ca) = (SeedSigner::new(1).public_key().clone(), [SeedSigner::new(9).public_key().clone()]);
        assert!(check_issued(&certificate(9, KEY_ID, 1000, 1300), &key, &ca).is_ok());
        assert!(check_issued(&certificate(9, KEY_ID, 1000, 1300), SeedSigner::new(2).public_key(), &ca).is_err());
        assert!(check_issued(&certificate(8, KEY_ID, 1000, 1300), &key, &ca).is_err());
        assert!(check_issued(&certificate(9, "a\u{1b}[2J", 1000, 1300), &key, &ca).is_err());
    }
}
