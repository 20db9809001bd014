//! Databases in MaxMind's format, as MaxMind, IPinfo, DB-IP and others give them out: read into memory whole, replaced when the configuration is read anew.

use super::Geography;
use dayfly_core::context::Country;
use maxminddb::{MaxMindDbError, Reader, WithinOptions};
use serde::{Deserialize, Deserializer, de::IgnoredAny};
use std::{fmt, net::IpAddr, path::Path};

/// How many records of a new database are looked at for one that tells what it is there for.
const RECORDS: usize = 10_000;

/// The databases that the configuration names.
#[derive(Debug, Default)]
pub struct Databases {
    /// Tells countries.
    pub countries: Option<Database>,
    /// Tells autonomous systems.
    pub systems: Option<Database>,
}

/// A database in memory.
pub struct Database(Reader<Vec<u8>>);

/// What a database is there for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// `country.iso_code`, `country_code`, or the code as `country`.
    Country,
    /// `autonomous_system_number`, or `AS` and the number as `asn`.
    System,
}

/// A file that is no such database.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    /// It cannot be read.
    #[error("cannot be read: {0}")]
    Unreadable(#[from] std::io::Error),
    /// It is broken, or of another format.
    #[error("is no database in MaxMind's format, or a broken one: {0}")]
    Broken(#[from] MaxMindDbError),
    /// It does not tell what it is named for.
    #[error("tells no {0}")]
    TellsNothing(&'static str),
}

impl Database {
    /// Reads a file, and looks whether it tells what it is there for.
    pub fn read(path: &Path, purpose: Purpose) -> Result<Self, DatabaseError> {
        let database = Self(Reader::from_source(std::fs::read(path)?)?);
        let mut told = false;
        for record in database.0.networks(WithinOptions::default())?.take(RECORDS) {
            let record: Option<Record> = record?.decode()?;
            told |= record.is_some_and(|record| record.tells(purpose));
        }
        match (told, purpose) {
            (true, _) => Ok(database),
            (false, Purpose::Country) => Err(DatabaseError::TellsNothing("countries")),
            (false, Purpose::System) => Err(DatabaseError::TellsNothing("numbers of autonomous systems")),
        }
    }

    /// What it tells of `address`. A damaged record tells nothing, and is traced.
    fn record(&self, address: IpAddr) -> Option<Record> {
        let address = address.to_canonical();
        if address.is_ipv6() && self.0.metadata().ip_version == 4 {
            return None;
        }
        let record = self.0.lookup(address).and_then(|found| found.decode());
        record.inspect_err(|error| tracing::error!(%error, "a record of a database of addresses cannot be read")).ok()?
    }
}

impl Geography for Databases {
    fn country(&self, address: IpAddr) -> Option<Country> {
        self.countries.as_ref()?.record(address)?.country()
    }

    fn asn(&self, address: IpAddr) -> Option<u32> {
        self.systems.as_ref()?.record(address)?.system()
    }
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Database({})", self.0.metadata().database_type)
    }
}

/// What is of use in a record, under the names that different databases give it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Record {
    country_code: Option<String>,
    #[serde(deserialize_with = "code_or_names")]
    country: Option<String>,
    autonomous_system_number: Option<u32>,
    asn: Option<String>,
}

impl Record {
    fn country(&self) -> Option<Country> {
        self.country_code.as_deref().or(self.country.as_deref())?.parse().ok()
    }

    fn system(&self) -> Option<u32> {
        let written = || self.asn.as_deref()?.trim_start_matches("AS").parse().ok();
        self.autonomous_system_number.or_else(written)
    }

    fn tells(&self, purpose: Purpose) -> bool {
        match purpose {
            Purpose::Country => self.country().is_some(),
            Purpose::System => self.system().is_some(),
        }
    }
}

/// `country` is the code itself, or a record that holds it beside names in many languages.
fn code_or_names<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Written {
        Code(String),
        Names { iso_code: Option<String> },
        Other(IgnoredAny),
    }
    Ok(match Written::deserialize(deserializer)? {
        Written::Code(code) => Some(code),
        Written::Names { iso_code } => iso_code,
        Written::Other(_) => None,
    })
}

#[cfg(test)]
mod tests;
