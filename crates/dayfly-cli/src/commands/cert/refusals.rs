//! Remembering a refusal for a moment, so that an editor that asks again and again gets the same answer without asking the CA again and again.

use crate::{
    error::{Failure, Kind},
    state::{State, StateError},
};
use dayfly_api::problem::Ruling;
use serde::{Deserialize, Serialize};

const REFUSALS_FILE: &str = "refusals.json";

/// How long a refusal is remembered, in seconds: longer than a burst of retries, shorter than a person's patience once they may.
const REMEMBERED_SECONDS: u64 = 10;

/// The refusals of the last seconds.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Refusals {
    refusals: Vec<Refused>,
}

/// What was asked, of whom, by whom.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Asked {
    pub(super) url: String,
    pub(super) subject: String,
    /// Role, targets and lifetime.
    pub(super) what: String,
}

#[derive(Debug, Serialize, Deserialize)]
struct Refused {
    asked: Asked,
    at: u64,
    code: Option<String>,
    message: String,
    remedy: Option<String>,
    #[serde(default)]
    ruling: Option<Box<Ruling>>,
}

impl Refusals {
    /// The CA's answer of a moment ago, if it was a refusal of the same.
    pub(super) fn answer(state: &State, asked: &Asked, now: u64) -> Result<(), Failure> {
        let kept = state.read::<Self>(REFUSALS_FILE)?.unwrap_or_default();
        match kept.refusals.into_iter().find(|refused| refused.asked == *asked && refused.is_fresh(now)) {
            None => Ok(()),
            Some(refused) => Err(Failure {
                kind: Kind::Refused,
                code: refused.code,
                message: refused.message,
                cause: Some(format!("the CA said so {} s ago, and was not asked again", now.saturating_sub(refused.at))),
                remedy: refused.remedy,
                ruling: refused.ruling,
            }),
        }
    }

    /// Keeps a refusal.
    pub(super) fn remember(state: &State, asked: Asked, failure: &Failure, now: u64) -> Result<(), StateError> {
        let mut kept = state.read::<Self>(REFUSALS_FILE)?.unwrap_or_default();
        kept.refusals.retain(|refused| refused.is_fresh(now) && refused.asked != asked);
        kept.refusals.push(Refused {
            asked,
            at: now,
            code: failure.code.clone(),
            message: failure.message.clone(),
            remedy: failure.remedy.clone(),
            ruling: failure.ruling.clone(),
        });
        state.write(REFUSALS_FILE, &kept)
    }
}

impl Refused {
    /// A time in the future is a clock that was set back.
    fn is_fresh(&self, now: u64) -> bool {
        (self.at..self.at.saturating_add(REMEMBERED_SECONDS)).contains(&now)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn row_24_a_refusal_is_remembered_briefly_and_for_the_same_question_only() {
        let place = tempfile::tempdir().unwrap();
        let state = State::create(&place.path().join("dayfly")).unwrap();
        let asked = |what: &str| Asked { url: "https://ca.example".to_owned(), subject: "bob".to_owned(), what: what.to_owned() };
        let mut refusal = Failure::new(Kind::Refused, "no policy permits it").remedy("ask carol");
        refusal.code = Some("policy_denied".to_owned());

        assert_eq!(Refusals::answer(&state, &asked("db-admin db1"), 100), Ok(()));
        Refusals::remember(&state, asked("db-admin db1"), &refusal, 100).unwrap();
        let again = Refusals::answer(&state, &asked("db-admin db1"), 109).unwrap_err();
        assert_eq!(
            (again.kind, &again.code, &again.message, &again.remedy),
            (Kind::Refused, &refusal.code, &refusal.message, &refusal.remedy)
        );
        assert_eq!(Refusals::answer(&state, &asked("db-admin db2"), 101), Ok(()));
        let alice = Asked { subject: "alice".to_owned(), ..asked("db-admin db1") };
        assert_eq!(Refusals::answer(&state, &alice, 101), Ok(()));
        for later in [110, 99] {
            assert_eq!(Refusals::answer(&state, &asked("db-admin db1"), later), Ok(()), "{later}");
        }
    }
}
