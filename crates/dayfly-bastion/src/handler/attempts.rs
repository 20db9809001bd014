//! What a client tried before it was logged in, so that logins which the SSH library turns down by itself are reported too.
//!
//! An expired certificate, or one with a broken signature, is answered by the library without any callback. But it is answered: where more answers went out
//! than requests came to a callback, the library said no by itself.

use crate::{connection::Connection, transport::Answers};
use dayfly_core::{
    audit::{AuditEvent, Event},
    reason::{Reason, Refusal},
    signature::fingerprint,
};
use ssh_key::public::KeyData;
use std::collections::BTreeMap;

/// How many keys of one connection are remembered.
const MOST_KEYS: usize = 16;

/// The attempts of one connection.
#[derive(Debug)]
pub(super) struct Attempts {
    answers: Answers,
    /// How many answers had gone out before the first request. None until requests may come.
    before: Option<u32>,
    /// How many requests were answered or are being answered, as far as callbacks told.
    known: u32,
    /// How many were answered without a callback.
    silent: u32,
    keys: BTreeMap<String, Progress>,
    others: u32,
}

/// How far a key got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Progress {
    /// It was named.
    Offered,
    /// It proved itself, bare: there was no certificate around it.
    Bare,
    /// Its certificate was judged here, and that was reported.
    Judged,
}

impl Attempts {
    pub(super) fn new(answers: Answers) -> Self {
        Self { answers, before: None, known: 0, silent: 0, keys: BTreeMap::new(), others: 0 }
    }

    /// Logins begin: one answer more goes out before the first request comes.
    pub(super) fn begin(&mut self) {
        self.before.get_or_insert(self.answers.count().saturating_add(1));
    }

    /// A question for the methods there are.
    pub(super) fn probe(&mut self) {
        self.request();
    }

    /// Another method.
    pub(super) fn other(&mut self) {
        self.request();
        self.others = self.others.saturating_add(1);
    }

    /// A key was named.
    pub(super) fn offered(&mut self, key: &KeyData) {
        self.request();
        self.keep(key, Progress::Offered);
    }

    /// A key proved itself without a certificate.
    pub(super) fn bare(&mut self, key: &KeyData) {
        self.request();
        self.keep(key, Progress::Bare);
    }

    /// A certificate came to its verdict.
    pub(super) fn judged(&mut self, key: &KeyData) {
        self.request();
        self.keep(key, Progress::Judged);
    }

    /// Notices what was answered since the last callback without one. One request may call back twice.
    fn request(&mut self) {
        let answered = self.answered();
        self.silent = self.silent.saturating_add(answered.saturating_sub(self.known));
        self.known = answered.saturating_add(1);
    }

    fn answered(&self) -> u32 {
        self.before.map_or(0, |before| self.answers.count().saturating_sub(before))
    }

    fn keep(&mut self, key: &KeyData, progress: Progress) {
        let fingerprint = fingerprint(key);
        if self.keys.len() >= MOST_KEYS && !self.keys.contains_key(&fingerprint) {
            return;
        }
        let kept = self.keys.entry(fingerprint).or_insert(progress);
        if *kept != Progress::Judged {
            *kept = progress;
        }
    }

    /// The event for a connection that ended without a login; none if there is nothing to say that was not said.
    pub(super) fn report(&self, connection: &Connection) -> Option<AuditEvent> {
        let (refusal, keys) = self.refusal()?;
        let event = connection.refused(Event::LoginRefused, &refusal);
        Some(if keys.is_empty() { event } else { event.fact("key", keys.join(" ")) })
    }

    /// Why nothing came of it, and the keys that it concerns.
    fn refusal(&self) -> Option<(Refusal, Vec<String>)> {
        let silent = self.silent.saturating_add(self.answered().saturating_sub(self.known));
        let has_offered = self.keys.values().any(|progress| *progress == Progress::Offered);
        let unjudged: Vec<String> =
            self.keys.iter().filter(|(_, progress)| **progress != Progress::Judged).map(|(key, _)| key.clone()).collect();
        let refusal = if silent > 0 || has_offered {
            Refusal::new(
                Reason::RefusedByTransport,
                "the login was refused before its certificate could be judged: it has expired, is not valid yet, or a signature does not fit",
                "",
            )
        } else if !unjudged.is_empty() || self.others > 0 {
            Refusal::new(Reason::CertificateRequired, "the login was tried without a certificate", "")
        } else {
            return None;
        };
        Some((refusal, unjudged))
    }
}

#[cfg(test)]
mod tests;
