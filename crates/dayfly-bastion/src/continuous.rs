//! Sessions of roles that are `continuous`: the CA is asked again and again whether they may go on, and they end once it says no.
//!
//! A CA that cannot be asked ends nothing: nobody is thrown out of a repair because the CA is what is being repaired. What it says once it answers counts.

use crate::{
    authority::AuthorityError,
    bastion::Bastion,
    live::{LiveSession, Order, OrderedBy},
};
use dayfly_api::session::{RunningSession, SessionsReview, WithdrawnSession};
use dayfly_core::reason::Reason;
use std::sync::Arc;

/// How many sessions one call asks about: what the CA takes.
const AT_ONCE: usize = 256;

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
    let reviewed: Vec<&RunningSession> = sessions.iter().filter_map(|session| session.facts.review.as_ref()).collect();
    for some in reviewed.chunks(AT_ONCE) {
        let asked = SessionsReview { sessions: some.iter().map(|running| (*running).clone()).collect() };
        let withdrawn = bastion.authority.review(&asked).await?.withdrawn;
        for verdict in withdrawn {
            if let Some(session) = bastion.live.find(verdict.session).filter(|session| session.facts.review.is_some()) {
                end(&session, verdict);
            }
        }
    }
    Ok(())
}

fn end(session: &LiveSession, verdict: WithdrawnSession) {
    tracing::info!(session = %session.facts.id, code = verdict.code, "the CA withdrew a session");
    let reason = verdict.code.parse().unwrap_or(Reason::PolicyDenied);
    session.end(Order { message: format!("the session may not go on: {}", verdict.message), by: OrderedBy::Authority(reason) });
}
