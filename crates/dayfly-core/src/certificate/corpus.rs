//! The corpus of bad certificates (`tests/corpus`), each refused for the reason that its file is named after.

#![allow(clippy::unwrap_used, clippy::panic)]

use super::{Revocations, VerifiedCertificate, Verifier, parse};
use crate::{
    admission::admit,
    name::AccountName,
    policy::sample,
    reason::{Reason, Refusal},
};
use dayfly_corpus::{Entry, NOW, PEER, REVOKED_SERIAL, REVOKED_SUBJECT, committed, keys::Authority};
use ssh_key::{PublicKey, public::KeyData};
use std::{collections::BTreeSet, sync::LazyLock};

static CORPUS: LazyLock<Vec<Entry>> = LazyLock::new(|| committed().unwrap());

static AUTHORITIES: LazyLock<Vec<KeyData>> = LazyLock::new(|| {
    let key = |authority: &Authority| PublicKey::from_openssh(&authority.line().unwrap()).unwrap().key_data().clone();
    Authority::TRUSTED.iter().map(key).collect()
});

fn judged(entry: &Entry) -> Result<VerifiedCertificate, Refusal> {
    let revocations = Revocations {
        serials: BTreeSet::from([REVOKED_SERIAL]),
        subjects: BTreeSet::from([REVOKED_SUBJECT.parse().unwrap()]),
        ..Revocations::default()
    };
    let verifier = Verifier { authorities: &AUTHORITIES, revocations: &revocations };
    let verified = verifier.user(&parse(&entry.line)?, NOW, PEER.parse().unwrap())?;
    // Whether anybody can see the PIN that a certificate demands is the target's question.
    if verified.verify_required() {
        admit(&verified, sample::inventory().get("db1").unwrap(), Some(&AccountName::new("deploy").unwrap()))?;
    }
    Ok(verified)
}

#[test]
fn every_certificate_of_the_corpus_is_refused_for_its_reason_or_accepted() {
    let mut wrong = Vec::new();
    for entry in CORPUS.iter() {
        let expected = entry.reason.as_ref().map(|code| code.parse::<Reason>().unwrap());
        let found = judged(entry).err();
        if found.as_ref().map(|refusal| refusal.reason) != expected {
            wrong.push(format!("{}: {expected:?} expected, {found:?} found", entry.name));
        }
    }
    assert!(wrong.is_empty(), "{} certificates:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn the_corpus_holds_every_reason_that_a_certificate_alone_can_be_refused_for() {
    let seen: BTreeSet<&str> = CORPUS.iter().filter_map(|entry| entry.reason.as_deref()).collect();
    let reasons = [
        Reason::ForeignCa,
        Reason::WrongType,
        Reason::Expired,
        Reason::NotYetValid,
        Reason::NoPrincipals,
        Reason::BadPrincipal,
        Reason::UnknownCriticalOption,
        Reason::SourceAddress,
        Reason::VerifyRequired,
        Reason::WeakAlgorithm,
        Reason::Malformed,
        Reason::Revoked,
    ];
    assert_eq!(seen, reasons.iter().map(|reason| reason.code()).collect());
}

/// Whatever is refused says so in text that a terminal can show: the defects are in what is quoted.
#[test]
fn row_25_a_refusal_quotes_a_certificate_and_obeys_nothing_in_it() {
    for refusal in CORPUS.iter().filter_map(|entry| judged(entry).err()) {
        let is_text = refusal.message.chars().all(|c| !c.is_control() && !matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'));
        assert!(is_text && refusal.message.len() < 500, "{:?}", refusal.message);
    }
}

/// A certificate that is accepted is accepted for what its bytes say: what is read and written again is the same.
#[test]
fn what_is_accepted_is_written_as_it_was_read() {
    for entry in CORPUS.iter().filter(|entry| entry.reason.is_none()) {
        assert_eq!(parse(&entry.line).unwrap().to_openssh().unwrap(), entry.line.trim_end(), "{}", entry.name);
    }
}

/// Each byte of a good certificate matters: whichever bit is turned, nothing is accepted.
#[test]
fn row_03_no_bit_of_a_certificate_can_be_turned() {
    let good = CORPUS.iter().find(|entry| entry.name == "good").unwrap();
    let bytes = parse(&good.line).unwrap().to_bytes().unwrap();
    for at in 0..bytes.len() * 8 {
        let mut turned = bytes.clone();
        if let Some(byte) = turned.get_mut(at / 8) {
            *byte ^= 1 << (at % 8);
        }
        let Ok(certificate) = ssh_key::Certificate::from_bytes(&turned) else { continue };
        let verifier = Verifier { authorities: &AUTHORITIES, revocations: &Revocations::default() };
        assert!(verifier.user(&certificate, NOW, PEER.parse().unwrap()).is_err(), "bit {at}");
    }
}
