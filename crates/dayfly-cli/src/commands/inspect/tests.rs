#![allow(clippy::unwrap_used)]
use super::*;
use crate::output::{Lines, Report};
use base64::{Engine, engine::general_purpose::STANDARD};
use dayfly_api::trust::Trust;
use dayfly_core::signer::{SeedSigner, Signer as _};
use ssh_key::{
    Certificate,
    certificate::{Builder, CertType},
};
use std::sync::LazyLock;

fn certificate(ca: u8, kind: CertType, key_id: &str, principal: &str) -> Certificate {
    let mut builder = Builder::new(vec![7; 32], SeedSigner::new(1).public_key().clone(), 1000, 4_000_000_000).unwrap();
    builder.serial(5).unwrap().key_id(key_id).unwrap().cert_type(kind).unwrap().valid_principal(principal).unwrap();
    builder.extension("permit-pty", "").unwrap();
    builder.sign(SeedSigner::new(ca).private_key()).unwrap()
}

/// Made once: a key of a build for tests takes its time.
static TRUST: LazyLock<Trust> = LazyLock::new(|| {
    let line = |seed| SeedSigner::new(seed).private_key().public_key().to_openssh().unwrap();
    Trust {
        user_ca: vec![line(10)],
        session_ca: vec![line(11)],
        host_ca: vec![line(12)],
        inner_host_ca: vec![line(13)],
        log_key: line(14),
        known_hosts: Vec::new(),
    }
});

fn described(bytes: &[u8]) -> Result<Vec<Description>, Failure> {
    describe(Path::new("file"), bytes, Some(&Trusted { url: "https://ca.example", trust: &TRUST }))
}

fn said(certificate: &Certificate) -> (String, Option<String>) {
    let descriptions = described(certificate.to_openssh().unwrap().as_bytes()).unwrap();
    let said = descriptions[0].certificate.clone().unwrap();
    (said.signer, said.refusal)
}

const KEY_ID: &str = "alice role=db-admin grant=01890a5d-ac96-774b-bcce-b302099a8057";

#[test]
fn the_signer_is_named_by_its_purpose() {
    let (signer, refusal) = said(&certificate(10, CertType::User, KEY_ID, "root@db1"));
    assert_eq!((signer.as_str(), refusal), ("the user CA of https://ca.example", None));
    assert_eq!(said(&certificate(13, CertType::Host, "gate", "db1")).0, "the inner-host CA of https://ca.example");
    assert_eq!(said(&certificate(99, CertType::User, KEY_ID, "root@db1")).0, "not the CA that you are logged in to, https://ca.example");
    assert!(said(&certificate(12, CertType::User, KEY_ID, "root@db1")).1.is_some(), "a person's certificate by the host CA");
    assert!(said(&certificate(10, CertType::User, KEY_ID, "deploy,root")).1.unwrap().contains("bad_principal"));
}

#[test]
fn row_25_what_a_certificate_says_is_shown_and_not_obeyed() {
    let hostile = certificate(10, CertType::User, "\u{1b}]52;c;ZXZpbA==\u{7}\r\nkind  host", "root\u{202e}");
    let mut out = Vec::new();
    for description in described(hostile.to_openssh().unwrap().as_bytes()).unwrap() {
        description.text(&mut Lines::new(&mut out)).unwrap();
    }
    let text = String::from_utf8(out).unwrap();
    assert!(!text.chars().any(|c| c != '\n' && (c.is_control() || c == '\u{202e}')), "{text:?}");
    assert_eq!(text.lines().filter(|line| line.starts_with("kind")).count(), 1);
}

#[test]
fn keys_are_found_in_files_of_other_forms() {
    let key = SeedSigner::new(1).private_key().public_key().to_openssh().unwrap();
    let text =
        format!("# comment ssh-ed25519 x\n\n@cert-authority db1,[db1]:22 {key} ca\nfrom=\"10.0.0.1\",command=\"ls -l\" {key}\n{key}\n");
    assert_eq!(described(text.as_bytes()).unwrap().len(), 3);
    let private = SeedSigner::new(1).private_key().to_openssh(ssh_key::LineEnding::LF).unwrap();
    assert_eq!(described(private.as_bytes()).unwrap()[0].kind, "public key");
}

#[test]
fn damaged_and_hostile_files_are_errors() {
    let good = certificate(10, CertType::User, KEY_ID, "root@db1");
    let bytes = good.to_bytes().unwrap();
    let line = |bytes: &[u8]| format!("ssh-ed25519-cert-v01@openssh.com {}", STANDARD.encode(bytes)).into_bytes();
    for end in 0..bytes.len() {
        assert!(described(&line(&bytes[..end])).is_err(), "cut at {end}");
    }
    for file in [&b""[..], b"\xff\xfe\0", b"ssh-ed25519", b"ssh-ed25519 AAAA", b"ssh-ed25519-cert-v01@openssh.com !", b"hello"] {
        assert!(described(file).is_err(), "{file:?}");
    }
}

/// A certificate in the place of the key that signs, again and again: the bound on its size comes before the parser that recurses.
#[test]
fn a_certificate_that_nests_is_no_crash() {
    let base = certificate(10, CertType::User, KEY_ID, "root@db1").to_bytes().unwrap();
    let signer = ssh_key::PublicKey::from(SeedSigner::new(10).public_key().clone()).to_bytes().unwrap();
    let at = base.windows(signer.len()).rposition(|window| window == signer).unwrap();
    let mut nested = base.clone();
    while nested.len() < 80 * 1024 {
        let length = u32::try_from(nested.len()).unwrap().to_be_bytes();
        nested = [&base[..at - 4], &length, &nested, &base[at + signer.len()..]].concat();
        let line = format!("ssh-ed25519-cert-v01@openssh.com {}", STANDARD.encode(&nested));
        assert!(described(line.as_bytes()).is_err() || line.len() < 64 * 1024, "{} bytes", line.len());
    }
}
