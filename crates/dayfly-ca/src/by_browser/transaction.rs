//! What is under way: remembered for minutes, in memory, by a bounded number.

use super::{
    Asker, Way,
    secret::{self, Hashed},
};
use dayfly_core::{
    address::allotment,
    identity::Subject,
    reason::{Reason, Refusal},
};
use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// How long one may take, in seconds.
pub(crate) const LIFETIME: u64 = 10 * 60;

/// How long a tool may take to ask for an answer that is there, in seconds: it asks every few.
const REDEEMED_WITHIN: u64 = 60;

/// How many there may be.
const MOST: usize = 16 * 1024;

/// How many one address may have. Its oldest makes room for its newest, so that nobody keeps others out.
const MOST_OF_ONE_ADDRESS: usize = 64;

/// How many one person may have, where it is known whose they are. Their oldest makes room for their newest.
pub(crate) const MOST_OF_ONE_PERSON: usize = 8;

/// How often a code may be wrong.
const MOST_WRONG_CODES: u32 = 5;

/// What a browser is to do.
pub(crate) trait Errand {
    /// What the tool gets in the end.
    type Answer;

    /// How people are told of it.
    const WORDS: Words;

    /// Whom it is for, where that is known from the beginning.
    fn person(&self) -> Option<&Subject> {
        None
    }
}

/// How people are told of an errand.
pub(crate) struct Words {
    /// What it is called.
    pub(crate) what: &'static str,
    /// The command that begins it.
    pub(crate) command: &'static str,
    /// The reason that there is none.
    pub(crate) unknown: Reason,
}

impl Words {
    /// Whatever is wrong with it: whoever guesses learns nothing.
    pub(crate) fn unknown(&self) -> Refusal {
        let message =
            format!("there is no such {}: its time is over, it was completed, or it belongs to another browser or key", self.what);
        Refusal::new(self.unknown, message, self.again())
    }

    fn unknown_code(&self) -> Refusal {
        let message = format!("no {} waits for this code: it was mistyped, used, or its time is over", self.what);
        Refusal::new(self.unknown, message, format!("type it as {} shows it, or begin again", self.command))
    }

    fn wrong_code(&self) -> Refusal {
        Refusal::new(self.unknown, "the code is not the one that the browser was given", self.again())
    }

    fn crowded(&self) -> Refusal {
        Refusal::new(
            Reason::LimitReached,
            format!("the CA waits for as many of them as it can: {}", self.what),
            "try again in some minutes",
        )
    }

    fn again(&self) -> String {
        format!("begin again: {}", self.command)
    }
}

/// How far it is.
pub(crate) enum Stage<A> {
    /// Nobody has proven anything.
    Waiting,
    /// Somebody has. The code is the browser's to bring, where it is on the tool's machine.
    Proven { answer: Box<A>, code: Option<Hashed>, at: u64 },
    /// It was refused.
    Refused(Refusal),
}

/// One that is under way.
pub(crate) struct Transaction<E: Errand> {
    pub(crate) asker: Asker,
    pub(crate) way: Way,
    pub(crate) errand: E,
    /// The one browser that it is for.
    pub(crate) browser: Option<Hashed>,
    pub(crate) stage: Stage<E::Answer>,
    wrong_codes: u32,
    ends_at: u64,
}

impl<E: Errand> Transaction<E> {
    /// One that has just begun.
    pub(crate) fn new(asker: Asker, way: Way, errand: E) -> Self {
        let ends_at = asker.began_at.saturating_add(LIFETIME);
        Self { asker, way, errand, browser: None, stage: Stage::Waiting, wrong_codes: 0, ends_at }
    }

    /// Whether `browser` is the one that it is for.
    pub(crate) fn is_of(&self, browser: &str) -> bool {
        self.browser.as_ref().is_some_and(|own| own.fits(browser))
    }

    /// Whether `browser` is the one that it is for, and nothing is decided yet.
    pub(crate) fn is_open_to(&self, browser: &str) -> bool {
        self.is_of(browser) && matches!(self.stage, Stage::Waiting)
    }
}

/// All that are under way.
pub(crate) struct Transactions<E: Errand>(Mutex<Table<E>>);

impl<E: Errand> Default for Transactions<E> {
    fn default() -> Self {
        Self(Mutex::new(Table { by_id: HashMap::new(), by_code: HashMap::new() }))
    }
}

struct Table<E: Errand> {
    by_id: HashMap<String, Transaction<E>>,
    /// Codes that nobody has typed yet.
    by_code: HashMap<Hashed, String>,
}

/// What a tool gets that asks for its answer.
pub(crate) enum Redeemed<A> {
    /// Not yet.
    Pending,
    /// Once, and never again. Proven at this time, in Unix seconds.
    Answer(Box<A>, Asker, u64),
}

impl<E: Errand> Transactions<E> {
    /// Remembers one. Gives its id, and the code to be typed where the browser is elsewhere.
    pub(crate) fn begin(&self, transaction: Transaction<E>) -> Result<(String, Option<String>), Refusal> {
        let mut table = self.table();
        let now = transaction.asker.began_at;
        table.forget(now);
        table.make_room(transaction.asker.address);
        transaction.errand.person().into_iter().for_each(|person| table.make_room_of(person, &transaction.asker.key_fingerprint));
        if table.by_id.len() >= MOST {
            return Err(E::WORDS.crowded());
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
    pub(crate) fn with<T>(&self, id: &str, now: u64, work: impl FnOnce(&mut Transaction<E>) -> Result<T, Refusal>) -> Result<T, Refusal> {
        let mut table = self.table();
        let transaction = table.by_id.get_mut(id).filter(|transaction| now < transaction.ends_at).ok_or_else(|| E::WORDS.unknown())?;
        work(transaction)
    }

    /// Gives the sign-in of a typed code to `browser`, and no other from then on.
    pub(crate) fn claim(&self, code: &str, browser: &str, now: u64) -> Result<String, Refusal> {
        let mut table = self.table();
        let hashed = Hashed::of(&secret::typed(code));
        let id = table.by_code.get(&hashed).cloned().ok_or_else(|| E::WORDS.unknown_code())?;
        let transaction =
            table.by_id.get_mut(&id).filter(|transaction| now < transaction.ends_at).ok_or_else(|| E::WORDS.unknown_code())?;
        transaction.browser = Some(Hashed::of(browser));
        table.by_code.remove(&hashed);
        Ok(id)
    }

    /// The answer, for whoever holds the key and, where the browser brought one, the code.
    pub(crate) fn redeem(&self, id: &str, key_fingerprint: &str, code: Option<&str>, now: u64) -> Result<Redeemed<E::Answer>, Refusal> {
        let mut table = self.table();
        let transaction = table.by_id.get_mut(id).filter(|transaction| now < transaction.ends_at).ok_or_else(|| E::WORDS.unknown())?;
        if transaction.asker.key_fingerprint != key_fingerprint {
            return Err(E::WORDS.unknown());
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
                return Err(E::WORDS.unknown());
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
            return Err(E::WORDS.wrong_code());
        }
        match table.by_id.remove(id) {
            Some(Transaction { stage: Stage::Proven { answer, at, .. }, asker, .. }) => Ok(Redeemed::Answer(answer, asker, at)),
            _ => Err(E::WORDS.unknown()),
        }
    }

    fn table(&self) -> MutexGuard<'_, Table<E>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<E: Errand> Table<E> {
    fn make_room(&mut self, address: IpAddr) {
        let owner = allotment(address);
        let own = || self.by_id.iter().filter(|(_, transaction)| allotment(transaction.asker.address) == owner);
        if own().count() >= MOST_OF_ONE_ADDRESS
            && let Some(oldest) = own().min_by_key(|(_, transaction)| transaction.ends_at).map(|(id, _)| id.clone())
        {
            self.by_id.remove(&oldest);
        }
    }

    /// Those of the key that asks make room first, and what was answered last: one of somebody's keys that is in other hands keeps them from nothing.
    fn make_room_of(&mut self, person: &Subject, key_fingerprint: &str) {
        let own = || self.by_id.iter().filter(|(_, transaction)| transaction.errand.person() == Some(person));
        let order = |transaction: &Transaction<E>| {
            let is_answered = matches!(transaction.stage, Stage::Proven { .. });
            (transaction.asker.key_fingerprint != key_fingerprint, is_answered, transaction.ends_at)
        };
        if own().count() >= MOST_OF_ONE_PERSON
            && let Some(first) = own().min_by_key(|(_, transaction)| order(transaction)).map(|(id, _)| id.clone())
        {
            self.by_id.remove(&first);
        }
    }

    fn forget(&mut self, now: u64) {
        self.by_id.retain(|_, transaction| now < transaction.ends_at);
        let by_id = &self.by_id;
        self.by_code.retain(|_, id| by_id.contains_key(id));
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    struct Nothing(Option<Subject>);

    impl Errand for Nothing {
        type Answer = ();
        const WORDS: Words = Words { what: "errand", command: "dayfly", unknown: Reason::SignInUnknown };

        fn person(&self) -> Option<&Subject> {
            self.0.as_ref()
        }
    }

    fn waiting(address: &str, began_at: u64) -> Transaction<Nothing> {
        let asker = Asker { key_fingerprint: "SHA256:k".to_owned(), address: address.parse().unwrap(), host: "x".to_owned(), began_at };
        Transaction::new(asker, Way::DeviceCode, Nothing(None))
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

    #[test]
    fn row_22_a_person_uses_up_their_own_ceremonies_only() {
        let all = Transactions::default();
        let begin = |name: &str, address: &str, at| {
            let transaction = waiting(address, at);
            all.begin(Transaction { errand: Nothing(Some(name.parse().unwrap())), ..transaction }).unwrap().0
        };
        let (bob, first) = (begin("bob", "192.0.2.1", 0), begin("alice", "192.0.2.1", 1));
        let others: Vec<String> = (2..10).map(|n: u64| begin("alice", &format!("192.0.2.{n}"), n)).collect();
        let is_there = |id: &str| all.with(id, 100, |_| Ok(())).is_ok();
        assert!(is_there(&bob) && !is_there(&first) && others.iter().all(|id| is_there(id)));
        assert_eq!(others.len(), MOST_OF_ONE_PERSON);
    }

    #[test]
    fn row_22_a_key_in_other_hands_uses_up_its_own_ceremonies_only() {
        let all = Transactions::default();
        let begin = |key: &str, at| {
            let waiting = waiting("192.0.2.1", at);
            let asker = Asker { key_fingerprint: key.to_owned(), ..waiting.asker };
            all.begin(Transaction { errand: Nothing(Some("alice".parse().unwrap())), asker, ..waiting }).unwrap().0
        };
        let own = begin("SHA256:own", 0);
        (1..40).for_each(|at| drop(begin("SHA256:stolen", at)));
        assert!(all.with(&own, 100, |_| Ok(())).is_ok(), "the owner's goes on");
    }
}
