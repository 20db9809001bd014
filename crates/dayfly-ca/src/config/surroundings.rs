//! `[networks]` and `[geo]`: what the CA knows of addresses.

use super::document::{Document, Table, take_table};
use crate::{
    geo::{
        Geography,
        mmdb::{Database, Databases, Purpose},
    },
    mistake::{Mistake, Mistakes},
};
use dayfly_core::{address::Network, context::NamedNetworks, name::NetworkName};
use serde::Deserialize;
use std::{collections::BTreeMap, path::Path, sync::Arc};

/// The networks of one name, one at least.
#[derive(Deserialize)]
#[serde(try_from = "Vec<Network>")]
struct Networks(Vec<Network>);

impl TryFrom<Vec<Network>> for Networks {
    type Error = &'static str;
    fn try_from(networks: Vec<Network>) -> Result<Self, Self::Error> {
        if networks.is_empty() {
            return Err("a network without addresses holds nobody: write one network at least, such as \"192.0.2.0/24\"");
        }
        Ok(Self(networks))
    }
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Geo {
    country_database: Option<String>,
    asn_database: Option<String>,
}

/// Reads `[networks]` out of the whole file.
pub(super) fn networks(document: &Document, whole: Table<'_>, mistakes: &mut Mistakes) -> Option<NamedNetworks> {
    let mut whole = whole.into_inner();
    let Some(table) = take_table(&mut whole, "networks") else { return Some(NamedNetworks::default()) };
    let written: BTreeMap<NetworkName, Networks> = document.read_table(table, "[networks]", &[], mistakes)?.into_value();
    Some(written.into_iter().map(|(name, networks)| (name, networks.0)).collect())
}

/// Reads `[geo]` out of the whole file, and the databases that it names.
pub(super) fn geography(document: &Document, whole: Table<'_>, mistakes: &mut Mistakes) -> Option<Arc<dyn Geography>> {
    let mut whole = whole.into_inner();
    let written: Geo = match take_table(&mut whole, "geo") {
        Some(table) => document.read_table(table, "[geo]", &[], mistakes)?.into_value(),
        None => Geo::default(),
    };
    let mut read = |path: Option<String>, purpose| match path {
        Some(path) => mistakes.keep(database(&document.beside(Path::new(&path)), purpose)).map(Some),
        None => Some(None),
    };
    let (countries, systems) = (read(written.country_database, Purpose::Country), read(written.asn_database, Purpose::System));
    Some(Arc::new(Databases { countries: countries?, systems: systems? }))
}

fn database(path: &Path, purpose: Purpose) -> Result<Database, Mistake> {
    let remedy = "fetch the database again, correct the path, or leave the key out; policies see no country or network number then";
    Database::read(path, purpose).map_err(|error| Mistake::new(path, error.to_string(), remedy))
}
