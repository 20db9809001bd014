//! What hosts say that they hold: the revocation list, and the keys that they take logins from.
//!
//! Facts of its event: `host`, `krl`, `krl_digest`, `trusted` and `current`. A report that tells nothing new is noted without one: every host reports every
//! few minutes.

use crate::{
    authority::Authority,
    failure::Failure,
    identity::HostCall,
    store::{Change, host::HostReportNote},
    trust::revocation_list,
};
use dayfly_api::host::{HostReceipt, HostReport};
use dayfly_core::{
    audit::{Event, Outcome},
    reason::{Reason, Refusal},
};
use std::collections::BTreeSet;

/// The most keys that a host or a bastion names: more than ever sign at a time.
const MOST_KEYS: usize = 1024;

/// The length of a SHA-256 in hexadecimal.
const DIGEST_LENGTH: usize = 64;

/// Notes a report.
pub async fn note(authority: &Authority, call: &HostCall, report: HostReport) -> Result<HostReceipt, Failure> {
    check(&report)?;
    let served = revocation_list(authority).await?;
    let krl = report.krl.map(|krl| (krl.number, krl.digest));
    let is_current = krl.as_ref().is_some_and(|(_, digest)| *digest == served.digest);
    let trusted: Vec<&str> = report.trusted.iter().map(String::as_str).collect();
    let (number, digest) =
        krl.as_ref().map_or_else(|| ("none".to_owned(), "none"), |(number, digest)| (number.to_string(), digest.as_str()));
    let event = authority.event(Event::HostReported, Outcome::Done).fact("host", &call.host.name);
    let event = event.fact("krl", number).fact("krl_digest", digest).fact("current", is_current).fact("trusted", trusted.join(","));
    let at = authority.clock.unix_seconds();
    let note = HostReportNote { host: call.host.name.clone(), at, krl, is_current, trusted: report.trusted };
    authority.store.commit(Change::NoteHostReport(note), event).await?;
    Ok(HostReceipt { krl_number: served.number, krl_is_current: is_current })
}

/// What is stored and logged is what it says it is, and no more of it than there can be.
fn check(report: &HostReport) -> Result<(), Refusal> {
    let bad = |message: &str| Refusal::new(Reason::BadRequest, message, "report what dayfly host renew reports");
    let is_hexadecimal = |text: &str| text.len() == DIGEST_LENGTH && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    if report.krl.as_ref().is_some_and(|krl| !is_hexadecimal(&krl.digest) || i64::try_from(krl.number).is_err()) {
        return Err(bad("the digest of the revocation list is not SHA-256 in hexadecimal, or its number is none"));
    }
    check_fingerprints(&report.trusted)
}

/// Whether these are SHA-256 fingerprints, and not more than anybody trusts.
pub fn check_fingerprints(trusted: &BTreeSet<String>) -> Result<(), Refusal> {
    let is_fingerprint = |text: &String| {
        let digits = text.strip_prefix("SHA256:").unwrap_or_default();
        digits.len() == 43 && digits.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/'))
    };
    if trusted.len() > MOST_KEYS || !trusted.iter().all(is_fingerprint) {
        return Err(Refusal::new(
            Reason::BadRequest,
            "the trusted keys are not fingerprints, or too many",
            "report what Dayfly's programs report",
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
