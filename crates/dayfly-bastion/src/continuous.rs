//! Sessions of roles that are `continuous`: the CA is asked again and again whether they may go on, and they end once it says no.
//!
//! A CA that cannot be asked ends nothing: nobody is thrown out of a repair because the CA is what is being repaired. What it says once it answers counts.

use crate::{
    authority::AuthorityError,
    bastion::Bastion,
    live::{Order, OrderedBy},
};
use dayfly_api::session::{RunningSession, SessionsReview, WithdrawnSession};
use dayfly_core::reason::Reason;
use std::sync::Arc;

/// How many sessions one call asks about: what the CA takes.
const AT_ONCE: usize = 64;

/// Asks as often as the CA is asked what changed, for ever.
pub async fn keep_asking(bastion: Arc<Bastion>) {
    let mut is_away = false;
    loop {
        tokio::time::sleep(bastion.limits().refresh).await;
        match ask(&bastion).await {
            Ok(()) => is_away = false,
            Err(error) if !std::mem::replace(&mut is_away, true) => {
                tracing::warn!(%error, "the CA cannot be asked whether sessions may go on: they do until it can");
            }
            Err(_) => {}
        }
    }
}

/// Asks once about every session that wants it, and ends those that may not go on.
pub async fn ask(bastion: &Bastion) -> Result<(), AuthorityError> {
    let sessions = bastion.live.sessions();
    let running = sessions.iter().filter(|session| session.ended_by().is_none());
    let reviewed: Vec<&RunningSession> = running.filter_map(|session| session.facts.review.as_ref()).collect();
    let mut outcome = Ok(());
    for some in reviewed.chunks(AT_ONCE) {
        let asked = SessionsReview { sessions: some.iter().map(|running| (*running).clone()).collect() };
        match bastion.authority.review(&asked).await {
            Ok(verdict) => verdict.withdrawn.into_iter().for_each(|verdict| end(bastion, verdict)),
            // A bastion that is not one any more has nothing to go on with.
            Err(AuthorityError::Refused(refusal)) if matches!(refusal.reason, Reason::Revoked | Reason::UnknownCaller) => {
                let verdict = |running: RunningSession| WithdrawnSession {
                    session: running.session,
                    code: refusal.reason.code().to_owned(),
                    message: refusal.message.clone(),
                };
                asked.sessions.into_iter().for_each(|running| end(bastion, verdict(running)));
            }
            // What spoils one call spoils no other.
            Err(error) => outcome = Err(error),
        }
    }
    outcome
}

fn end(bastion: &Bastion, verdict: WithdrawnSession) {
    let found = bastion.live.find(verdict.session).filter(|session| session.facts.review.is_some());
    let Some(session) = found else { return };
    tracing::info!(session = %session.facts.id, code = verdict.code, "the CA withdrew a session");
    let reason = verdict.code.parse().unwrap_or(Reason::PolicyDenied);
    session.end(Order { message: format!("the session may not go on: {}", verdict.message), by: OrderedBy::Authority(reason) });
}
