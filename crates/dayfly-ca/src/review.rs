//! Reading the log: who may, and that they did.
//!
//! Facts of its events: `address`, and `after` and `limit`, or `head`.

use crate::{
    authority::{Authority, rules},
    failure::Failure,
    identity::PersonCall,
    log,
    store::Change,
};
use dayfly_api::log::{LogPage, LogQuery, SignedHead};
use dayfly_core::{
    audit::{AuditEvent, Event, Outcome},
    name::ScopeName,
    policy,
    reason::{Reason, Refusal},
    target::ALL,
};

/// The most rows of one page.
pub const LARGEST_PAGE: u32 = 500;

/// A page of the log, for somebody who may review every target. The reading is in the log before the rows are.
pub async fn page(authority: &Authority, call: &PersonCall, query: LogQuery) -> Result<LogPage, Failure> {
    let limit = query.limit.unwrap_or(LARGEST_PAGE).min(LARGEST_PAGE);
    admit(authority, call, |event| event.fact("after", query.after).fact("limit", limit)).await?;
    Ok(log::page(authority.store.as_ref(), query.after, limit).await?)
}

/// The log's newest row, signed, for somebody who may review every target. It covers the row of this very reading.
pub async fn head(authority: &Authority, call: &PersonCall) -> Result<SignedHead, Failure> {
    admit(authority, call, |event| event.fact("head", "signed")).await?;
    log::signed_head(authority.store.as_ref(), &authority.keyring.log, authority.clock.now()).await
}

/// The log tells of every target, so whoever reads it must be permitted to review all of them.
async fn admit(authority: &Authority, call: &PersonCall, about: impl Fn(AuditEvent) -> AuditEvent) -> Result<(), Failure> {
    let about = |event: AuditEvent| about(event).subject(call.subject()).fact("address", call.context.source.to_canonical());
    match may_review(authority, call) {
        Ok(()) => {
            authority.store.commit(Change::None, about(authority.event(Event::LogRead, Outcome::Done))).await?;
            Ok(())
        }
        Err(refusal) => {
            authority.store.commit(Change::None, about(authority.refused(Event::LogRead, &refusal))).await?;
            Err(refusal.into())
        }
    }
}

fn may_review(authority: &Authority, call: &PersonCall) -> Result<(), Refusal> {
    let everything =
        ScopeName::new(ALL).map_err(|error| Refusal::new(Reason::BadRequest, error.to_string(), "tell whoever operates the CA"))?;
    let book = authority.rules.load();
    policy::may_review(rules(&book, &[]), &call.identity, &call.context, &everything).map(|_| ())
}
