//! `[sign_in]` and `[[sign_in.provider]]`: who may say who somebody is, and for how long that holds.

use super::{
    document::{Document, Table, take_table, take_tables},
    issuer::{self, Algorithms},
    span::Span,
};
use crate::{identity::token::Algorithm, mistake::Mistakes};
use dayfly_core::name::GroupName;
use serde::Deserialize;
use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    time::Duration,
};

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;

/// How people sign in by a browser.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignInSettings {
    /// Whether a browser on another machine will do, by a code that the person types.
    pub device_codes: bool,
    /// How long a sign-in counts.
    pub lifetime: Duration,
    /// The providers, in the order in which people see them.
    pub providers: Vec<ProviderSettings>,
}

/// An OpenID Connect provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProviderSettings {
    /// Its name here. The names of its people begin with it.
    pub name: String,
    /// Its issuer URL, exactly as it writes it itself.
    pub issuer: String,
    /// The CA's name there.
    pub client_id: String,
    /// The file of the CA's secret there, if it has one.
    pub client_secret_file: Option<PathBuf>,
    /// What is asked for.
    pub scopes: Vec<String>,
    /// Where in the claims the groups are, parts joined by dots.
    pub groups_claim: Option<String>,
    /// Which of the provider's groups are which of ours. Without it, the names as they are.
    pub groups: Option<BTreeMap<String, GroupName>>,
    /// How its tokens may be signed.
    pub algorithms: Vec<Algorithm>,
}

impl Default for SignInSettings {
    fn default() -> Self {
        Self { device_codes: true, lifetime: Duration::from_secs(12 * HOUR), providers: Vec::new() }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Written {
    device_codes: bool,
    lifetime: Span<{ 5 * MINUTE }, { 12 * HOUR }>,
}

impl Default for Written {
    fn default() -> Self {
        let SignInSettings { device_codes, lifetime, .. } = SignInSettings::default();
        Self { device_codes, lifetime: Span(lifetime) }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenProvider {
    name: ProviderName,
    issuer: issuer::Issuer,
    client_id: String,
    client_secret_file: Option<String>,
    #[serde(default = "usual_scopes")]
    scopes: Vec<String>,
    groups_claim: Option<String>,
    groups: Option<BTreeMap<String, GroupName>>,
    #[serde(default)]
    allowed_algorithms: Algorithms,
}

fn usual_scopes() -> Vec<String> {
    ["openid", "profile", "email"].map(str::to_owned).into()
}

/// Short, and without the dot that ends it in a subject's name.
#[derive(Deserialize)]
#[serde(try_from = "String")]
struct ProviderName(String);

impl TryFrom<String> for ProviderName {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        let is_name = text.len() <= 16
            && text.starts_with(|first: char| first.is_ascii_lowercase())
            && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
        if is_name {
            Ok(Self(text))
        } else {
            Err(format!("{text:?} is no name of a provider: write a-z, 0-9 and '-', at most 16 characters"))
        }
    }
}

/// Reads the table out of the whole file; what is left out has its default.
pub(super) fn read(document: &Document, whole: Table<'_>, mistakes: &mut Mistakes) -> Option<SignInSettings> {
    let mut whole = whole.into_inner();
    let Some(table) = take_table(&mut whole, "sign_in") else { return Some(SignInSettings::default()) };
    let (span, mut table) = (table.span(), table.into_inner());
    let providers = take_tables(&mut table, "provider");
    let written: Option<Written> =
        document.read_table(toml::Spanned::new(span, table), "[sign_in]", &[], mistakes).map(|placed| placed.into_value());
    let mut names = BTreeSet::new();
    let mut read = Vec::new();
    for provider in providers {
        let required = ["name", "issuer", "client_id"];
        let placed = document.read_table::<WrittenProvider>(provider, "[[sign_in.provider]]", &required, mistakes)?;
        let line = placed.line_of("name");
        let written = placed.into_value();
        if !names.insert(written.name.0.clone()) {
            mistakes.0.push(document.mistake(None, "two providers have this name: name one otherwise").at(line));
        }
        read.push(written.into_settings(document));
    }
    let Written { device_codes, lifetime } = written?;
    Some(SignInSettings { device_codes, lifetime: lifetime.0, providers: read })
}

impl WrittenProvider {
    fn into_settings(self, document: &Document) -> ProviderSettings {
        let mut scopes = self.scopes;
        if !scopes.iter().any(|scope| scope == "openid") {
            scopes.insert(0, "openid".to_owned());
        }
        ProviderSettings {
            name: self.name.0,
            issuer: self.issuer.0,
            client_id: self.client_id,
            client_secret_file: self.client_secret_file.map(|path| document.beside(Path::new(&path))),
            scopes,
            groups_claim: self.groups_claim,
            groups: self.groups,
            algorithms: self.allowed_algorithms.0,
        }
    }
}
