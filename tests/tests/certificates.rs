//! Whether others read certificates as we do: `ssh-keygen -L`, asyncssh and Go's x/crypto, on thousands of generated ones and on the corpus of bad ones.

#![allow(clippy::unwrap_used)]

use anyhow::{Context, Result};
use dayfly_core::{
    certificate::{Revocations, Verifier, parse, signature_fits},
    reason::Reason,
};
use dayfly_corpus::{NOW, committed, keys::Authority, path, random};
use dayfly_tests::{
    certificates::{Question, by_asyncssh, by_go, by_ssh_keygen},
    command::run,
    peers::peer,
};
use serde_json::{Value, json};
use ssh_key::{Certificate, PublicKey, certificate::OptionsMap, public::KeyData};
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::LazyLock,
};

const PRINCIPAL: &str = "deploy@db1";

/// How many are generated.
const COUNT: usize = 2000;

struct Generated {
    lines: Vec<String>,
    ours: Vec<Ours>,
    directory: tempfile::TempDir,
}

/// What we say of one.
struct Ours {
    certificate: Option<Certificate>,
    verdict: Result<(), Reason>,
}

static GENERATED: LazyLock<Generated> = LazyLock::new(|| {
    let lines = random::lines(1, COUNT).unwrap();
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("certificates"), lines.concat()).unwrap();
    let authorities: Vec<String> = Authority::TRUSTED.iter().map(|authority| authority.line().unwrap() + "\n").collect();
    // A FIDO authority is none to the others' readers, and it signs none of these.
    let plain: Vec<&str> = authorities.iter().map(String::as_str).filter(|line| !line.starts_with("sk-")).collect();
    fs::write(directory.path().join("authorities"), plain.concat()).unwrap();
    let keys: Vec<KeyData> = authorities.iter().map(|line| PublicKey::from_openssh(line).unwrap().key_data().clone()).collect();
    Generated { ours: lines.iter().map(|line| ours(line, &keys)).collect(), lines, directory }
});

fn ours(line: &str, authorities: &[KeyData]) -> Ours {
    let Ok(certificate) = parse(line) else { return Ours { certificate: None, verdict: Err(Reason::Malformed) } };
    let verifier = Verifier { authorities, revocations: &Revocations::default() };
    let verdict = verifier.user(&certificate, NOW, "127.0.0.1".parse().unwrap()).map_err(|refusal| refusal.reason);
    let verdict = verdict.and_then(|verified| {
        // As a recorded target would have it, and as readers that know nothing of PINs do.
        if verified.verify_required() {
            return Err(Reason::VerifyRequired);
        }
        let is_named = verified.principals().iter().any(|principal| principal.as_str() == PRINCIPAL);
        if is_named { Ok(()) } else { Err(Reason::PrincipalMismatch) }
    });
    let is_whole = signature_fits(&certificate).is_ok();
    Ours { certificate: is_whole.then_some(certificate), verdict }
}

fn question(generated: &Generated) -> (PathBuf, PathBuf) {
    (generated.directory.path().join("certificates"), generated.directory.path().join("authorities"))
}

/// A reason for which we refuse what others accept, knowingly: our rules are stricter.
fn is_stricter(reason: Reason) -> bool {
    // No names, which they take for every name; names outside our grammar; no serial, or no end; addresses, which they leave to whoever asks.
    matches!(reason, Reason::NoPrincipals | Reason::BadPrincipal | Reason::Malformed | Reason::SourceAddress)
}

/// For hosts there is none.
fn is_known(certificate: &Certificate, option: &str) -> bool {
    certificate.cert_type().is_user() && matches!(option, "force-command" | "source-address")
}

/// What differs between us and somebody else, in fields that both show, and in whether it is accepted.
fn differences(theirs: &[Value], generated: &Generated) -> Vec<String> {
    let mut found = Vec::new();
    for ((theirs, ours), line) in theirs.iter().zip(&generated.ours).zip(&generated.lines) {
        let is_read = theirs.get("read") == Some(&json!(true));
        match &ours.certificate {
            Some(certificate) if is_read => {
                let known = fields(certificate);
                let other = theirs
                    .as_object()
                    .into_iter()
                    .flatten()
                    .find(|(name, value)| known.get(name.as_str()).is_some_and(|own| own != *value));
                found.extend(other.map(|(name, value)| format!("{name} is {value}, and {:?} for us: {line}", known.get(name.as_str()))));
            }
            // asyncssh already refuses to read what demands something that it does not know.
            Some(certificate)
                if ours.verdict.is_err() && certificate.critical_options().keys().any(|name| !is_known(certificate, name)) => {}
            Some(_) => found.push(format!("read by us only: {line}")),
            None if is_read => found.push(format!("read by them only: {line}")),
            None => {}
        }
        match (theirs.get("accepted").and_then(Value::as_bool), ours.verdict) {
            (Some(false), Ok(())) => found.push(format!("accepted by us only: {line}")),
            (Some(true), Err(reason)) if !is_stricter(reason) => found.push(format!("accepted by them, {reason} for us: {line}")),
            _ => {}
        }
    }
    found
}

fn fields(certificate: &Certificate) -> BTreeMap<&'static str, Value> {
    let pairs = |options: &OptionsMap| json!(options.iter().map(|(name, value)| json!([name, value])).collect::<Vec<_>>());
    BTreeMap::from([
        ("kind", json!(if certificate.cert_type().is_host() { 2 } else { 1 })),
        ("serial", json!(certificate.serial().to_string())),
        ("key_id", json!(certificate.key_id())),
        ("principals", json!(certificate.valid_principals())),
        ("after", json!(certificate.valid_after().to_string())),
        ("before", json!(certificate.valid_before().to_string())),
        ("critical", pairs(certificate.critical_options())),
        ("extensions", pairs(certificate.extensions())),
    ])
}

fn assert_agree(differences: &[String]) {
    let shown: Vec<&String> = differences.iter().take(10).collect();
    assert!(differences.is_empty(), "{} differences, such as {shown:#?}", differences.len());
}

#[test]
fn what_is_generated_is_good_and_bad_in_many_ways() {
    let mut verdicts = BTreeMap::new();
    for ours in &GENERATED.ours {
        *verdicts.entry(ours.verdict.map_or_else(|reason| reason.code(), |()| "accepted")).or_insert(0_u32) += 1;
    }
    for expected in
        ["accepted", "bad_principal", "expired", "foreign_ca", "malformed", "no_principals", "not_yet_valid", "unknown_critical_option"]
    {
        assert!(verdicts.get(expected).is_some_and(|count| *count >= 20), "{expected}: {verdicts:?}");
    }
}

#[test]
fn every_kind_of_key_is_certified_and_signs() {
    /// Of each at least.
    const SOME: u32 = 3;
    let accepted = GENERATED.ours.iter().filter(|ours| ours.verdict.is_ok()).filter_map(|ours| ours.certificate.as_ref());
    let (mut held, mut signed) = (BTreeMap::new(), BTreeMap::new());
    for certificate in accepted {
        let size = |key: &KeyData| key.rsa().map_or(0, |key| key.n().as_positive_bytes().unwrap().len() * 8);
        let key = certificate.public_key();
        *held.entry((key.algorithm().to_string(), size(key))).or_insert(0_u32) += 1;
        let authority = certificate.signature_key();
        *signed.entry((certificate.signature().algorithm().to_string(), size(authority))).or_insert(0_u32) += 1;
    }
    assert_eq!((held.len(), signed.len()), (8, 7), "{held:?} {signed:?}");
    assert!(held.values().chain(signed.values()).all(|count| *count >= SOME), "{held:?} {signed:?}");
}

#[test]
fn go_reads_the_same_and_accepts_the_same() -> Result<()> {
    let Some(programs) = peer("go")? else { return Ok(()) };
    let (certificates, authorities) = question(&GENERATED);
    let theirs = by_go(
        &programs.join("certificates"),
        &Question { certificates: &certificates, authorities: &authorities, principal: PRINCIPAL, now: NOW },
    )?;
    assert_eq!(theirs.len(), COUNT);
    assert_agree(&differences(&theirs, &GENERATED));
    Ok(())
}

#[test]
fn asyncssh_reads_the_same_and_accepts_the_same() -> Result<()> {
    let Some(interpreter) = peer("python")? else { return Ok(()) };
    let (certificates, authorities) = question(&GENERATED);
    let theirs =
        by_asyncssh(&interpreter, &Question { certificates: &certificates, authorities: &authorities, principal: PRINCIPAL, now: NOW })?;
    assert_eq!(theirs.len(), COUNT);
    assert_agree(&differences(&theirs, &GENERATED));
    Ok(())
}

#[test]
fn ssh_keygen_reads_the_same() -> Result<()> {
    agree_with_ssh_keygen(Path::new("ssh-keygen"))
}

#[test]
fn a_newer_ssh_keygen_reads_the_same() -> Result<()> {
    let Some(programs) = peer("openssh10")? else { return Ok(()) };
    agree_with_ssh_keygen(&programs.join("ssh-keygen"))
}

#[test]
fn the_corpus_says_of_openssh_what_ssh_keygen_does() -> Result<()> {
    reads_what_the_corpus_says(Path::new("ssh-keygen"), &[])
}

#[test]
fn the_corpus_says_of_openssh_what_a_newer_ssh_keygen_does() -> Result<()> {
    let Some(programs) = peer("openssh10")? else { return Ok(()) };
    // OpenSSH 10 has no DSA any more.
    reads_what_the_corpus_says(&programs.join("ssh-keygen"), &["dsa_holder"])
}

fn reads_what_the_corpus_says(program: &Path, reads_no_more: &[&str]) -> Result<()> {
    let mut wrong = Vec::new();
    for entry in committed()? {
        let shown = run(Command::new(program).arg("-L").arg("-f").arg(path(&entry.name)), b"")?;
        let expected = entry.openssh_reads && !reads_no_more.contains(&entry.name.as_str());
        if (shown.code() == Some(0)) != expected {
            wrong.push(format!("{}: {}", entry.name, shown.stderr));
        }
    }
    assert!(wrong.is_empty(), "{} is told otherwise of {}:\n{}", program.display(), wrong.len(), wrong.join("\n"));
    Ok(())
}

fn agree_with_ssh_keygen(program: &Path) -> Result<()> {
    let (certificates, _) = question(&GENERATED);
    let theirs = by_ssh_keygen(program, &certificates, COUNT)?;
    let mut found = Vec::new();
    for ((theirs, ours), line) in theirs.iter().zip(&GENERATED.ours).zip(&GENERATED.lines) {
        let is_read = theirs.get("read") == Some(&json!(true));
        let Some(certificate) = &ours.certificate else {
            found.extend(is_read.then(|| format!("read by them only: {line}")));
            continue;
        };
        let names = |options: &OptionsMap| json!(options.keys().collect::<Vec<_>>());
        let own = json!({
            "kind": if certificate.cert_type().is_host() { 2 } else { 1 },
            "serial": certificate.serial().to_string(),
            "key_id": certificate.key_id(),
            "principals": certificate.valid_principals(),
            "critical": names(certificate.critical_options()),
            "extensions": names(certificate.extensions()),
        });
        let own = own.as_object().context("it is one")?;
        let other = own.iter().find(|(name, value)| theirs.get(name.as_str()) != Some(*value));
        found.extend(other.map(|(name, value)| format!("{name} is {:?}, and {value} for us: {line}", theirs.get(name))));
    }
    assert_agree(&found);
    Ok(())
}
