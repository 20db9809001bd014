//! `dayfly host renew`.

use super::{Where, answer::Answer, enroll};
use crate::{
    certificate::in_words,
    error::Failure,
    host::{key, krl, place::Place, record::Record, renewal::Renewal},
    output::Output,
};

/// What `renew --help` ends with.
pub(super) const EXPLANATION: &str = "\
The host key signs the request; there is no token. A new certificate is asked for when a third of the old one's life is left. Whom sshd trusts,
the principals of each account and the revocation list are compared with what the CA says now; what differs is replaced, each file by a rename,
checked with sshd as at the enrolment, and put back if sshd does not take it. The CA is told which list and which keys are held.

Fails while the CA cannot be asked, and says so if the revocation list has become old meanwhile: have the timer's failures seen by somebody.";

/// Arguments of `dayfly host renew`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    place: Where,

    /// Ask for a new certificate though the one that is there will do
    #[arg(long, conflicts_with = "dry_run")]
    new_certificate: bool,

    /// Show what would be changed, and change nothing
    #[arg(long)]
    dry_run: bool,
}

pub(super) async fn run(arguments: &Arguments, output: &Output) -> Result<(), Failure> {
    let place = arguments.place.place()?;
    let record = Record::read_enrolled(&place)?;
    let stale_after = record.stale_after_seconds;
    let answer = renew(arguments, &place, record).await.map_err(|failure| with_age(failure, &place, stale_after))?;
    Ok(output.report(&answer)?)
}

async fn renew(arguments: &Arguments, place: &Place, record: Record) -> Result<Answer, Failure> {
    let key = key::read(&record.host_key)?;
    let client = enroll::client(&record.url, record.pin.as_deref(), &key)?;
    let setup = client.host_setup().await.map_err(enroll::explained)?;
    let mut renewal = Renewal { place, record, client: &client, key: &key, systemd: None };
    let renewed = match arguments.dry_run {
        true => renewal.preview(&setup).await?,
        false => renewal.run(&setup, arguments.new_certificate, None).await?,
    };
    Ok(Answer::new(&setup, &renewed, arguments.dry_run))
}

/// A failure that has lasted for too long says so.
fn with_age(failure: Failure, place: &Place, stale_after: u64) -> Failure {
    let age = krl::age(place).map(|age| age.as_secs()).filter(|age| *age > stale_after);
    let Some(age) = age else { return failure };
    let message = format!("{}; the revocation list is {} old, so what was revoked since still gets in", failure.message, in_words(age));
    Failure { message, ..failure }
}
