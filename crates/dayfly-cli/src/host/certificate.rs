//! Whether a host certificate is what this host needs.

use crate::error::{Failure, Kind};
use dayfly_core::{
    certificate::{Revocations, Verifier, parse},
    certified_name::CertifiedName,
};
use ssh_key::{Certificate, PublicKey, public::KeyData};
use std::collections::BTreeSet;

/// What a certificate has to be.
#[derive(Debug, Clone, Copy)]
pub struct Needed<'a> {
    /// For this key.
    pub key: &'a KeyData,
    /// For exactly these names.
    pub names: &'a BTreeSet<CertifiedName>,
    /// By one of these authorities.
    pub host_ca: &'a [KeyData],
}

impl Needed<'_> {
    /// Checks one that the CA just gave, at its own beginning, so that a clock that differs is told apart from a bad certificate.
    pub fn check(&self, line: &str) -> Result<Certificate, Failure> {
        let unexpected = |cause: String| Failure::new(Kind::Failed, "the CA gave a certificate that cannot be used").because(cause);
        let certificate = parse(line).map_err(|refusal| unexpected(refusal.message))?;
        match self.mismatch(&certificate, certificate.valid_after()) {
            None => Ok(certificate),
            Some(cause) => Err(unexpected(cause)),
        }
    }

    /// The one that is there, if it will do for now: good, and with more than a third of its life before it. `now` in Unix seconds.
    pub fn still_good(&self, line: &str, now: u64) -> Option<Certificate> {
        let certificate = parse(line).ok()?;
        (self.mismatch(&certificate, now).is_none() && is_young(&certificate, now)).then_some(certificate)
    }

    fn mismatch(&self, certificate: &Certificate, now: u64) -> Option<String> {
        if certificate.public_key() != self.key {
            return Some("it is for another key than this host's".to_owned());
        }
        let held: BTreeSet<&str> = certificate.valid_principals().iter().map(String::as_str).collect();
        if held != self.names.iter().map(CertifiedName::as_str).collect() {
            return Some(format!("it names {}", certificate.valid_principals().join(", ")));
        }
        let verifier = Verifier { authorities: self.host_ca, revocations: &Revocations::default() };
        held.iter().find_map(|name| verifier.host(certificate, now, name).err()).map(|refusal| refusal.message)
    }
}

/// Whether more than a third of its life is left.
fn is_young(certificate: &Certificate, now: u64) -> bool {
    let life = certificate.valid_before().saturating_sub(certificate.valid_after());
    certificate.valid_before().saturating_sub(now) > life / 3
}

/// Whether so little of its life is left, a sixth, that renewals must have failed for a while.
pub fn is_overdue(certificate: &Certificate, now: u64) -> bool {
    let life = certificate.valid_before().saturating_sub(certificate.valid_after());
    certificate.valid_before().saturating_sub(now) <= life / 6
}

/// OpenSSH lines as keys. One that cannot be read is an error: who is trusted is never a guess.
pub fn read_keys(lines: &[String]) -> Result<Vec<KeyData>, Failure> {
    let read = |line: &String| {
        let key = PublicKey::from_openssh(line);
        key.map(|key| key.key_data().clone())
            .map_err(|error| Failure::new(Kind::Failed, "the CA named a key that cannot be read").because(error))
    };
    lines.iter().map(read).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use dayfly_core::{
        certificate::UnsignedCertificate,
        name::HostName,
        signer::{SeedSigner, Signer as _},
    };

    fn names(names: &[&str]) -> BTreeSet<CertifiedName> {
        names.iter().map(|name| name.parse().unwrap()).collect()
    }

    fn certificate(ca: u8, key: u8, held: &[&str]) -> String {
        let key = PublicKey::from(SeedSigner::new(key).public_key().clone());
        let host = HostName::new("db1").unwrap();
        let unsigned = UnsignedCertificate::enrolled_host(&host, &names(held), key, 3000, 10_000, 7, [7; 32]).unwrap();
        unsigned.sign(&SeedSigner::new(ca)).unwrap().to_openssh().unwrap()
    }

    #[test]
    fn a_certificate_is_renewed_when_a_third_of_its_life_is_left() {
        let (key, ca, wanted) = (SeedSigner::new(1).public_key().clone(), [SeedSigner::new(9).public_key().clone()], names(&["db1"]));
        let needed = Needed { key: &key, names: &wanted, host_ca: &ca };
        let line = certificate(9, 1, &["db1"]);
        assert!(needed.still_good(&line, 11_989).is_some());
        assert!(needed.still_good(&line, 11_990).is_none());
        assert!(needed.still_good(&line, 9_000).is_none(), "not yet valid");
        let certificate = parse(&line).unwrap();
        assert!(!is_overdue(&certificate, 12_494) && is_overdue(&certificate, 12_495) && is_overdue(&certificate, 99_999));
    }

    #[test]
    fn one_for_other_names_another_key_or_by_another_ca_will_not_do() {
        let (key, ca, wanted) = (SeedSigner::new(1).public_key().clone(), [SeedSigner::new(9).public_key().clone()], names(&["db1"]));
        let needed = Needed { key: &key, names: &wanted, host_ca: &ca };
        assert!(needed.check(&certificate(9, 1, &["db1"])).is_ok());
        for bad in
            [certificate(9, 2, &["db1"]), certificate(8, 1, &["db1"]), certificate(9, 1, &["db1", "db2"]), certificate(9, 1, &["db2"])]
        {
            assert!(needed.check(&bad).is_err() && needed.still_good(&bad, 10_000).is_none());
        }
        assert!(needed.check("ssh-ed25519 AAAA").is_err());
    }
}
