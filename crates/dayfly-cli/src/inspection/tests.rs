#![allow(clippy::unwrap_used)]
use super::*;
use base64::{Engine, engine::general_purpose::STANDARD};
use dayfly_core::{
    certificate::krl::Krl,
    signer::{SeedSigner, Signer as _},
};
use ssh_key::{
    Certificate,
    certificate::{Builder, CertType},
};
use std::{path::Path, sync::LazyLock};

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
        endorsements: Vec::new(),
        log_key: line(14),
        known_hosts: Vec::new(),
    }
});

fn described(bytes: &[u8]) -> Result<Vec<Description>, Vec<String>> {
    named("file", bytes)
}

fn named(name: &str, bytes: &[u8]) -> Result<Vec<Description>, Vec<String>> {
    let Findings { found, unreadable, .. } = all(name, bytes, &Revocations::Unknown("nobody was asked".to_owned()));
    if found.is_empty() || !unreadable.is_empty() { Err(unreadable) } else { Ok(found) }
}

fn unjudged(name: &str, bytes: &[u8]) -> Findings {
    findings(Path::new(name), bytes, None, &Revocations::Unknown(String::new()))
}

fn all(name: &str, bytes: &[u8], revocations: &Revocations) -> Findings {
    findings(Path::new(name), bytes, Some(&Trusted { url: "https://ca.example", trust: &TRUST }), revocations)
}

fn text(description: &impl Report) -> String {
    let mut out = Vec::new();
    description.text(&mut Lines::new(&mut out)).unwrap();
    String::from_utf8(out).unwrap()
}

fn said(certificate: &Certificate) -> (String, Option<String>) {
    let descriptions = described(certificate.to_openssh().unwrap().as_bytes()).unwrap();
    let said = descriptions[0].certificate.clone().unwrap();
    (said.signer, said.refusal)
}

fn authority(seed: u8) -> KeyData {
    SeedSigner::new(seed).private_key().public_key().key_data().clone()
}

#[test]
fn a_certificate_is_revoked_if_the_list_says_so() {
    let certificate = certificate(10, CertType::User, KEY_ID, "root@db1");
    let line = certificate.to_openssh().unwrap();
    let revoked = |revocations: &Revocations| all("file", line.as_bytes(), revocations).found[0].certificate.clone().unwrap().revoked;
    assert_eq!(revoked(&Revocations::Unknown("the CA is away".to_owned())), "unknown: the CA is away");
    let list = |change: &dyn Fn(&mut Krl)| {
        let mut krl = Krl::new(7, 1000, "");
        change(&mut krl);
        krl
    };
    assert!(!revoked(&Revocations::OfTheCa(list(&|_| {}))).starts_with("yes"));
    let serial = |seed| move |krl: &mut Krl| krl.revoke_serials(Some(&authority(seed)), [5]).unwrap();
    assert_eq!(revoked(&Revocations::OfTheCa(list(&serial(10)))), "yes, by its serial (list 7)");
    assert!(!revoked(&Revocations::OfTheCa(list(&serial(11)))).starts_with("yes"), "another authority's serial");
    assert_eq!(revoked(&Revocations::Named(list(&|krl| krl.revoke_key_id(None, KEY_ID).unwrap()))), "yes, by its key id (list 7)");
    assert_eq!(revoked(&Revocations::Named(list(&|krl| krl.revoke_key(&authority(10))))), "yes, by the key that signed it (list 7)");
}

#[test]
fn another_cas_certificate_is_not_judged_by_this_cas_list() {
    let line = certificate(99, CertType::User, KEY_ID, "root@db1").to_openssh().unwrap();
    let found = all("file", line.as_bytes(), &Revocations::OfTheCa(Krl::new(7, 1000, ""))).found;
    assert!(found[0].certificate.as_ref().unwrap().revoked.starts_with("unknown: another CA"));
}

#[test]
fn a_revocation_list_is_explained_and_a_damaged_one_is_not_believed() {
    let mut krl = Krl::new(7, 1000, "after \u{1b}[31mthe break-in");
    krl.revoke_serials(Some(&authority(10)), 1..=40).unwrap();
    krl.revoke_key_id(None, "mallory\u{1b}]0;x\u{7}").unwrap();
    krl.revoke_fingerprint([7; 32]);
    let bytes = krl.encode().unwrap();
    let list = all("krl", &bytes, &Revocations::Unknown(String::new())).list.unwrap();
    let text = text(&list);
    for part in ["number", "7", "the user CA of https://ca.example", "40: 1 to 40", "any CA", "mallory", "SHA256:BwcH", "whoever signed"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(!text.contains(['\u{1b}', '\u{7}']), "{text:?}");
    assert_eq!(serde_json::to_value(&list).unwrap()["certificates"].as_array().unwrap().len(), 2);
    let cut = all("krl", &bytes[..bytes.len() - 1], &Revocations::Unknown(String::new()));
    assert!(cut.list.is_none() && cut.unreadable.len() == 1, "{cut:?}");
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
    let text = text(&described(hostile.to_openssh().unwrap().as_bytes()).unwrap()[0]);
    assert_harmless(&text);
    assert_eq!(text.lines().filter(|line| line.starts_with("kind")).count(), 1);
}

#[test]
fn keys_are_found_in_files_of_other_forms() {
    let key = SeedSigner::new(1).private_key().public_key().to_openssh().unwrap();
    let lines =
        format!("# comment ssh-ed25519 x\n\n@cert-authority db1,[db1]:22 {key} ca\nfrom=\"10.0.0.1\",command=\"ls -l\" {key}\n{key}\n");
    assert_eq!(described(lines.as_bytes()).unwrap().len(), 3);
    let private = SeedSigner::new(1).private_key().to_openssh(ssh_key::LineEnding::LF).unwrap();
    let shown = &described(private.as_bytes()).unwrap()[0];
    assert_eq!(shown.kind, "private key");
    assert!(shown.protection.as_deref().unwrap().starts_with("none"));
    let secret = private.lines().nth(3).unwrap();
    assert!(!text(shown).contains(secret) && !serde_json::to_string(shown).unwrap().contains(secret));
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

fn assert_harmless(text: &str) {
    let active = text.chars().find(|c| *c != '\n' && crate::output::neutral::is_active(*c));
    assert_eq!(active, None, "{text:?}");
}

/// Every certificate of the corpus is explained or refused, and what is wrong with it is said, if not by the verifier then as unusual.
#[test]
fn row_25_every_certificate_of_the_corpus_is_explained_harmlessly() {
    for entry in dayfly_corpus::committed().unwrap() {
        match described(entry.line.as_bytes()) {
            Ok(found) => {
                assert_harmless(&text(&found[0]));
                let said = found[0].certificate.as_ref().unwrap();
                let elsewhere = ["good_unknown_extension", "good_fido_authority"].contains(&entry.name.as_str());
                let is_own_matter = matches!(
                    entry.reason.as_deref(),
                    None | Some(
                        "foreign_ca" | "revoked" | "expired" | "source_address" | "verify_required" | "wrong_type" | "not_yet_valid"
                    )
                );
                let is_about_values = entry.name.starts_with("source_address")
                    || entry.name.starts_with("force_command")
                    || entry.name.starts_with("key_id_long");
                assert!(is_own_matter || is_about_values || elsewhere || !found[0].unusual.is_empty(), "{}: {said:?}", entry.name);
                assert!(
                    entry.name.starts_with("good_unknown")
                        || !entry.name.starts_with("good")
                        || found[0].unusual.iter().all(|one| one.contains("valid for long")),
                    "{}: {:?}",
                    entry.name,
                    found[0].unusual
                );
            }
            Err(causes) => {
                assert_eq!(entry.reason.as_deref().map(|reason| reason != "foreign_ca"), Some(true), "{}: {causes:?}", entry.name);
                causes.iter().for_each(|cause| assert!(cause.len() < 500, "{cause}"));
            }
        }
    }
}

#[test]
fn what_a_certificate_allows_and_does_not_is_said_of_every_extension() {
    let mut builder = Builder::new(vec![7; 32], SeedSigner::new(1).public_key().clone(), 1000, 2000).unwrap();
    builder.serial(5).unwrap().key_id("alice").unwrap().valid_principal("root@db1").unwrap();
    builder.extension("permit-pty", "").unwrap().critical_option("force-command", "uptime").unwrap();
    builder.critical_option("source-address", "192.0.2.0/24").unwrap().critical_option("x@example.com", "").unwrap();
    let certificate = builder.sign(SeedSigner::new(99).private_key()).unwrap();
    let said = Description::of_certificate(&certificate, None, &Revocations::Unknown(String::new()), 1500).certificate.unwrap();
    assert_eq!(said.allows, ["log in where one of these is accepted: root@db1", "get a terminal"]);
    for deed in [
        "forward ports",
        "forward an agent",
        "forward X11",
        "run ~/.ssh/rc",
        "anything but \"uptime\"",
        "anywhere but 192.0.2.0/24",
        "x@example.com",
    ] {
        assert!(said.forbids.iter().any(|sentence| sentence.contains(deed)), "{deed}");
    }
    assert_eq!(said.validity, "from 1970-01-01T00:16:40Z to 1970-01-01T00:33:20Z (16m 40s): 8m 20s left");
}

fn entry(file: &str, before: &str) -> EntryDescription {
    let key = SeedSigner::new(1).private_key().public_key().to_openssh().unwrap();
    named(file, format!("{before} {key} comment\n").as_bytes()).unwrap()[0].entry.clone().unwrap()
}

#[test]
fn lines_of_authorized_keys_are_explained() {
    let limited =
        entry("authorized_keys", "restrict,pty,command=\"echo \\\"a, b\\\" ssh-rsa\",from=\"192.0.2.0/24\",expiry-time=\"20200101\"");
    assert_eq!(limited.entry, "authorized_keys");
    assert_eq!(limited.allows, ["get a terminal"]);
    assert_eq!(limited.forbids.len(), 4);
    for part in ["\"echo \\\"a, b\\\" ssh-rsa\"", "only from 192.0.2.0/24", "it ended"] {
        assert!(limited.means.iter().any(|sentence| sentence.contains(part)), "{part}: {:?}", limited.means);
    }
    assert_eq!(limited.unusual, ["sshd refuses the key: its time is over"]);
    let bare = entry("authorized_keys", "");
    assert!(bare.allows.len() == 5 && bare.unusual[0].contains("without any limit"), "{bare:?}");
    let authority = entry("file", "cert-authority,principals=\"alice\"");
    assert!(authority.entry == "authorized_keys" && authority.means[0].contains("holds a certificate"));
    for bad in ["no-such-option", "command=uptime", "expiry-time=\"soon\""] {
        assert!(entry("authorized_keys", bad).unusual.iter().any(|one| one.contains("refuses the")), "{bad}");
    }
}

#[test]
fn lines_of_known_hosts_are_explained() {
    let plain = entry("file", "db1,[db1.example]:2222,!db2");
    assert_eq!(plain.entry, "known_hosts");
    assert_eq!(plain.means, ["this key is that of db1, db1.example at port 2222, not db2"]);
    assert!(entry("known_hosts", "@cert-authority *").unusual[0].contains("every host there is"));
    assert!(entry("known_hosts", "@revoked *").means[0].contains("refused for every host"));
    let hashed = "|1|AAAAAAAAAAAAAAAAAAAAAAAAAAA=|AAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    assert!(entry("file", hashed).unusual.is_empty() && entry("file", hashed).means[0].contains("hashed"));
    assert!(entry("file", "|1|AA==|").unusual[0].contains("damaged"));
    assert!(entry("known_hosts", "@sometimes db1").unusual[0].contains("reads over"));
}

#[test]
fn what_can_be_read_is_shown_beside_what_cannot() {
    let key = SeedSigner::new(1).private_key().public_key().to_openssh().unwrap();
    let Findings { found, unreadable, .. } = unjudged("file", format!("ssh-ed25519 AAAA\n{key}\n").as_bytes());
    assert_eq!((found[0].line, unreadable.len()), (Some(2), 1));
    assert!(unreadable[0].starts_with("line 1: "));
    let list = findings(Path::new("file"), b"SSHKRL\n\0rest", None, &Revocations::Unknown(String::new()));
    assert!(list.unreadable[0].contains("revocation list"));
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig { failure_persistence: None, ..Default::default() })]

    #[test]
    fn row_25_whatever_stands_around_a_key_is_shown_harmlessly(before in "\\PC{0,60}", after in "(?s).{0,60}", bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..200)) {
        let key = SeedSigner::new(1).private_key().public_key().to_openssh().unwrap();
        for file in ["authorized_keys", "known_hosts", "file"] {
            let Findings { found, .. } = unjudged(file, format!("{before} {key} {after}").as_bytes());
            found.iter().for_each(|description| assert_harmless(&text(description)));
            unjudged(file, &[before.as_bytes(), &bytes, key.as_bytes(), &bytes].concat());
        }
    }
}
