//! Somebody who asks for something, supposed: as options of `policy why`, and as a table of `policy test`'s file.

use crate::{authority::rules, config::RuleBook, why::in_words};
use clap::Args;
use dayfly_api::decision::Decision;
use dayfly_core::{
    context::{Context, Country},
    device::{Device, Posture, Version},
    identity::{Evidence, FactorMethod, Identity, Proof, Subject},
    name::{AccountName, BastionName, GroupName, NetworkName, RoleName, ScopeName, TargetName},
    policy::{self, Asked},
    request::RequestedTargets,
    validity::Ttl,
};
use serde::Deserialize;
use std::{
    collections::BTreeSet,
    net::{IpAddr, Ipv4Addr},
    time::Duration,
};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

/// Who asks for what, and under which conditions. What is left out is absent, as it would be for a decision.
#[derive(Debug, Clone, Args, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Supposition {
    /// Who asks; `machine:NAME` for a machine
    #[arg(long = "as", value_name = "SUBJECT")]
    #[serde(rename = "as")]
    pub(super) subject: Subject,
    /// A group that they are in; repeat it for more
    #[arg(long = "group", value_name = "GROUP")]
    #[serde(default)]
    pub(super) groups: Vec<GroupName>,
    /// The role that they ask for
    #[arg(long, value_name = "ROLE")]
    role: RoleName,
    /// A target or target group; all of the role's that are permitted if left out
    #[arg(long, value_name = "NAME")]
    #[serde(default)]
    target: Option<ScopeName>,
    /// The lifetime, such as 5m; the role's longest if left out
    #[arg(long, value_name = "DURATION")]
    #[serde(default)]
    ttl: Option<Ttl>,
    /// Ask about a session through this bastion instead of about a certificate; the target is then one target
    #[arg(long, value_name = "BASTION", requires = "target")]
    #[serde(default)]
    through: Option<BastionName>,
    /// The login name of that session
    #[arg(long, value_name = "ACCOUNT", requires = "through")]
    #[serde(default)]
    account: Option<AccountName>,
    /// The address; 127.0.0.1 if left out. Networks, country and network number follow from the configuration
    #[arg(long, value_name = "ADDRESS")]
    #[serde(default)]
    from: Option<IpAddr>,
    /// A named network that the address is in, besides
    #[arg(long = "network", value_name = "NAME")]
    #[serde(default)]
    networks: Vec<NetworkName>,
    /// The country, whatever a database says: two capital letters
    #[arg(long, value_name = "CC")]
    #[serde(default)]
    country: Option<Country>,
    /// The number of the autonomous system, whatever a database says
    #[arg(long, value_name = "NUMBER")]
    #[serde(default)]
    asn: Option<u32>,
    /// The time, such as 2026-01-31T09:30:00Z; now if left out
    #[arg(long, value_name = "TIME")]
    #[serde(default)]
    at: Option<Moment>,
    /// How they proved who they are: enrolled_key (if left out), sign_in or federation
    #[arg(long, value_name = "METHOD")]
    #[serde(default)]
    method: Option<Method>,
    /// How long ago that was, such as 2h; now if left out
    #[arg(long, value_name = "AGE")]
    #[serde(default)]
    proven: Option<Age>,
    /// The issuer of their sign-in or token, a URL
    #[arg(long, value_name = "URL")]
    #[serde(default)]
    issuer: Option<String>,
    /// Their id at that issuer
    #[arg(long, value_name = "SUB")]
    #[serde(default)]
    sub: Option<String>,
    /// A second factor and how long ago it was proven, such as totp=5m; totp, webauthn or touch. Repeat it for more
    #[arg(long = "factor", value_name = "METHOD=AGE")]
    #[serde(default)]
    factors: Vec<Factor>,
    /// A fact of the device, such as id=laptop-7: id, enrolled, owner, last_seen, reported, disk_encrypted, os, os_version, screen_lock, firewall
    #[arg(long = "device", value_name = "NAME=VALUE")]
    #[serde(default)]
    device: Vec<Pair>,
    /// The version of their tool, such as 1.2.3
    #[arg(long, value_name = "VERSION")]
    #[serde(default)]
    client_version: Option<Version>,
    /// A claim of their workload's token, such as repository_id=1296269; repeat it for more
    #[arg(long = "claim", value_name = "NAME=VALUE")]
    #[serde(default)]
    claims: Vec<Pair>,
    /// As if the request had been approved
    #[arg(long)]
    #[serde(default)]
    approved: bool,
}

impl Supposition {
    /// What they would be answered. `now` is when it is asked, unless the supposition says when.
    pub(super) fn decide(&self, book: &RuleBook, now: OffsetDateTime) -> Result<Decision, SuppositionError> {
        let now = self.at.map_or(now, |at| at.0);
        let context = self.context(book, now);
        let identity = Identity {
            subject: self.subject.clone(),
            groups: self.groups.iter().cloned().collect(),
            evidence: self.evidence(context.unix_seconds())?,
        };
        let named = self.target.as_ref().map(|target| BTreeSet::from([target.clone()]));
        let targets = named.map_or(RequestedTargets::All, RequestedTargets::Named);
        let single = self.target.as_ref().map(|target| TargetName::new(target.as_str())).transpose()?;
        let asked = match (&self.through, &single) {
            (Some(bastion), Some(target)) => Asked::Session { target, bastion, account: self.account.as_ref() },
            (Some(_), None) => return Err(SuppositionError::SessionWithoutTarget),
            (None, _) => Asked::Certificate { targets: &targets, ttl: self.ttl },
        };
        Ok(in_words(&self.subject, policy::why(rules(book, &[]), &identity, &context, &self.role, asked)))
    }

    fn context(&self, book: &RuleBook, now: OffsetDateTime) -> Context {
        let mut context = book.context(now, self.from.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST)));
        context.networks.extend(self.networks.iter().cloned());
        context.country = self.country.or(context.country);
        context.asn = self.asn.or(context.asn);
        context.approved = self.approved;
        context
    }

    fn evidence(&self, now: u64) -> Result<Evidence, SuppositionError> {
        let ago = |age: Age| now.saturating_sub(age.0);
        let (issuer, subject) = (self.issuer.clone().unwrap_or_default(), self.sub.clone().unwrap_or_default());
        let fingerprint = String::new();
        let proof = match self.method {
            None | Some(Method::EnrolledKey) if self.issuer.is_some() || self.sub.is_some() => return Err(SuppositionError::IssuerOfKey),
            None | Some(Method::EnrolledKey) => Proof::EnrolledKey { fingerprint },
            Some(Method::SignIn) => Proof::SignIn { issuer, subject, fingerprint },
            Some(Method::Federation) => Proof::Federation { issuer, subject, fingerprint },
        };
        Ok(Evidence {
            factors: self.factors.iter().map(|factor| (factor.method, ago(factor.age))).collect(),
            device: device(&self.device, now)?,
            client_version: self.client_version,
            claims: self.claims.iter().map(|claim| (claim.name.clone(), claim.value.clone())).collect(),
            ..Evidence::new(proof, ago(self.proven.unwrap_or(Age(0))))
        })
    }
}

/// The device of whoever supposes one; it has an id at least.
fn device(facts: &[Pair], now: u64) -> Result<Option<Device>, SuppositionError> {
    let Some(id) = facts.iter().find(|fact| fact.name == "id") else {
        return if facts.is_empty() { Ok(None) } else { Err(SuppositionError::DeviceWithoutId) };
    };
    let bad = |fact: &Pair| SuppositionError::Device(format!("{}={}", fact.name, fact.value));
    let id = id.value.parse().map_err(|_| bad(id))?;
    let mut device = Device { id, enrolled: true, owner: None, last_seen: None, posture: None };
    let mut posture = Posture { reported_at: now, ..Posture::default() };
    let mut has_reported = false;
    for fact in facts {
        let value = fact.value.as_str();
        let flag = || value.parse::<bool>().map_err(|_| bad(fact));
        let ago = || value.parse::<Age>().map(|age| now.saturating_sub(age.0)).map_err(|_| bad(fact));
        has_reported |= !matches!(fact.name.as_str(), "id" | "enrolled" | "owner" | "last_seen");
        match fact.name.as_str() {
            "id" => {}
            "enrolled" => device.enrolled = flag()?,
            "owner" => device.owner = Some(value.parse().map_err(|_| bad(fact))?),
            "last_seen" => device.last_seen = Some(ago()?),
            "reported" => posture.reported_at = ago()?,
            "disk_encrypted" => posture.disk_encrypted = Some(flag()?),
            "os" => posture.os = Some(value.to_owned()),
            "os_version" => posture.os_version = Some(value.parse().map_err(|_| bad(fact))?),
            "screen_lock" => posture.screen_lock = Some(flag()?),
            "firewall" => posture.firewall = Some(flag()?),
            _ => return Err(bad(fact)),
        }
    }
    device.posture = has_reported.then_some(posture);
    Ok(Some(device))
}

/// Something that cannot be supposed.
#[derive(Debug, thiserror::Error)]
pub(super) enum SuppositionError {
    #[error("an enrolled key has no issuer and no id there: say --method sign_in or --method federation")]
    IssuerOfKey,
    #[error("a session is at one target: name it")]
    SessionWithoutTarget,
    #[error("a device has an id: add id=NAME")]
    DeviceWithoutId,
    #[error(
        "{0:?} is no fact of a device: write id=NAME, enrolled=true, owner=NAME, last_seen=AGE, reported=AGE, disk_encrypted=true, os=NAME, os_version=NUMBERS, \
         screen_lock=true or firewall=true"
    )]
    Device(String),
    #[error(transparent)]
    Name(#[from] dayfly_core::name::NameError),
}

/// How somebody proved who they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
#[value(rename_all = "snake_case")]
enum Method {
    EnrolledKey,
    SignIn,
    Federation,
}

/// A time, RFC 3339.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(try_from = "String")]
struct Moment(OffsetDateTime);

/// How long ago something was, in seconds. Written `5m`.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(try_from = "String")]
struct Age(u64);

/// A second factor and how long ago it was proven. Written `totp=5m`, or `totp` for now.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(try_from = "String")]
struct Factor {
    method: FactorMethod,
    age: Age,
}

/// A name and a value. Written `name=value`.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "String")]
struct Pair {
    name: String,
    value: String,
}

impl std::str::FromStr for Moment {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let at = OffsetDateTime::parse(text, &Rfc3339);
        at.map(Self).map_err(|_| format!("{text:?} is not a time: write 2026-01-31T09:30:00Z, or +01:00 in the place of the Z"))
    }
}

impl std::str::FromStr for Age {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let age: Result<Duration, _> = humantime::parse_duration(text);
        age.map(|age| Self(age.as_secs())).map_err(|_| format!("{text:?} is not an age: write 30s, 5m or 2h"))
    }
}

impl std::str::FromStr for Factor {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let (method, age) = text.split_once('=').unwrap_or((text, "0s"));
        Ok(Self { method: method.parse().map_err(|error: dayfly_core::identity::FactorMethodError| error.to_string())?, age: age.parse()? })
    }
}

impl std::str::FromStr for Pair {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let (name, value) = text.split_once('=').ok_or_else(|| format!("{text:?} is not a name and a value: write NAME=VALUE"))?;
        Ok(Self { name: name.to_owned(), value: value.to_owned() })
    }
}

macro_rules! read_as_written {
    ($($name:ident)*) => {$(
        impl TryFrom<String> for $name {
            type Error = String;
            fn try_from(text: String) -> Result<Self, String> {
                text.parse()
            }
        }
    )*};
}

read_as_written! { Moment Age Factor Pair }
