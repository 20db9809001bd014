//! What no certificate may get away with: each defect alone, on an otherwise good certificate. Named after the attack it guards against.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use super::*;
use crate::{
    admission::{Admission, admit},
    decision::{Explanation, Grant},
    name::{AccountName, BastionName, RoleName, TargetName},
    principal::Principal,
    reason::Reason,
    role::{Extension, ForceCommand},
    signer::{SeedSigner, Signer, SignerError},
    target::{Mode, Target},
    validity::Ttl,
};
use ssh_key::{
    Algorithm, Certificate, PublicKey, Signature,
    certificate::{Builder, CertType},
    public::KeyData,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};
use uuid::Uuid;

const NOW: u64 = 1_800_000_000;
const PEER: &str = "192.0.2.7";

fn ca() -> SeedSigner {
    SeedSigner::new(1)
}

fn holder() -> PublicKey {
    SeedSigner::new(2).private_key().public_key().clone()
}

fn begun(kind: CertType, key_id: &str) -> Builder {
    let mut builder = Builder::new(vec![7; 32], holder().key_data().clone(), NOW - 30, NOW + 300).unwrap();
    builder.serial(5).unwrap().cert_type(kind).unwrap().key_id(key_id).unwrap();
    builder
}

fn good() -> Builder {
    begun(CertType::User, "alice role=db-admin grant=01890a5d-ac96-774b-bcce-b302099a8057")
}

fn signed(change: impl FnOnce(&mut Builder)) -> Certificate {
    let mut builder = good();
    builder.valid_principal("deploy@db1").unwrap();
    change(&mut builder);
    builder.sign(ca().private_key()).unwrap()
}

fn verify_at(certificate: &Certificate, now: u64, peer: &str) -> Result<VerifiedCertificate, Reason> {
    let authorities = [ca().public_key().clone()];
    let revocations = Revocations::default();
    let verifier = Verifier { authorities: &authorities, revocations: &revocations };
    verifier.user(certificate, now, peer.parse::<IpAddr>().unwrap()).map_err(|refusal| refusal.reason)
}

fn reason(certificate: &Certificate) -> Reason {
    verify_at(certificate, NOW, PEER).unwrap_err()
}

#[test]
fn a_good_certificate_verifies() {
    let verified = verify_at(&signed(|_| ()), NOW, PEER).unwrap();
    assert_eq!(verified.serial(), 5);
    assert_eq!(verified.subject().unwrap().to_string(), "alice");
    assert_eq!(verified.principals().len(), 1);
}

#[test]
fn row_01_bad_principals() {
    for bad in ["deploy,root", "*", "db?", "a b", "\"x\"", "a\nb", "a\0", "-x", "a..b", "Deploy@db1", "deploy@db1@x", "@db1", ""] {
        let certificate = signed(|builder| assert!(builder.valid_principal(bad).is_ok()));
        assert_eq!(reason(&certificate), Reason::BadPrincipal, "{bad:?}");
    }
    let doubled = signed(|builder| assert!(builder.valid_principal("deploy@db1").is_ok()));
    assert_eq!(reason(&doubled), Reason::BadPrincipal);
    let many = signed(|builder| (0..256).for_each(|n| assert!(builder.valid_principal(format!("a@b{n}")).is_ok())));
    assert_eq!(reason(&many), Reason::BadPrincipal);
}

#[test]
fn row_02_no_principals_at_all() {
    let mut builder = good();
    builder.all_principals_valid().unwrap();
    assert_eq!(reason(&builder.sign(ca().private_key()).unwrap()), Reason::NoPrincipals);
}

#[test]
fn row_03_foreign_ca_self_signed_and_signed_by_a_holder() {
    for foreign in [SeedSigner::new(9), SeedSigner::new(2)] {
        let mut builder = good();
        builder.valid_principal("deploy@db1").unwrap();
        assert_eq!(reason(&builder.sign(foreign.private_key()).unwrap()), Reason::ForeignCa);
    }
}

#[test]
fn row_03_a_host_certificate_as_a_persons() {
    let mut host = begun(CertType::Host, "gate");
    host.valid_principal("deploy@db1").unwrap();
    assert_eq!(reason(&host.sign(ca().private_key()).unwrap()), Reason::WrongType);
}

#[test]
fn row_03_a_persons_certificate_as_a_hosts() {
    let authorities = [ca().public_key().clone()];
    let revocations = Revocations::default();
    let verifier = Verifier { authorities: &authorities, revocations: &revocations };
    assert_eq!(verifier.host(&signed(|_| ()), NOW, "deploy@db1").unwrap_err().reason, Reason::WrongType);
    let mut nameless = begun(CertType::Host, "gate");
    nameless.all_principals_valid().unwrap();
    assert_eq!(verifier.host(&nameless.sign(ca().private_key()).unwrap(), NOW, "db1").unwrap_err().reason, Reason::NoPrincipals);
}

#[test]
fn row_03_a_changed_certificate_keeps_no_signature() {
    let good = signed(|_| ()).to_bytes().unwrap();
    let position = good.windows(10).position(|window| window == b"deploy@db1").unwrap();
    let mut changed = good.clone();
    changed[position] = b'r';
    assert_eq!(reason(&Certificate::from_bytes(&changed).unwrap()), Reason::Malformed);
}

#[test]
fn row_04_critical_options() {
    let with = |name: &'static str, value: &'static str| signed(move |builder| assert!(builder.critical_option(name, value).is_ok()));
    assert_eq!(reason(&with("permit-everything", "")), Reason::UnknownCriticalOption);
    assert!(verify_at(&with("verify-required", ""), NOW, PEER).unwrap().verify_required());
    assert_eq!(reason(&with("verify-required", "no")), Reason::Malformed);
    assert_eq!(reason(&with("source-address", "198.51.100.0/24")), Reason::SourceAddress);
    assert_eq!(reason(&with("source-address", "")), Reason::Malformed);
    assert_eq!(reason(&with("source-address", "!192.0.2.0/24")), Reason::Malformed);
    assert_eq!(reason(&with("force-command", "")), Reason::Malformed);
    assert!(verify_at(&with("source-address", "192.0.2.0/24,2001:db8::/32"), NOW, PEER).is_ok());
    let forced = verify_at(&with("force-command", "uptime"), NOW, PEER).unwrap();
    assert_eq!(forced.force_command().unwrap().as_str(), "uptime");
}

#[test]
fn row_04_a_v4_mapped_peer_is_the_ipv4_peer() {
    let bound = signed(|builder| assert!(builder.critical_option("source-address", "192.0.2.7/32").is_ok()));
    assert!(verify_at(&bound, NOW, "::ffff:192.0.2.7").is_ok());
    assert_eq!(verify_at(&bound, NOW, "::ffff:192.0.2.8").unwrap_err(), Reason::SourceAddress);
    assert_eq!(verify_at(&bound, NOW, "2001:db8::7").unwrap_err(), Reason::SourceAddress);
}

#[test]
fn row_05_the_window_is_half_open() {
    let certificate = signed(|_| ());
    assert_eq!(verify_at(&certificate, NOW - 31, PEER).unwrap_err(), Reason::NotYetValid);
    assert!(verify_at(&certificate, NOW - 30, PEER).is_ok());
    assert!(verify_at(&certificate, NOW + 299, PEER).is_ok());
    assert_eq!(verify_at(&certificate, NOW + 300, PEER).unwrap_err(), Reason::Expired);
}

#[test]
fn row_05_forever_and_empty_windows() {
    let mut forever = Builder::new(vec![7; 32], holder().key_data().clone(), 0, u64::MAX).unwrap();
    forever.valid_principal("deploy@db1").unwrap();
    assert_eq!(reason(&forever.sign(ca().private_key()).unwrap()), Reason::Malformed);
}

#[test]
fn row_06_weak_keys_and_signatures() {
    // An RSA holder of 2048 bits, under our own CA.
    let short = Builder::new(vec![7; 32], rsa(2048), NOW - 30, NOW + 300).map(|mut builder| {
        builder.valid_principal("deploy@db1").unwrap();
        builder.sign(ca().private_key()).unwrap()
    });
    assert_eq!(reason(&short.unwrap()), Reason::WeakAlgorithm);
}

#[test]
fn row_06_an_rsa_authority_that_signs_with_sha1() {
    let authority = rsa(3072);
    let mut builder = good();
    builder.valid_principal("deploy@db1").unwrap();
    let bytes = builder.sign(ca().private_key()).unwrap().to_bytes().unwrap();
    // The same certificate with another authority and a signature that calls itself ssh-rsa.
    let own = Certificate::from_bytes(&bytes).unwrap();
    let mut encoded_ca = Vec::new();
    ssh_encoding::Encode::encode(own.signature_key(), &mut encoded_ca).unwrap();
    let at = bytes.windows(encoded_ca.len()).rposition(|window| window == encoded_ca).unwrap() - 4;
    let mut forged = bytes[..at].to_vec();
    let mut encoded_rsa = Vec::new();
    ssh_encoding::Encode::encode(&authority, &mut encoded_rsa).unwrap();
    ssh_encoding::Encode::encode(&encoded_rsa, &mut forged).unwrap();
    let signature: Vec<u8> = Signature::new(Algorithm::Rsa { hash: None }, vec![1; 384]).unwrap().try_into().unwrap();
    ssh_encoding::Encode::encode(&signature, &mut forged).unwrap();
    let certificate = Certificate::from_bytes(&forged).unwrap();
    let revocations = Revocations::default();
    let verifier = Verifier { authorities: &[authority], revocations: &revocations };
    assert_eq!(verifier.user(&certificate, NOW, PEER.parse().unwrap()).unwrap_err().reason, Reason::WeakAlgorithm);
}

/// A public key of so many bits; nobody needs its private half.
fn rsa(bits: usize) -> KeyData {
    let mut modulus = vec![0xc3; bits / 8];
    modulus[bits / 8 - 1] |= 1;
    let e = ssh_key::Mpint::from_positive_bytes(&[1, 0, 1]);
    let n = ssh_key::Mpint::from_positive_bytes(&modulus);
    KeyData::Rsa(ssh_key::public::RsaPublicKey::new(e, n).unwrap())
}

#[test]
fn row_20_each_kind_of_revocation_refuses_and_says_which() {
    let certificate = signed(|_| ());
    let authorities = [ca().public_key().clone()];
    let grant = "01890a5d-ac96-774b-bcce-b302099a8057";
    let (key, authority) = (crate::signature::fingerprint(holder().key_data()), crate::signature::fingerprint(ca().public_key()));
    let verdict = |kind: &str, value: &str, at: u64| {
        let revoked = Revoked::parse(kind, value).unwrap();
        assert_eq!((revoked.kind(), revoked.value().as_str()), (kind, value));
        let mut revocations = Revocations::default();
        revocations.add(&revoked, at);
        let sent: Revocations = serde_json::from_slice(&serde_json::to_vec(&revocations).unwrap()).unwrap();
        assert_eq!(sent, revocations);
        Verifier { authorities: &authorities, revocations: &sent }.user(&certificate, NOW, PEER.parse().unwrap())
    };
    for (kind, value, words) in [
        ("serial", "5", "the certificate 5"),
        ("key-id", &format!("alice role=db-admin grant={grant}"), "key id"),
        ("person", "alice", "the access of alice"),
        ("key", &key, &key),
        ("role", "db-admin", "role db-admin"),
        ("grant", grant, grant),
        ("ca", &authority, "which signed the certificate"),
    ] {
        let refusal = verdict(kind, value, NOW).unwrap_err();
        assert_eq!(refusal.reason, Reason::Revoked, "{kind}");
        assert!(refusal.message.contains(words), "{kind}: {}", refusal.message);
    }
    for (kind, value) in
        [("serial", "6"), ("key-id", "alice"), ("person", "machine:alice"), ("role", "web"), ("grant", &grant.replace('7', "8"))]
    {
        verdict(kind, value, NOW).unwrap();
    }
    // It was issued at NOW, and valid a little before. What a role gives afterwards counts.
    verdict("role", "db-admin", NOW - 1).unwrap();
    for (kind, value) in [
        ("serial", "0"),
        ("serial", "-1"),
        ("key-id", ""),
        ("key", "SHA256:x"),
        ("key", "MD5:00"),
        ("grant", "1"),
        ("role", "A B"),
        ("device", "x"),
    ] {
        assert!(Revoked::parse(kind, value).is_err(), "{kind} {value:?}");
    }
}

#[test]
fn row_20_a_hosts_certificate_is_revoked_by_serial_key_id_key_and_ca() {
    let mut host = begun(CertType::Host, "bastion:gate");
    host.valid_principal("gate").unwrap();
    let host = host.sign(ca().private_key()).unwrap();
    let authorities = [ca().public_key().clone()];
    let (key, authority) = (crate::signature::fingerprint(holder().key_data()), crate::signature::fingerprint(ca().public_key()));
    for (kind, value) in [("serial", "5"), ("key-id", "bastion:gate"), ("key", key.as_str()), ("ca", authority.as_str())] {
        let mut revocations = Revocations::default();
        revocations.add(&Revoked::parse(kind, value).unwrap(), NOW);
        let verifier = Verifier { authorities: &authorities, revocations: &revocations };
        assert_eq!(verifier.host(&host, NOW, "gate").unwrap_err().reason, Reason::Revoked, "{kind}");
    }
}

#[test]
fn malformed_texts_and_fields() {
    for text in ["", "ssh-ed25519-cert-v01@openssh.com AAAA", "ssh-ed25519 AAAA", "\0", &"x".repeat(100_000)] {
        assert_eq!(parse(text).unwrap_err().reason, Reason::Malformed);
    }
    let mut escape = begun(CertType::User, "alice\u{1b}]0;owned\u{7}");
    escape.valid_principal("deploy@db1").unwrap();
    assert_eq!(reason(&escape.sign(ca().private_key()).unwrap()), Reason::Malformed);
    let mut builder = Builder::new(vec![], holder().key_data().clone(), NOW - 30, NOW + 300).unwrap();
    builder.valid_principal("deploy@db1").unwrap();
    assert_eq!(reason(&builder.sign(ca().private_key()).unwrap()), Reason::Malformed);
}

fn grant() -> Grant {
    Grant {
        id: Uuid::from_u128(7),
        subject: "alice".parse().unwrap(),
        role: RoleName::new("db-admin").unwrap(),
        targets: BTreeSet::from([TargetName::new("db1").unwrap()]),
        principals: BTreeSet::from([Principal::new("deploy@db1").unwrap()]),
        ttl: Ttl::DEFAULT,
        force_command: Some(ForceCommand::new("uptime").unwrap()),
        source_address: vec!["192.0.2.0/24".parse().unwrap()],
        verify_required: false,
        extensions: BTreeSet::from([Extension::PermitPty, Extension::PermitPortForwarding]),
        explanation: Explanation::default(),
    }
}

fn minted() -> SignedCertificate {
    UnsignedCertificate::user(&grant(), holder(), NOW, 5, [7; 32]).unwrap().sign(&ca()).unwrap()
}

#[test]
fn what_is_minted_says_what_was_granted() {
    let line = minted().to_openssh().unwrap();
    let verified = verify_at(&parse(&line).unwrap(), NOW, PEER).unwrap();
    assert_eq!(verified.key_id().unwrap().grant, Uuid::from_u128(7));
    assert_eq!(verified.grant().unwrap(), format!("db-admin {}", Uuid::from_u128(7)));
    assert_eq!(verified.force_command().unwrap().as_str(), "uptime");
    assert_eq!(verified.extensions().len(), 2);
    assert_eq!((verified.validity().after(), verified.validity().before()), (NOW - 30, NOW + 300));
    assert_eq!(verify_at(&parse(&line).unwrap(), NOW, "198.51.100.1").unwrap_err(), Reason::SourceAddress);
}

struct GarbageSigner(SeedSigner);

impl Signer for GarbageSigner {
    fn public_key(&self) -> &KeyData {
        self.0.public_key()
    }

    fn sign(&self, _message: &[u8]) -> Result<Signature, SignerError> {
        self.0.sign(b"something else")
    }
}

#[test]
fn a_signature_that_does_not_fit_never_leaves() {
    let unsigned = UnsignedCertificate::user(&grant(), holder(), NOW, 5, [7; 32]).unwrap();
    assert!(unsigned.sign(&GarbageSigner(ca())).is_err());
}

#[test]
fn row_02_a_grant_without_principals_is_not_minted() {
    let empty = Grant { principals: BTreeSet::new(), ..grant() };
    assert!(UnsignedCertificate::user(&empty, holder(), NOW, 5, [7; 32]).unwrap().sign(&ca()).is_err());
}

#[test]
fn row_32_a_host_certificate_without_names_or_with_wildcards_is_not_minted() {
    let bastion = BastionName::new("gate").unwrap();
    for names in [vec![], vec!["*"], vec!["a,b"], vec![""], vec!["a b"], vec!["good", "b?d"]] {
        let names: Vec<String> = names.into_iter().map(str::to_owned).collect();
        assert!(UnsignedCertificate::host(&bastion, &names, holder(), 3600, NOW, 5, [7; 32]).is_err(), "{names:?}");
    }
    let inner = UnsignedCertificate::inner_host(&bastion, &TargetName::new("db1").unwrap(), holder(), NOW, 5, [7; 32]).unwrap();
    assert!(inner.validity().before() <= NOW + 24 * 3600);
    assert_eq!(inner.sign(&ca()).unwrap().certificate().valid_principals(), ["db1"]);
}

fn target(mode: Mode) -> Target {
    Target {
        name: TargetName::new("db1").unwrap(),
        address: "192.0.2.1".to_owned(),
        port: 22,
        groups: BTreeSet::from(["databases".to_owned().try_into().unwrap()]),
        host_keys: Vec::new(),
        host_ca: Vec::new(),
        mode,
        literal_principals: BTreeMap::from([(Principal::new("dba").unwrap(), BTreeSet::from([account("postgres")]))]),
        session: None,
    }
}

fn account(name: &str) -> AccountName {
    AccountName::new(name).unwrap()
}

fn with_principal(principal: &str) -> VerifiedCertificate {
    let mut builder = good();
    builder.valid_principal(principal).unwrap();
    verify_at(&builder.sign(ca().private_key()).unwrap(), NOW, PEER).unwrap()
}

#[test]
fn admission_is_exact() {
    for (principal, wanted, admitted) in [
        ("deploy@db1", "deploy", true),
        ("deploy@databases", "deploy", true),
        ("deploy@all", "deploy", true),
        ("dba", "postgres", true),
        ("deploy@db1", "root", false),
        ("deploy@db2", "deploy", false),
        ("deploy@db", "deploy", false),
        ("deploy@db11", "deploy", false),
        ("deploy", "deploy", false),
        ("dba", "root", false),
        ("root", "root", false),
    ] {
        let answer = admit(&with_principal(principal), &target(Mode::Record), Some(&account(wanted)));
        match answer {
            Ok(_) => assert!(admitted, "{principal} admitted {wanted}"),
            Err(refusal) => assert!(!admitted && refusal.reason == Reason::PrincipalMismatch, "{principal} did not admit {wanted}"),
        }
    }
}

#[test]
fn passthrough_needs_some_principal_for_the_target_and_record_an_account() {
    assert!(admit(&with_principal("deploy@db1"), &target(Mode::Passthrough), None).is_ok());
    assert!(admit(&with_principal("dba"), &target(Mode::Passthrough), None).is_ok());
    assert!(admit(&with_principal("deploy@db2"), &target(Mode::Passthrough), None).is_err());
    assert_eq!(admit(&with_principal("deploy@db1"), &target(Mode::Record), None).unwrap_err().reason, Reason::WrongMode);
}

fn admission() -> Admission {
    let verified = minted().verified().unwrap().clone();
    admit(&verified, &target(Mode::Record), Some(&account("deploy"))).unwrap()
}

#[test]
fn row_31_a_session_certificate_has_the_parents_limits_or_tighter() {
    let bastion = BastionName::new("gate").unwrap();
    let dials_from = ["192.0.2.254/32".parse().unwrap()];
    let session = |dials_from| SessionCertificate {
        session: Uuid::from_u128(8),
        bastion: &bastion,
        dials_from,
        public_key: holder(),
        kind: SessionKind::Session,
    };
    let unsigned = UnsignedCertificate::session(&admission(), session(&dials_from), NOW + 290, 6, [7; 32]).unwrap();
    assert_eq!(unsigned.validity().before(), NOW + 300, "never past its parent");
    let certificate = unsigned.sign(&ca()).unwrap();
    let verified = certificate.verified().unwrap();
    assert_eq!(verified.principals().iter().map(Principal::as_str).collect::<Vec<_>>(), ["deploy@db1"]);
    assert_eq!(verified.force_command().unwrap().as_str(), "uptime");
    assert_eq!(verified.extensions(), &BTreeSet::from([Extension::PermitPty]), "no forwarding at the target");
    assert_eq!(verified.source_address(), dials_from);
    let reference = verified.key_id().unwrap().session.clone().unwrap();
    assert_eq!((reference.session, reference.bastion), (Uuid::from_u128(8), bastion.clone()));
    assert!(UnsignedCertificate::session(&admission(), session(&[]), NOW, 6, [7; 32]).is_err(), "never from anywhere");
    assert!(UnsignedCertificate::session(&admission(), session(&dials_from), NOW + 400, 6, [7; 32]).is_err(), "never after its parent");
}
