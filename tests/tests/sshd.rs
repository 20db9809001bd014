//! A real `sshd` as the judge of the corpus of bad certificates, 9.2 and 10 where it can be had: what it refuses is refused here, and where we are
//! stricter the corpus says why.

#![allow(clippy::unwrap_used)]

use anyhow::{Context, Result};
use base64::{Engine, engine::general_purpose::STANDARD};
use dayfly_core::certificate::{krl::Krl, parse};
use dayfly_corpus::{Entry, PRINCIPAL, REVOKED_SERIAL, Sshd, committed, keys};
use dayfly_tests::{
    command::run,
    peers::peer,
    sshd::{Judge, Program},
};
use ssh_key::LineEnding;
use std::{collections::BTreeMap, fs, path::Path, process::Command};

#[test]
fn the_systems_sshd_judges_the_corpus_as_it_says() -> Result<()> {
    judges_as_the_corpus_says(&Program::system())
}

#[test]
fn a_newer_sshd_judges_the_corpus_as_it_says() -> Result<()> {
    let Some(program) = Program::newer()? else { return Ok(()) };
    judges_as_the_corpus_says(&program)
}

/// What is accepted here and what is refused say other tests, of the verifier and of the bastion; `reason` is what they hold it to.
#[test]
fn what_sshd_refuses_is_refused_here_and_where_we_are_stricter_the_corpus_says_why() -> Result<()> {
    for entry in committed()?.iter().filter(|entry| !entry.line_only) {
        match (&entry.reason, entry.sshd) {
            (None, sshd) => assert_eq!((sshd, &entry.stricter), (Sshd::Admits, &None), "{}", entry.name),
            (Some(_), Sshd::Refuses) => assert_eq!(entry.stricter, None, "{}", entry.name),
            (Some(_), Sshd::Takes | Sshd::Admits) => assert!(entry.stricter.is_some(), "{}", entry.name),
        }
    }
    Ok(())
}

fn judges_as_the_corpus_says(program: &Program) -> Result<()> {
    let Some(peers) = peer("go")? else { return Ok(()) };
    let corpus: Vec<Entry> = committed()?.into_iter().filter(|entry| !entry.line_only).collect();
    let directory = tempfile::tempdir()?;
    let judge = Judge::start(program, &configure(directory.path(), program, &corpus)?)?;
    let lines: String = corpus.iter().map(|entry| format!("{} {}\n", entry.name, bytes_of(entry))).collect();
    let mut logins = Command::new(peers.join("logins"));
    let account = run(Command::new("id").arg("-un"), b"")?.success()?;
    logins.arg(judge.address().to_string()).arg(account.trim()).arg(directory.path().join("keys"));
    let told = run(&mut logins, lines.as_bytes())?.success()?;
    let told: BTreeMap<&str, &str> = told.lines().filter_map(|line| line.split_once(' ')).collect();
    let wrong: Vec<String> = corpus
        .iter()
        .filter_map(|entry| {
            let told = told.get(entry.name.as_str()).copied().unwrap_or("nothing");
            (told != word(entry.sshd)).then(|| format!("{} {told}, and the corpus says that it {}", entry.name, word(entry.sshd)))
        })
        .collect();
    assert!(wrong.is_empty(), "{} of {}:\n{}\n{}", wrong.len(), corpus.len(), wrong.join("\n"), judge.trace());
    Ok(())
}

/// As the program that logs in says it.
fn word(sshd: Sshd) -> &'static str {
    match sshd {
        Sshd::Refuses => "refuses",
        Sshd::Takes => "takes",
        Sshd::Admits => "admits",
    }
}

/// Whom the corpus trusts, whose key is in whose hands, and what is revoked.
fn configure(place: &Path, program: &Program, corpus: &[Entry]) -> Result<std::path::PathBuf> {
    fs::create_dir(place.join("keys"))?;
    keys::ed25519(50).write_openssh_file(place.join("host_key"), LineEnding::LF)?;
    for (name, key) in keys::holders()? {
        key.write_openssh_file(place.join("keys").join(name), LineEnding::LF)?;
    }
    let authorities: Vec<String> = keys::Authority::TRUSTED.iter().map(|authority| authority.line()).collect::<Result<_>>()?;
    fs::write(place.join("authorities"), authorities.join("\n") + "\n")?;
    fs::write(place.join("principals"), format!("{PRINCIPAL}\n"))?;
    let revoked = corpus.iter().find(|entry| entry.name == "revoked_holder").context("the corpus has one")?;
    let mut krl = Krl::new(1, 1_735_732_800, "");
    krl.revoke_serials(None, [REVOKED_SERIAL])?;
    krl.revoke_key_id(None, parse(&revoked.line)?.key_id())?;
    fs::write(place.join("revoked"), krl.encode()?)?;
    let at = place.display();
    let config = format!(
        "HostKey {at}/host_key\nPidFile none\nUsePAM no\nStrictModes no\nLogLevel VERBOSE\nPermitRootLogin yes\nAuthorizedKeysFile none\n\
         AuthenticationMethods publickey\nTrustedUserCAKeys {at}/authorities\nAuthorizedPrincipalsFile {at}/principals\nRevokedKeys {at}/revoked\n{}",
        program.settings()
    );
    fs::write(place.join("sshd_config"), config)?;
    Ok(place.join("sshd_config"))
}

/// Its bytes in base64, as they travel.
fn bytes_of(entry: &Entry) -> &str {
    let encoded = entry.line.split_ascii_whitespace().nth(1).unwrap_or_default();
    if STANDARD.decode(encoded).is_ok() { encoded } else { "" }
}
