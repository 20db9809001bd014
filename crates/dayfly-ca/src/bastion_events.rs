//! What a bastion reports goes to the log in the bastion's own order, without gaps, under its own name, and about what it carries only.

use crate::{
    authority::Authority,
    failure::Failure,
    store::{Bastion, Change, StoreError},
};
use dayfly_api::bastion::{EventBatch, EventReceipt, NumberedEvent};
use dayfly_core::{
    audit::{Event, Reporter},
    reason::{Reason, Refusal},
};

/// Appends a batch. Events that are there already are left out, so that a batch can be sent again; each is on disk before the next is appended.
pub async fn append(authority: &Authority, bastion: &Bastion, batch: EventBatch) -> Result<EventReceipt, Failure> {
    let mut last = authority.store.last_bastion_event(&bastion.name).await?;
    check(bastion, last, &batch.events)?;
    for NumberedEvent { number, mut event } in batch.events {
        if number <= last {
            continue;
        }
        event.reporter = Reporter::Bastion(bastion.name.clone());
        let change = Change::BastionEvent { bastion: bastion.name.clone(), number };
        authority.store.commit(change, event).await.map_err(unfit)?;
        last = number;
    }
    Ok(EventReceipt { last })
}

/// The whole batch is looked at before the first event is appended.
fn check(bastion: &Bastion, last: u64, events: &[NumberedEvent]) -> Result<(), Refusal> {
    if let Some(first) = events.first().filter(|first| first.number > last.saturating_add(1)) {
        return Err(gap(bastion, last.saturating_add(1), first.number));
    }
    for (earlier, later) in events.iter().zip(events.iter().skip(1)) {
        if later.number != earlier.number.saturating_add(1) {
            return Err(gap(bastion, earlier.number.saturating_add(1), later.number));
        }
    }
    match events.iter().find(|numbered| !is_a_bastions(numbered.event.event)) {
        Some(numbered) => Err(bad(format!("a bastion cannot report {}", numbered.event.event))),
        None => Ok(()),
    }
}

/// What only a bastion can know. What the CA decides it logs itself.
fn is_a_bastions(event: Event) -> bool {
    match event {
        Event::SessionEnded | Event::SessionRefused | Event::SessionWatched | Event::LoginRefused | Event::TargetHostKeyRefused => true,
        Event::CaStarted
        | Event::ConfigurationReloaded
        | Event::UserAdded
        | Event::UserDisabled
        | Event::FactorAdded
        | Event::FactorAnswered
        | Event::FactorProven
        | Event::FactorRemoved
        | Event::FactorsReset
        | Event::DeviceAdded
        | Event::DeviceApproved
        | Event::DeviceReported
        | Event::DeviceDisabled
        | Event::Revoked
        | Event::RevocationListPublished
        | Event::BastionAdded
        | Event::BastionReported
        | Event::RotationPrepared
        | Event::RotationPublished
        | Event::RotationSwitched
        | Event::RotationRetired
        | Event::RotationAbandoned
        | Event::RotationDespite
        | Event::RotationFailed
        | Event::HostAdded
        | Event::HostTokenIssued
        | Event::HostEnrolled
        | Event::HostReported
        | Event::HostDisabled
        | Event::SignInProven
        | Event::SignInCompleted
        | Event::SignInRefused
        | Event::SignInEnded
        | Event::InventoryRefreshed
        | Event::InventoryFailed
        | Event::RequestRefused
        | Event::CertificateIntended
        | Event::CertificateIssued
        | Event::CertificateRefused
        | Event::CertificateFailed
        | Event::SessionStarted
        | Event::SessionWithdrawn
        | Event::HostCertificateIssued
        | Event::InnerHostCertificateIssued
        | Event::HostCertificateRefused
        | Event::LogRead => false,
    }
}

fn gap(bastion: &Bastion, expected: u64, found: u64) -> Refusal {
    bad(format!("event {expected} of bastion {} is missing: event {found} stands in its place", bastion.name))
}

fn bad(message: String) -> Refusal {
    Refusal::new(
        Reason::BadRequest,
        message,
        "send session.ended, session.refused, session.watched, login.refused and target.host_key_refused, each under the next number",
    )
}

/// An event that no row can hold, or that another batch has overtaken, is the bastion's mistake.
fn unfit(error: StoreError) -> Failure {
    match error {
        StoreError::Event(_) | StoreError::OutOfOrder { .. } => Failure::Refused(bad(error.to_string())),
        error => Failure::Store(error),
    }
}

#[cfg(test)]
mod tests;
