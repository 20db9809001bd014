//! Everything in `ca.toml` but the rules: where the CA is reached, and its files.

use super::{
    FederationSettings, HostRules, Keys, Limits, Proxies, RotationRules, SignInSettings, TlsFiles,
    document::{Document, Placed, take_table},
    federation, hosts,
    keys::{self, WrittenKeys},
    limits, proxies, rotation, sign_in,
};
use crate::mistake::Mistakes;
use serde::Deserialize;
use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
};
use toml::de::DeTable;

/// The tables of `ca.toml`, beside the keys of [`Top`].
const TABLES: [&str; 14] = [
    "tls",
    "keys",
    "proxies",
    "limits",
    "hosts",
    "rotation",
    "sign_in",
    "federation",
    "networks",
    "geo",
    "role",
    "target",
    "inventory",
    "device_rule",
];

/// Everything but the rules.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) origin: String,
    pub(crate) listen: SocketAddr,
    pub(crate) store: PathBuf,
    pub(crate) tls: TlsFiles,
    pub(crate) keys: Keys,
    pub(crate) proxies: Proxies,
    pub(crate) limits: Limits,
    pub(crate) hosts: HostRules,
    pub(crate) rotation: RotationRules,
    pub(crate) sign_in: SignInSettings,
    pub(crate) federation: Vec<FederationSettings>,
}

#[derive(Deserialize)]
struct Top {
    url: Origin,
    listen: Listen,
    store: String,
    /// Read with the rules.
    #[serde(rename = "policy")]
    _policy: String,
}

const TOP: [&str; 4] = ["url", "listen", "store", "policy"];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Tls {
    certificate: String,
    key: String,
}

/// An origin as it is written into what is signed: `https://host` or `https://host:port`, and in one spelling only.
#[derive(Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Origin(pub(crate) String);

/// A URL that is no origin.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OriginError {
    #[error("{0:?} is not the CA's URL: write https:// and a host, and a port if it is not 443")]
    NotOne(String),
    #[error("{0:?} is not the shortest spelling of the CA's URL: write {1}")]
    Spelling(String, String),
}

impl TryFrom<String> for Origin {
    type Error = OriginError;
    fn try_from(text: String) -> Result<Self, OriginError> {
        let url = url::Url::parse(&text).ok().filter(|url| url.scheme() == "https" && url.has_host());
        let Some(url) = url else { return Err(OriginError::NotOne(text)) };
        let origin = url.origin().ascii_serialization();
        if origin == text { Ok(Self(text)) } else { Err(OriginError::Spelling(text, origin)) }
    }
}

/// An address and port.
#[derive(Deserialize)]
#[serde(try_from = "String")]
struct Listen(SocketAddr);

impl TryFrom<String> for Listen {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        let address =
            text.parse().map_err(|_| format!("{text:?} is not an address and port: write 0.0.0.0:8443, [::]:8443 or the like"))?;
        Ok(Self(address))
    }
}

impl Settings {
    /// Reads what is not a rule from the whole table. The paths that it gives begin where the file is.
    pub(super) fn read<'t>(document: &Document, whole: toml::Spanned<DeTable<'t>>, mistakes: &mut Mistakes) -> Option<Self> {
        let span = whole.span();
        let hosts = hosts::read(document, whole.clone(), mistakes);
        let proxies = proxies::read(document, whole.clone(), mistakes);
        let sign_in = sign_in::read(document, whole.clone(), mistakes);
        let federation = federation::read(document, whole.clone(), mistakes);
        let mut table = whole.into_inner();
        note_unknown_keys(document, &table, mistakes);
        let tls = take_table(&mut table, "tls").unwrap_or_else(|| absent(&span));
        let keys = take_table(&mut table, "keys").unwrap_or_else(|| absent(&span));
        let limits = take_table(&mut table, "limits").unwrap_or_else(|| absent(&span));
        let rotation = rotation::read(document, take_table(&mut table, "rotation").unwrap_or_else(|| absent(&span)), mistakes);
        ["hosts", "proxies", "sign_in", "federation"].into_iter().for_each(|read| drop(table.remove(read)));
        let top: Option<Top> = document.read_table(toml::Spanned::new(span, table), "the file", &TOP, mistakes).map(Placed::into_value);
        let tls: Option<Tls> = document.read_table(tls, "[tls]", &["certificate", "key"], mistakes).map(Placed::into_value);
        let keys: Option<Placed<WrittenKeys>> = document.read_table(keys, "[keys]", &keys::REQUIRED, mistakes);
        let keys = keys.and_then(|written| keys::read(document, written, mistakes));
        let limits = limits::read(document, limits, mistakes);
        let (top, tls, keys) = (top?, tls?, keys?);
        let beside = |path: String| document.beside(Path::new(&path));
        Some(Self {
            origin: top.url.0,
            listen: top.listen.0,
            store: beside(top.store),
            tls: TlsFiles { certificate: beside(tls.certificate), key: beside(tls.key) },
            keys,
            rotation: rotation::rules(rotation?, limits.as_ref()?),
            proxies: proxies?,
            limits: limits?,
            hosts: hosts?,
            sign_in: sign_in?,
            federation: federation?,
        })
    }
}

fn note_unknown_keys(document: &Document, table: &DeTable<'_>, mistakes: &mut Mistakes) {
    for (key, _) in table {
        let name = key.get_ref().as_ref();
        if !TOP.contains(&name) && !TABLES.contains(&name) {
            let known = [TOP.as_slice(), TABLES.as_slice()].concat().join(", ");
            mistakes.0.push(document.mistake(Some(key.span()), &format!("unknown key `{name}`, expected one of {known}")));
        }
    }
}

/// A table that is not there: its keys are missing at the place where it would be.
fn absent<'t>(span: &std::ops::Range<usize>) -> toml::Spanned<DeTable<'t>> {
    toml::Spanned::new(span.clone(), DeTable::new())
}
