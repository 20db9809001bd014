//! What the pages do: show who asks, send the browser to a provider, and take what comes back.

use super::{
    SignIns, about_asker, about_person,
    errand::{Answer, Leg, SignInErrand},
    standing,
};
use crate::{
    authority::Authority,
    by_browser::{
        Arrived, Asker, Way, at_the_tool,
        secret::{self, Hashed},
        transaction::{Errand, Stage, Transaction as Any},
    },
    failure::Failure,
    identity::provider::{self, Provider},
    store::Change,
};
use dayfly_core::{
    audit::{Event, Outcome},
    reason::{Reason, Refusal},
};
use std::net::IpAddr;
use url::Url;

type Transaction = Any<SignInErrand>;

/// Who asks, and what can be done about it.
#[derive(Debug, Clone)]
pub struct Page {
    /// Which sign-in.
    pub id: String,
    /// Who waits for it.
    pub asker: Asker,
    /// How long ago that began, in seconds.
    pub age: u64,
    /// How long the sign-in would count, in seconds.
    pub lifetime: u64,
    /// Where the person can sign in.
    pub providers: Vec<String>,
    /// Whether nothing has to be asked: the browser is where the tool is, and there is one provider.
    pub is_plain: bool,
}

/// What a provider sent back by way of the browser.
#[derive(Debug, Clone, Copy)]
pub struct Returned<'a> {
    /// The state that it was sent with.
    pub state: &'a str,
    /// The code, if it says yes.
    pub code: Option<&'a str>,
    /// Who says so.
    pub issuer: Option<&'a str>,
    /// The provider whose own callback it came to.
    pub callback: Option<&'a str>,
}

impl SignIns {
    /// What the forms of a browser hold.
    pub fn form(&self, browser: &str) -> String {
        self.forms.token(browser)
    }

    /// Refuses a form that was made for another browser, or by somebody else.
    pub fn check_form(&self, browser: &str, form: &str) -> Result<(), Refusal> {
        if self.forms.fits(browser, form) { Ok(()) } else { Err(unknown()) }
    }

    /// The page of a sign-in whose tool is on the browser's machine. The browser that looks last is the one that it is for.
    pub fn open(&self, id: &str, browser: &str, address: IpAddr, now: u64) -> Result<Page, Refusal> {
        self.transactions.with(id, now, |transaction| {
            if !matches!((&transaction.way, &transaction.stage), (Way::Loopback { .. }, Stage::Waiting)) {
                return Err(unknown());
            }
            (transaction.browser, transaction.errand.leg) = (Some(Hashed::of(browser)), None);
            Ok(self.page(id, transaction, address, now))
        })
    }

    /// The page of the sign-in whose code the person typed.
    pub async fn claim(&self, authority: &Authority, code: &str, browser: &str, address: IpAddr) -> Result<Page, Refusal> {
        let now = authority.clock.unix_seconds();
        let claimed = if self.typed.take(address, now) {
            let claimed = self.transactions.claim(code, browser, now);
            claimed.and_then(|id| self.transactions.with(&id, now, |transaction| Ok(self.page(&id, transaction, address, now))))
        } else {
            Err(Refusal::new(Reason::LimitReached, "too many codes were tried from this address", "wait a moment, and type the code again"))
        };
        if let Err(refusal) = &claimed {
            self.refusals.log(authority, address, refusal, |event| event).await;
        }
        claimed
    }

    fn page(&self, id: &str, transaction: &Transaction, address: IpAddr, now: u64) -> Page {
        let may = |index: usize| transaction.errand.provider.is_none_or(|only| only == index);
        let providers: Vec<String> =
            self.providers.iter().enumerate().filter(|(index, _)| may(*index)).map(|(_, provider)| provider.name().to_owned()).collect();
        let is_here = transaction.way.is_here(&transaction.asker, address);
        Page {
            id: id.to_owned(),
            asker: transaction.asker.clone(),
            age: now.saturating_sub(transaction.asker.began_at),
            lifetime: self.lifetime,
            is_plain: is_here && providers.len() == 1,
            providers,
        }
    }

    /// Where the browser goes to sign in.
    pub async fn depart(&self, id: &str, browser: &str, provider: &str, now: u64) -> Result<Url, Refusal> {
        let index = self.provider_index(provider)?;
        let is_open = |transaction: &Transaction| {
            let may = transaction.errand.provider.is_none_or(|only| only == index);
            if may && transaction.is_open_to(browser) { Ok(()) } else { Err(unknown()) }
        };
        self.transactions.with(id, now, |transaction| is_open(transaction))?;
        let state = format!("{id}.{}", secret::token());
        let (url, round) = self.providers.get(index).ok_or_else(unknown)?.way_there(&state).await?;
        self.transactions.with(id, now, |transaction| {
            is_open(transaction)?;
            transaction.errand.leg = Some(Leg { provider: index, state: Hashed::of(&state), round });
            Ok(())
        })?;
        Ok(url)
    }

    /// The person says no. The tool is told.
    pub async fn decline(&self, authority: &Authority, id: &str, browser: &str, address: IpAddr) -> Result<(), Refusal> {
        let refusal = declined("the person who was asked");
        let asker = self.transactions.with(id, authority.clock.unix_seconds(), |transaction| {
            if !transaction.is_open_to(browser) {
                return Err(unknown());
            }
            (transaction.stage, transaction.errand.leg) = (Stage::Refused(refusal.clone()), None);
            Ok(transaction.asker.clone())
        })?;
        self.refusals.log(authority, address, &refusal, |event| about_asker(event, &asker)).await;
        Ok(())
    }

    /// Takes what came back. Whatever is wrong with it ends the sign-in, but for an answer that is no answer to it at all.
    pub async fn arrive(&self, authority: &Authority, returned: Returned<'_>, browser: &str, address: IpAddr) -> Result<Arrived, Failure> {
        let now = authority.clock.unix_seconds();
        let id = returned.state.split('.').next().unwrap_or_default();
        let found = self.transactions.with(id, now, |transaction| {
            let fits = transaction.errand.leg.as_ref().is_some_and(|leg| leg.state.fits(returned.state));
            if !transaction.is_open_to(browser) || !fits {
                return Err(unknown());
            }
            let leg = transaction.errand.leg.take().ok_or_else(unknown)?;
            Ok((leg, transaction.asker.clone()))
        });
        let (leg, asker) = match found {
            Ok(found) => found,
            Err(refusal) => {
                self.refusals.log(authority, address, &refusal, |event| event).await;
                return Err(refusal.into());
            }
        };
        match self.prove(authority, id, leg, returned, &asker, address).await {
            Ok(arrived) => Ok(arrived),
            Err(Failure::Refused(refusal)) => {
                self.refusals.log(authority, address, &refusal, |event| about_asker(event, &asker)).await;
                self.transactions.with(id, now, |transaction| {
                    // What the person, or a later answer, has decided meanwhile stays.
                    if matches!(transaction.stage, Stage::Waiting) {
                        transaction.stage = Stage::Refused(refusal.clone());
                    }
                    Ok(())
                })?;
                Err(refusal.into())
            }
            Err(failure) => Err(failure),
        }
    }

    /// Asks the provider who that was, and keeps the answer for the tool.
    async fn prove(
        &self,
        authority: &Authority,
        id: &str,
        leg: Leg,
        returned: Returned<'_>,
        asker: &Asker,
        address: IpAddr,
    ) -> Result<Arrived, Failure> {
        let now = authority.clock.unix_seconds();
        let provider = self.providers.get(leg.provider).ok_or_else(unknown)?;
        let code = returned.code.ok_or_else(|| declined(&format!("the provider {}", provider.name())))?;
        let person =
            provider.person(leg.round, provider::Returned { code, issuer: returned.issuer, callback: returned.callback, now }).await?;
        let subject = standing(authority, Provider::name(provider), &person).await?;
        let event = about_person(authority.event(Event::SignInProven, Outcome::Done), provider.name(), &person).subject(&subject);
        let event = about_asker(event, asker).fact("address", address.to_canonical());
        let one_time = secret::token();
        let (arrived, code, way) = self.transactions.with(id, now, |transaction| {
            Ok(match &transaction.way {
                Way::Loopback { port, state } => {
                    let url = at_the_tool("sign-in", *port, state, &one_time);
                    (Arrived::AtTheTool(url), Some(Hashed::of(&one_time)), transaction.way.as_str())
                }
                Way::DeviceCode => {
                    (Arrived::Elsewhere { subject: subject.to_string(), host: asker.host.clone() }, None, transaction.way.as_str())
                }
            })
        })?;
        authority.store.commit(Change::None, event.fact("way", way)).await?;
        self.transactions.with(id, now, |transaction| {
            // While the provider was asked the person may have said no.
            if !matches!(transaction.stage, Stage::Waiting) {
                return Err(unknown());
            }
            transaction.stage = Stage::Proven { answer: Box::new(Answer { person, provider: leg.provider }), code, at: now };
            Ok(())
        })?;
        Ok(arrived)
    }
}

fn unknown() -> Refusal {
    SignInErrand::WORDS.unknown()
}

fn declined(who: &str) -> Refusal {
    Refusal::new(Reason::SignInDeclined, format!("{who} said no to the sign-in"), "begin again if that was not meant: dayfly login")
}
