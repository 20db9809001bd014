//! What bastions say that they trust: the user CA's keys, and the host CAs' of their targets.
//!
//! Facts of its event: `bastion` and `trusted`. A report that tells nothing new is noted without one.

use crate::{
    authority::Authority,
    failure::Failure,
    host_report::check_fingerprints,
    store::{Bastion, Change, rotation::BastionReportHeld},
};
use dayfly_api::bastion::{BastionReceipt, BastionReport};
use dayfly_core::audit::{Event, Outcome};

/// Notes a report.
pub async fn note(authority: &Authority, bastion: &Bastion, report: BastionReport) -> Result<BastionReceipt, Failure> {
    check_fingerprints(&report.trusted)?;
    let trusted: Vec<&str> = report.trusted.iter().map(String::as_str).collect();
    let event = authority.event(Event::BastionReported, Outcome::Done).fact("bastion", &bastion.name).fact("trusted", trusted.join(","));
    let seen_at = authority.clock.unix_seconds();
    let report = BastionReportHeld { seen_at, trusted: report.trusted };
    authority.store.commit(Change::NoteBastionReport { bastion: bastion.name.clone(), report }, event).await?;
    Ok(BastionReceipt { seen_at })
}
