//! What a policy sees of who asks and under which conditions: the context's attributes, as one tree that Cedar evaluates and people can read.

use super::schema::{Vocabulary, uid};
use crate::{
    context::Context,
    device::{Device, Posture, Version},
    identity::{Evidence, FactorMethod, Identity},
    role::Role,
    time_zone::LocalTime,
};
use cedar_policy::{EntityUid, ExpressionConstructionError, RestrictedExpression as Value};
use std::{collections::BTreeMap, fmt};

/// The entity that holds the claims of whoever asks. There is one at most.
pub(super) const WORKLOAD: &str = "claims";

/// One attribute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fact {
    Text(String),
    Number(i64),
    Bool(bool),
    Address(std::net::IpAddr),
    Time(time::UtcDateTime),
    Entity(EntityUid),
    Set(Vec<Fact>),
    Record(Facts),
}

/// Attributes by name. What is not known is not there.
pub(super) type Facts = BTreeMap<&'static str, Fact>;

/// What every action's context holds: from where, when, how and how long ago the identity was proven, and on what it works.
pub(super) fn conditions(vocabulary: &Vocabulary, identity: &Identity, context: &Context) -> Facts {
    let evidence = &identity.evidence;
    let now = context.unix_seconds();
    let networks = context.networks.iter().map(|name| Fact::Entity(uid(&vocabulary.network, name.as_str())));
    let mut facts = Facts::from([
        ("source", Fact::Address(context.source.to_canonical())),
        ("networks", Fact::Set(networks.collect())),
        ("now", Fact::Time(context.now.to_utc())),
        ("authentication", authentication(evidence, now)),
    ]);
    facts.extend(context.country.map(|country| ("country", Fact::Text(country.to_string()))));
    facts.extend(context.asn.map(|asn| ("asn", Fact::Number(asn.into()))));
    facts.extend(second_factor(evidence, now).map(|factor| ("second_factor", factor)));
    facts.extend(evidence.device.as_ref().map(|known| ("device", device(vocabulary, known, now))));
    facts.extend(evidence.client_version.map(|told| ("client_version", version(told))));
    facts
}

/// What the context of an action on a role holds beside the conditions.
pub(super) fn of_role(role: &Role, context: &Context) -> Facts {
    let local = role.time_zone.as_ref().map_or_else(|| LocalTime::utc(context.now), |zone| zone.local(context.now));
    let number = |value: u8| Fact::Number(value.into());
    let local = [("hour", number(local.hour)), ("minute", number(local.minute)), ("weekday", number(local.weekday))];
    Facts::from([("local", Fact::Record(local.into()))])
}

/// What the context of a request, and of a session with what came of it, holds beside that.
pub(super) fn of_request(vocabulary: &Vocabulary, identity: &Identity, context: &Context) -> Facts {
    let mut facts = Facts::from([("approved", Fact::Bool(context.approved))]);
    let workload = (!identity.evidence.claims.is_empty()).then(|| Fact::Entity(uid(&vocabulary.workload, WORKLOAD)));
    facts.extend(workload.map(|workload| ("workload", workload)));
    facts
}

fn authentication(evidence: &Evidence, now: u64) -> Fact {
    let method = Fact::Text(evidence.proof.method().to_owned());
    let mut facts = Facts::from([("method", method), ("age_seconds", age(evidence.proven_at, now))]);
    if let Some((issuer, subject)) = evidence.proof.issuer_and_subject() {
        facts.extend([("issuer", Fact::Text(issuer.to_owned())), ("subject", Fact::Text(subject.to_owned()))]);
    }
    Fact::Record(facts)
}

fn second_factor(evidence: &Evidence, now: u64) -> Option<Fact> {
    let newest = evidence.factors.values().max()?;
    let mut facts = Facts::from([("age_seconds", age(*newest, now))]);
    let factor =
        |(method, proven_at): (&FactorMethod, &u64)| (method.as_str(), Fact::Record([("age_seconds", age(*proven_at, now))].into()));
    facts.extend(evidence.factors.iter().map(factor));
    Some(Fact::Record(facts))
}

fn device(vocabulary: &Vocabulary, device: &Device, now: u64) -> Fact {
    let mut facts = Facts::from([("id", Fact::Text(device.id.to_string())), ("enrolled", Fact::Bool(device.enrolled))]);
    facts.extend(device.owner.as_ref().map(|owner| ("owner", Fact::Entity(uid(&vocabulary.person, owner.as_str())))));
    facts.extend(device.last_seen.map(|seen| ("last_seen_age_seconds", age(seen, now))));
    facts.extend(device.posture.as_ref().map(|told| ("self_reported", posture(told, now))));
    Fact::Record(facts)
}

fn posture(posture: &Posture, now: u64) -> Fact {
    let mut facts = Facts::from([("age_seconds", age(posture.reported_at, now))]);
    facts.extend(posture.disk_encrypted.map(|told| ("disk_encrypted", Fact::Bool(told))));
    facts.extend(posture.os.as_ref().map(|told| ("os", Fact::Text(told.clone()))));
    facts.extend(posture.os_version.map(|told| ("os_version", version(told))));
    facts.extend(posture.screen_lock.map(|told| ("screen_lock", Fact::Bool(told))));
    facts.extend(posture.firewall.map(|told| ("firewall", Fact::Bool(told))));
    Fact::Record(facts)
}

fn version(version: Version) -> Fact {
    let number = |value: u32| Fact::Number(value.into());
    Fact::Record([("major", number(version.major)), ("minor", number(version.minor)), ("patch", number(version.patch))].into())
}

/// How far ahead of the decision a proof may seem to lie, in seconds: it is taken while the decision is being prepared.
const AHEAD_SECONDS: u64 = 60;

/// How long ago, in seconds. What lies in the future was proven before the clock was set back, and is never fresh.
fn age(then: u64, now: u64) -> Fact {
    let seconds = match then.checked_sub(now) {
        Some(ahead) if ahead > AHEAD_SECONDS => i64::MAX,
        _ => i64::try_from(now.saturating_sub(then)).unwrap_or(i64::MAX),
    };
    Fact::Number(seconds)
}

impl Fact {
    /// As Cedar takes it.
    pub(super) fn value(&self) -> Result<Value, ExpressionConstructionError> {
        Ok(match self {
            Self::Text(text) => Value::new_string(text.clone()),
            Self::Number(number) => Value::new_long(*number),
            Self::Bool(told) => Value::new_bool(*told),
            Self::Address(address) => Value::new_ip(address.to_string()),
            Self::Time(at) => Value::new_datetime(date_time(*at)),
            Self::Entity(entity) => Value::new_entity_uid(entity.clone()),
            Self::Set(members) => Value::new_set(members.iter().map(Self::value).collect::<Result<Vec<_>, _>>()?),
            Self::Record(facts) => Value::new_record(pairs(facts, |_| true)?)?,
        })
    }
}

/// The names that are `wanted` and their values, as Cedar takes them.
pub(super) fn pairs(facts: &Facts, wanted: impl Fn(&str) -> bool) -> Result<Vec<(String, Value)>, ExpressionConstructionError> {
    let wanted = facts.iter().filter(|(name, _)| wanted(name));
    wanted.map(|(name, fact)| Ok(((*name).to_owned(), fact.value()?))).collect()
}

/// As Cedar and people read it.
fn date_time(at: time::UtcDateTime) -> String {
    let (date, (hour, minute, second)) = (at.date(), at.time().as_hms());
    format!("{date}T{hour:02}:{minute:02}:{second:02}Z")
}

impl fmt::Display for Fact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => write!(f, "{text:?}"),
            Self::Number(number) => write!(f, "{number}"),
            Self::Bool(told) => write!(f, "{told}"),
            Self::Address(address) => write!(f, "{address}"),
            Self::Time(at) => f.write_str(&date_time(*at)),
            Self::Entity(entity) => write!(f, "{entity}"),
            Self::Set(members) => listed(f, ('[', ']'), members.iter()),
            Self::Record(facts) => listed(f, ('{', '}'), facts.iter().map(|(name, fact)| format!("{name}: {fact}"))),
        }
    }
}

fn listed<T: fmt::Display>(f: &mut fmt::Formatter<'_>, (open, close): (char, char), entries: impl Iterator<Item = T>) -> fmt::Result {
    write!(f, "{open}")?;
    for (index, entry) in entries.enumerate() {
        let separator = if index > 0 { ", " } else { "" };
        write!(f, "{separator}{entry}")?;
    }
    write!(f, "{close}")
}
