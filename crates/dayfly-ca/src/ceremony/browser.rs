//! What the pages do: show who asks and for what, and take what the authenticator answers.

use super::{
    Ceremonies, about_asker,
    errand::{Answer, Ceremony, Purpose},
    verifier::{Question, Round, counter_went_back},
};
use crate::{
    authority::Authority,
    by_browser::{
        Arrived, Asker, Way, at_the_tool,
        refusals::Refusals,
        secret::{self, Hashed},
        transaction::{Errand, Stage, Transaction},
    },
    failure::Failure,
    store::{
        Change, StoreError, Unique,
        factor::{Credential, CredentialUsed, FactorUsed},
    },
};
use dayfly_core::{
    audit::{AuditEvent, Event, Outcome},
    identity::{FactorMethod, Subject},
    name::FactorName,
    reason::{Reason, Refusal},
};
use std::net::IpAddr;

/// Who asks, for what, and what the authenticator is asked.
#[derive(Debug, Clone)]
pub struct Page {
    /// Which ceremony.
    pub id: String,
    /// Who waits for it.
    pub asker: Asker,
    /// Whose second factor it is.
    pub subject: Subject,
    /// How long ago it began, in seconds.
    pub age: u64,
    /// What another one will be called, if that is what it is for.
    pub adds: Option<FactorName>,
    /// What the authenticator is asked, as JSON for the page's script.
    pub options: String,
}

/// What was found of a ceremony that is under way.
struct Found {
    asker: Asker,
    subject: Subject,
    purpose: Purpose,
}

impl Ceremonies {
    /// What the forms of a browser hold.
    pub fn form(&self, browser: &str) -> String {
        self.forms.token(browser)
    }

    /// Refuses a form that was made for another browser, or by somebody else.
    pub fn check_form(&self, browser: &str, form: &str) -> Result<(), Refusal> {
        if self.forms.fits(browser, form) { Ok(()) } else { Err(unknown()) }
    }

    /// The page of a ceremony whose tool is on the browser's machine. The browser that looks last is the one that it is for, and where something is added the
    /// first.
    pub async fn open(&self, authority: &Authority, id: &str, browser: &str) -> Result<Page, Failure> {
        let now = authority.clock.unix_seconds();
        let found = self.transactions.with(id, now, |transaction| {
            if !matches!((&transaction.way, &transaction.stage), (Way::Loopback { .. }, Stage::Waiting)) {
                return Err(unknown());
            }
            // One that adds stays with the browser that looked first: whoever reads its address elsewhere adds nothing of their own.
            let is_anothers = transaction.browser.as_ref().is_some_and(|first| !first.fits(browser));
            if is_anothers && matches!(transaction.errand.purpose, Purpose::Add(_)) {
                return Err(unknown());
            }
            (transaction.browser, transaction.errand.round) = (Some(Hashed::of(browser)), None);
            Ok(found(transaction))
        })?;
        self.page(authority, id, browser, found).await
    }

    /// The page of the ceremony whose code the person typed.
    pub async fn claim(&self, authority: &Authority, code: &str, browser: &str, address: IpAddr) -> Result<Page, Failure> {
        let now = authority.clock.unix_seconds();
        let claimed = if self.typed.take(address, now) {
            self.transactions.claim(code, browser, now)
        } else {
            Err(Refusal::new(Reason::LimitReached, "too many codes were tried from this address", "wait a moment, and type the code again"))
        };
        match claimed {
            Ok(id) => {
                let found = self.transactions.with(&id, now, |transaction| Ok(found(transaction)))?;
                self.page(authority, &id, browser, found).await
            }
            Err(refusal) => {
                self.proven.log(authority, address, &refusal, |event| event).await;
                Err(refusal.into())
            }
        }
    }

    /// Every page asks something new, and what an earlier one asked is answered no more.
    async fn page(&self, authority: &Authority, id: &str, browser: &str, found: Found) -> Result<Page, Failure> {
        let Found { asker, subject, purpose } = found;
        let known = authority.store.credentials(&subject).await?;
        let (question, adds) = match purpose {
            Purpose::Add(name) => (self.verifier()?.ask_to_register(&subject, &known)?, Some(name)),
            Purpose::Prove => (self.verifier()?.ask_to_prove(&known)?, None),
        };
        let Question { options, round } = question;
        let now = authority.clock.unix_seconds();
        self.transactions.with(id, now, |transaction| {
            if !transaction.is_open_to(browser) {
                return Err(unknown());
            }
            transaction.errand.round = Some(round);
            Ok(())
        })?;
        Ok(Page { id: id.to_owned(), age: now.saturating_sub(asker.began_at), asker, subject, adds, options })
    }

    /// The person says no. The tool is told.
    pub async fn decline(&self, authority: &Authority, id: &str, browser: &str, address: IpAddr) -> Result<(), Refusal> {
        let refusal =
            Refusal::new(Reason::CeremonyDeclined, "the person who was asked said no", "begin again if that was not meant: dayfly factor");
        let found = self.transactions.with(id, authority.clock.unix_seconds(), |transaction| {
            if !transaction.is_open_to(browser) {
                return Err(unknown());
            }
            (transaction.stage, transaction.errand.round) = (Stage::Refused(refusal.clone()), None);
            Ok(found(transaction))
        })?;
        let about = |event| about_asker(event, &found.subject, &found.asker);
        self.refusals(&found.purpose).log(authority, address, &refusal, about).await;
        Ok(())
    }

    /// Takes what the authenticator answered. Whatever is wrong with it ends the ceremony, but for an answer that is no answer to it at all.
    pub async fn answer(&self, authority: &Authority, id: &str, answer: &str, browser: &str, address: IpAddr) -> Result<Arrived, Failure> {
        let now = authority.clock.unix_seconds();
        let taken = self.transactions.with(id, now, |transaction| {
            if !transaction.is_open_to(browser) {
                return Err(unknown());
            }
            Ok((transaction.errand.round.take().ok_or_else(unknown)?, found(transaction)))
        });
        let (round, found) = match taken {
            Ok(taken) => taken,
            Err(refusal) => {
                self.proven.log(authority, address, &refusal, |event| event).await;
                return Err(refusal.into());
            }
        };
        match self.judge(authority, id, &round, answer, &found, address).await {
            Err(Failure::Refused(refusal)) => {
                let about = |event| about_asker(event, &found.subject, &found.asker);
                self.refusals(&found.purpose).log(authority, address, &refusal, about).await;
                self.transactions.with(id, now, |transaction| {
                    // What the person, or a later answer, has decided meanwhile stays.
                    if matches!(transaction.stage, Stage::Waiting) {
                        transaction.stage = Stage::Refused(refusal.clone());
                    }
                    Ok(())
                })?;
                Err(refusal.into())
            }
            outcome => outcome,
        }
    }

    /// Judges the answer, and keeps it for the tool. That there was one is in the log before the browser hears of it.
    async fn judge(
        &self,
        authority: &Authority,
        id: &str,
        round: &Round,
        answer: &str,
        found: &Found,
        address: IpAddr,
    ) -> Result<Arrived, Failure> {
        let now = authority.clock.unix_seconds();
        let (proven, change, event) = self.judged(authority, round, answer, found).await?;
        let one_time = secret::token();
        let (arrived, code, way) = self.transactions.with(id, now, |transaction| {
            Ok(match &transaction.way {
                Way::Loopback { port, state } => {
                    let url = at_the_tool("factor", *port, state, &one_time);
                    (Arrived::AtTheTool(url), Some(Hashed::of(&one_time)), transaction.way.as_str())
                }
                Way::DeviceCode => {
                    let (subject, host) = (found.subject.to_string(), found.asker.host.clone());
                    (Arrived::Elsewhere { subject, host }, None, transaction.way.as_str())
                }
            })
        })?;
        let event = about_asker(event, &found.subject, &found.asker).fact("address", address.to_canonical()).fact("way", way);
        match authority.store.commit(change, event).await {
            Err(StoreError::Conflict(Unique::Counter)) => return Err(counter_went_back().into()),
            committed => committed?,
        };
        self.transactions.with(id, now, |transaction| {
            // While it was judged the person may have said no.
            if !matches!(transaction.stage, Stage::Waiting) {
                return Err(unknown());
            }
            transaction.stage = Stage::Proven { answer: Box::new(proven), code, at: now };
            Ok(())
        })?;
        Ok(arrived)
    }

    async fn judged(
        &self,
        authority: &Authority,
        round: &Round,
        answer: &str,
        found: &Found,
    ) -> Result<(Answer, Change, AuditEvent), Failure> {
        let (verifier, subject) = (self.verifier()?, found.subject.clone());
        let now = authority.clock.unix_seconds();
        let event = authority.event(Event::FactorAnswered, Outcome::Done);
        match (round, &found.purpose) {
            (Round::Registration(round), Purpose::Add(name)) => {
                let new = verifier.registered(round, answer)?;
                let (method, name) = (FactorMethod::Webauthn, name.clone());
                let event = event.fact("name", &name);
                let credential = Credential { subject, name, method, id: new.id, material: new.material, counter: 0, added_at: now };
                Ok((Answer::Added(credential), Change::None, event))
            }
            (Round::Authentication(round), Purpose::Prove) => {
                let answered = verifier.proven(round, answer, authority.store.credentials(&subject).await?)?;
                let name = answered.credential.name;
                let event = event.fact("name", &name).fact("user_verified", answered.user_verified);
                let (material, counter) = (answered.material, answered.counter);
                let change = CredentialUsed { subject: subject.clone(), name: name.clone(), material, counter };
                let used = FactorUsed { subject, name, key_fingerprint: found.asker.key_fingerprint.clone(), at: now };
                Ok((Answer::Proven(used), Change::UseCredential(Box::new(change)), event))
            }
            (Round::Registration(_), Purpose::Prove) | (Round::Authentication(_), Purpose::Add(_)) => Err(unknown().into()),
        }
    }

    fn refusals(&self, purpose: &Purpose) -> &Refusals {
        match purpose {
            Purpose::Add(_) => &self.added,
            Purpose::Prove => &self.proven,
        }
    }
}

fn found(transaction: &Transaction<Ceremony>) -> Found {
    let Ceremony { subject, purpose, .. } = &transaction.errand;
    Found { asker: transaction.asker.clone(), subject: subject.clone(), purpose: purpose.clone() }
}

pub(super) fn unknown() -> Refusal {
    Ceremony::WORDS.unknown()
}
