//! `[proxies]`: what stands between the CA and those who call it.

use super::{
    Proxies,
    document::{Document, Table, take_table},
};
use crate::mistake::Mistakes;
use dayfly_core::address::Network;
use serde::Deserialize;

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Written {
    proxy_protocol_from: Vec<Network>,
    forwarded_for_from: Vec<Network>,
}

/// Reads the table out of the whole file; what is left out trusts nobody.
pub(super) fn read(document: &Document, whole: Table<'_>, mistakes: &mut Mistakes) -> Option<Proxies> {
    let mut whole = whole.into_inner();
    let written: Written = match take_table(&mut whole, "proxies") {
        Some(table) => document.read_table(table, "[proxies]", &[], mistakes)?.into_value(),
        None => Written::default(),
    };
    Some(Proxies { proxy_protocol_from: written.proxy_protocol_from, forwarded_for_from: written.forwarded_for_from })
}
