//! `dayfly host status`.

use super::Where;
use crate::{
    certificate::{in_words, now},
    error::Failure,
    host::{certificate::is_overdue, key, krl, place::Place, record::Record},
    output::{Lines, Output, Report},
};
use dayfly_client::RequestSigner;
use dayfly_core::certificate::parse;
use serde::Serialize;
use std::{io, process::ExitCode};

/// Arguments of `dayfly host status`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    place: Where,
}

#[derive(Serialize)]
struct Answer {
    url: String,
    host_key: String,
    names: Vec<String>,
    serial: Option<u64>,
    ends_at: Option<u64>,
    krl_number: Option<u64>,
    /// How long ago the CA was last heard to serve this very list.
    krl_age_seconds: Option<u64>,
    krl_stale_after_seconds: u64,
    /// What needs somebody, a sentence each; empty if all is well.
    alarms: Vec<String>,
}

pub(super) fn run(arguments: &Arguments, output: &Output) -> Result<ExitCode, Failure> {
    let place = arguments.place.place()?;
    let record = Record::read_enrolled(&place)?;
    let answer = answer(&place, &record);
    output.report(&answer)?;
    Ok(if answer.alarms.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn answer(place: &Place, record: &Record) -> Answer {
    let mut alarms = Vec::new();
    let certificate = std::fs::read_to_string(place.certificate()).ok().and_then(|line| parse(&line).ok());
    let key = key::read(&record.host_key);
    match (&certificate, &key) {
        (None, _) => alarms.push("there is no host certificate: dayfly host renew".to_owned()),
        (_, Err(failure)) => alarms.push(failure.message.clone()),
        (Some(certificate), Ok(key)) if certificate.public_key() != RequestSigner::public_key(key) => {
            alarms.push("the host certificate is for another key than the host's: enrol the new one by a new token".to_owned());
        }
        (Some(certificate), Ok(_)) if now() >= certificate.valid_before() => {
            alarms.push("the host certificate has ended: dayfly host renew".to_owned());
        }
        (Some(certificate), Ok(_)) if is_overdue(certificate, now()) => {
            let left = in_words(certificate.valid_before().saturating_sub(now()));
            alarms.push(format!("the host certificate ends in {left} and was not renewed: dayfly host renew tells why"));
        }
        _ => {}
    }
    if !place.drop_in().is_file() {
        alarms.push(format!("{} is missing: dayfly host renew", place.drop_in().display()));
    }
    let takes_logins = place.trusted_ca().is_file();
    let list = std::fs::read(place.revoked_keys()).ok();
    let (number, age) = (list.as_deref().and_then(krl::number), krl::age(place).map(|age| age.as_secs()));
    match (number, age) {
        (Some(_), Some(age)) if age <= record.stale_after_seconds => {}
        (Some(_), Some(age)) => alarms.push(format!(
            "the revocation list is {} old, so what was revoked since still gets in: dayfly host renew tells why",
            in_words(age)
        )),
        _ if takes_logins => {
            alarms.push("there is no revocation list that sshd could read, so nobody gets in: dayfly host renew".to_owned())
        }
        _ => {}
    }
    Answer {
        url: record.url.clone(),
        host_key: record.host_key.display().to_string(),
        names: certificate.as_ref().map(|certificate| certificate.valid_principals().to_vec()).unwrap_or_default(),
        serial: certificate.as_ref().map(|certificate| certificate.serial()),
        ends_at: certificate.as_ref().map(|certificate| certificate.valid_before()),
        krl_number: number,
        krl_age_seconds: age.filter(|_| number.is_some()),
        krl_stale_after_seconds: record.stale_after_seconds,
        alarms,
    }
}

impl Report for Answer {
    fn text(&self, lines: &mut Lines<'_>) -> io::Result<()> {
        lines.field("CA", &self.url)?;
        lines.field("host key", &self.host_key)?;
        if let (Some(serial), Some(ends_at)) = (self.serial, self.ends_at) {
            let left = match ends_at.saturating_sub(now()) {
                0 => "has ended".to_owned(),
                left => format!("ends in {}", in_words(left)),
            };
            lines.field("certificate", &format!("serial {serial}, for {}, {left}", self.names.join(", ")))?;
        }
        if let (Some(number), Some(age)) = (self.krl_number, self.krl_age_seconds) {
            lines.field("revocations", &format!("list {number}, known to be current {} ago", in_words(age)))?;
        }
        self.alarms.iter().try_for_each(|alarm| lines.field("ALARM", alarm))
    }
}
