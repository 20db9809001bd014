//! Sign-ins that are under way: remembered for minutes, in memory, by a bounded number.

use super::secret::{self, Hashed};
use crate::identity::provider::{ProvenPerson, Round};
use dayfly_core::{
    address::allotment,
    reason::{Reason, Refusal},
};
use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// How long one may take, in seconds.
pub(super) const LIFETIME: u64 = 10 * 60;

/// How long a tool may take to ask for an answer that is there, in seconds: it asks every few.
const REDEEMED_WITHIN: u64 = 60;

/// How many there may be.
const MOST: usize = 16 * 1024;

/// How many one address may have. Its oldest makes room for its newest, so that nobody keeps others from signing in.
const MOST_OF_ONE_ADDRESS: usize = 64;

/// How often a code may be wrong.
const MOST_WRONG_CODES: u32 = 5;

/// Who waits for a sign-in, as far as the CA knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asker {
    /// `SHA256:…` of the key that is to be signed in.
    pub key_fingerprint: String,
    /// Where the tool called from.
    pub address: IpAddr,
    /// What its machine calls itself.
    pub host: String,
    /// When it began, in Unix seconds.
    pub began_at: u64,
}

/// How the answer comes to the tool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Way {
    /// By the browser, to this port of its own machine, with what the tool knows its answer by.
    Loopback { port: u16, state: String },
    /// The tool asks for it.
    DeviceCode,
}

/// How far it is.
pub(super) enum Stage {
    /// Nobody has proven anything.
    Waiting,
    /// Somebody has. The code is the browser's to bring, where it is on the tool's machine.
    Proven { person: Box<ProvenPerson>, provider: usize, code: Option<Hashed>, at: u64 },
    /// It was refused.
    Refused(Refusal),
}

/// A browser's way to a provider and back.
pub(super) struct Leg {
    pub(super) provider: usize,
    /// What comes back with it.
    pub(super) state: Hashed,
    pub(super) round: Round,
}

/// A sign-in that is under way.
pub(super) struct Transaction {
    pub(super) asker: Asker,
    pub(super) way: Way,
    /// The only provider that will do.
    pub(super) provider: Option<usize>,
    /// The one browser that it is for.
    pub(super) browser: Option<Hashed>,
    pub(super) leg: Option<Leg>,
    pub(super) stage: Stage,
    wrong_codes: u32,
    ends_at: u64,
}

impl Transaction {
    /// One that has just begun.
    pub(super) fn new(asker: Asker, way: Way, provider: Option<usize>) -> Self {
        let ends_at = asker.began_at.saturating_add(LIFETIME);
        Self { asker, way, provider, browser: None, leg: None, stage: Stage::Waiting, wrong_codes: 0, ends_at }
    }

    /// Whether `browser` is the one that it is for.
    pub(super) fn is_of(&self, browser: &str) -> bool {
        self.browser.as_ref().is_some_and(|own| own.fits(browser))
    }
}

/// All that are under way.
#[derive(Default)]
pub(super) struct Transactions(Mutex<Table>);

#[derive(Default)]
struct Table {
    by_id: HashMap<String, Transaction>,
    /// Codes that nobody has typed yet.
    by_code: HashMap<Hashed, String>,
}

/// What a tool gets that asks for its answer.
pub(super) enum Redeemed {
    /// Not yet.
    Pending,
    /// Once, and never again. Proven at this time, in Unix seconds.
    Person(Box<ProvenPerson>, usize, Asker, u64),
}

impl Transactions {
    /// Remembers one. Gives its id, and the code to be typed where the browser is elsewhere.
    pub(super) fn begin(&self, transaction: Transaction) -> Result<(String, Option<String>), Refusal> {
        let mut table = self.table();
        let now = transaction.asker.began_at;
        table.forget(now);
        table.make_room(transaction.asker.address);
        if table.by_id.len() >= MOST {
            return Err(Refusal::new(Reason::LimitReached, "the CA waits for as many sign-ins as it can", "try again in some minutes"));
        }
        let id = secret::id();
        let code = match transaction.way {
            Way::DeviceCode => {
                let code = secret::user_code();
                table.by_code.insert(Hashed::of(&secret::typed(&code)), id.clone());
                Some(code)
            }
            Way::Loopback { .. } => None,
        };
        table.by_id.insert(id.clone(), transaction);
        Ok((id, code))
    }

    /// Does something with one that is under way.
    pub(super) fn with<T>(&self, id: &str, now: u64, work: impl FnOnce(&mut Transaction) -> Result<T, Refusal>) -> Result<T, Refusal> {
        let mut table = self.table();
        let transaction = table.by_id.get_mut(id).filter(|transaction| now < transaction.ends_at).ok_or_else(unknown)?;
        work(transaction)
    }

    /// Gives the sign-in of a typed code to `browser`, and no other from then on.
    pub(super) fn claim(&self, code: &str, browser: &str, now: u64) -> Result<String, Refusal> {
        let mut table = self.table();
        let hashed = Hashed::of(&secret::typed(code));
        let id = table.by_code.get(&hashed).cloned().ok_or_else(unknown_code)?;
        let transaction = table.by_id.get_mut(&id).filter(|transaction| now < transaction.ends_at).ok_or_else(unknown_code)?;
        transaction.browser = Some(Hashed::of(browser));
        table.by_code.remove(&hashed);
        Ok(id)
    }

    /// The answer, for whoever holds the key and, where the browser brought one, the code.
    pub(super) fn redeem(&self, id: &str, key_fingerprint: &str, code: Option<&str>, now: u64) -> Result<Redeemed, Refusal> {
        let mut table = self.table();
        let transaction = table.by_id.get_mut(id).filter(|transaction| now < transaction.ends_at).ok_or_else(unknown)?;
        if transaction.asker.key_fingerprint != key_fingerprint {
            return Err(unknown());
        }
        let wanted = match &transaction.stage {
            Stage::Waiting => return Ok(Redeemed::Pending),
            Stage::Refused(refusal) => {
                let refusal = refusal.clone();
                table.by_id.remove(id);
                return Err(refusal);
            }
            // What a provider has said is true for a moment: groups above all.
            Stage::Proven { at, .. } if now > at.saturating_add(REDEEMED_WITHIN) => {
                table.by_id.remove(id);
                return Err(unknown());
            }
            Stage::Proven { code, .. } => code,
        };
        // The browser is still on its way to the tool: nothing was guessed.
        if wanted.is_some() && code.is_none() {
            return Ok(Redeemed::Pending);
        }
        if wanted.as_ref().is_some_and(|wanted| !code.is_some_and(|code| wanted.fits(code))) {
            transaction.wrong_codes += 1;
            if transaction.wrong_codes >= MOST_WRONG_CODES {
                table.by_id.remove(id);
            }
            return Err(wrong_code());
        }
        match table.by_id.remove(id) {
            Some(Transaction { stage: Stage::Proven { person, provider, at, .. }, asker, .. }) => {
                Ok(Redeemed::Person(person, provider, asker, at))
            }
            _ => Err(unknown()),
        }
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    fn make_room(&mut self, address: IpAddr) {
        let owner = allotment(address);
        let own = || self.by_id.iter().filter(|(_, transaction)| allotment(transaction.asker.address) == owner);
        if own().count() >= MOST_OF_ONE_ADDRESS
            && let Some(oldest) = own().min_by_key(|(_, transaction)| transaction.ends_at).map(|(id, _)| id.clone())
        {
            self.by_id.remove(&oldest);
        }
    }

    fn forget(&mut self, now: u64) {
        self.by_id.retain(|_, transaction| now < transaction.ends_at);
        let by_id = &self.by_id;
        self.by_code.retain(|_, id| by_id.contains_key(id));
    }
}

/// Whatever is wrong with it: whoever guesses learns nothing.
pub(super) fn unknown() -> Refusal {
    Refusal::new(
        Reason::SignInUnknown,
        "there is no such sign-in: its time is over, it was completed, or it belongs to another browser or key",
        "begin again: dayfly login",
    )
}

fn unknown_code() -> Refusal {
    Refusal::new(
        Reason::SignInUnknown,
        "no sign-in waits for this code: it was mistyped, used, or its time is over",
        "type it as dayfly login shows it, or begin again",
    )
}

fn wrong_code() -> Refusal {
    Refusal::new(Reason::SignInUnknown, "the code is not the one that the browser was given", "begin again: dayfly login")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn waiting(address: &str, began_at: u64) -> Transaction {
        let asker = Asker { key_fingerprint: "SHA256:k".to_owned(), address: address.parse().unwrap(), host: "x".to_owned(), began_at };
        Transaction::new(asker, Way::DeviceCode, None)
    }

    #[test]
    fn row_22_one_address_uses_up_its_own_sign_ins_only() {
        let all = Transactions::default();
        let (alice, _) = all.begin(waiting("192.0.2.1", 0)).unwrap();
        let (first, code) = all.begin(waiting("198.51.100.7", 1)).unwrap();
        for second in 2..=MOST_OF_ONE_ADDRESS as u64 + 1 {
            all.begin(waiting("198.51.100.7", second)).unwrap();
        }
        let is_there = |id: &str| all.with(id, 100, |_| Ok(())).is_ok();
        assert!(is_there(&alice) && !is_there(&first));
        assert!(all.claim(&code.unwrap(), "browser", 100).is_err(), "and its code is gone with it");
        assert_eq!(all.table().by_id.len(), MOST_OF_ONE_ADDRESS + 1);
        all.begin(waiting("192.0.2.1", LIFETIME + 100)).unwrap();
        let table = all.table();
        assert_eq!((table.by_id.len(), table.by_code.len()), (1, 1), "what is over is forgotten");
    }
}
