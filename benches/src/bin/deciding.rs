//! Decisions a second with 1,000 policies and 10,000 people, beside plain Cedar with the same policies, people and facts in the same run.

use anyhow::{Context as _, Result, ensure};
use cedar_policy::{
    Authorizer, Context as Facts, Decision as Answer, Entities, Entity, EntityUid, PolicySet, Request, RestrictedExpression as Value,
};
use clap::Parser;
use dayfly_benches::{Figure, show};
use dayfly_core::{
    context::Context,
    identity::{FactorMethod, Identity},
    policy::{self, Policy, PolicySource, Rules, sample},
    request::CertificateRequest,
    role::Roles,
};
use serde::Deserialize;
use std::{
    collections::{HashMap, HashSet},
    hint::black_box,
    time::{Duration, Instant},
};
use uuid::Uuid;

const POLICIES: usize = 1_000;
const ROLES: usize = 100;
const PEOPLE: usize = 10_000;
const GROUPS: usize = 500;
const SPAN: Duration = Duration::from_secs(2);

/// How quickly requests are decided.
#[derive(Parser)]
struct Arguments {
    /// Print an object a line.
    #[arg(long)]
    json: bool,
}

/// An installation, and its policies as text.
struct Installation {
    policy: Policy,
    roles: Roles,
    text: String,
    people: Vec<(Identity, CertificateRequest)>,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let mut figures = Vec::new();
    for (name, installation) in [
        ("by role", installation(by_role, false)?),
        ("by role, 1 in 10 wants what is missing", installation(by_role, true)?),
        ("all for one role, by person", installation(by_person, false)?),
    ] {
        figures.extend(measure(name, &installation)?);
    }
    show(&figures, arguments.json)
}

/// Ten policies a role, each about one group, with conditions of the usual kinds; and five that are about everything.
fn by_role(number: usize) -> String {
    let condition = match number % 5 {
        0 => "context.networks.contains(Network::\"office\")",
        1 => "context has country && [\"DE\", \"AT\", \"CH\"].contains(context.country)",
        2 => "context.local.hour >= 6 && context.local.hour < 20",
        3 => "context has second_factor && context.second_factor.age_seconds < 3600",
        _ => "context.source.isInRange(ip(\"198.51.100.0/24\"))",
    };
    match number {
        0..5 => {
            format!("forbid (principal, action == Action::\"request\", resource) when {{ context.target.mode == \"nothing{number}\" }};")
        }
        _ => format!(
            "permit (principal in Group::\"g{}\", action in [Action::\"request\", Action::\"connect\"], resource == Role::\"r{}\") when {{ {condition} }};",
            number % GROUPS,
            number % ROLES
        ),
    }
}

/// A policy for each of a thousand people, all about one role.
fn by_person(number: usize) -> String {
    format!(
        "permit (principal == Person::\"p{number}\", action == Action::\"request\", resource == Role::\"r0\") when {{ context.ttl_seconds <= 600 }};"
    )
}

fn installation(policy: impl Fn(usize) -> String, some_lack_a_factor: bool) -> Result<Installation> {
    let text = (0..POLICIES).fold(String::new(), |text, number| format!("{text}@id(\"s{number}\")\n{}\n", policy(number)));
    let is_by_person = text.contains("Person");
    let parsed = Policy::parse(&[PolicySource { name: "bench.cedar".to_owned(), text: text.clone() }]);
    let parsed = parsed.map_err(|errors| anyhow::anyhow!("{:?}", errors.first()))?;
    let roles = roles()?;
    let people = (0..PEOPLE).map(|number| {
        let group = number % GROUPS;
        let name = if is_by_person { format!("p{}", number % POLICIES) } else { format!("p{number}") };
        let mut identity = sample::identity(&name, &[&format!("g{group}"), "everybody", "developers"]);
        if !(some_lack_a_factor && number.is_multiple_of(2)) {
            identity.evidence.factors.insert(FactorMethod::Totp, sample::context().unix_seconds() - 60);
        }
        let role = if is_by_person { "r0".to_owned() } else { format!("r{}", group % ROLES) };
        (identity, sample::request(&role, &["web1"]))
    });
    Ok(Installation { policy: parsed, roles, text, people: people.collect() })
}

fn roles() -> Result<Roles> {
    #[derive(Deserialize)]
    struct File {
        role: Vec<dayfly_core::role::Role>,
    }
    let role = |number| {
        format!(
            "[[role]]\nname = \"r{number}\"\nprincipals = [\"deploy@{{target}}\"]\ntargets = [\"web1\"]\ntime_zone = \"Europe/Berlin\"\n"
        )
    };
    let text: String = (0..ROLES).map(role).collect();
    Roles::new(toml::from_str::<File>(&text)?.role, &sample::inventory()).map_err(|errors| anyhow::anyhow!("{errors:?}"))
}

/// From the office in Germany, at noon.
fn context() -> Context {
    let mut context = sample::context();
    context.networks.extend("office".parse());
    context.country = "DE".parse().ok();
    context.asn = Some(64_496);
    context
}

fn measure(name: &str, installation: &Installation) -> Result<Vec<Figure>> {
    let Installation { policy, roles, text, people } = installation;
    let inventory = sample::inventory();
    let rules = Rules { policy, roles, inventory: &inventory, bastion_networks: &[] };
    let context = context();
    let decide =
        |(identity, request): &(Identity, CertificateRequest)| policy::decide(rules, identity, &context, request, Uuid::nil()).into_grant();

    let all: PolicySet = text.parse()?;
    let plain = |(identity, request): &(Identity, CertificateRequest)| by_cedar(&all, identity, &context, request.role.as_str());
    let granted = people.iter().filter(|person| decide(person).is_ok()).count();
    for person in people.iter().step_by(97) {
        ensure!(decide(person).is_ok() == plain(person)?, "the two disagree about {person:?}");
    }

    let mut next = people.iter().cycle();
    let our_rate = rate_of_core(|| {
        let _ = black_box(decide(next.next().context("there are people")?));
        Ok(())
    })?;
    let mut next = people.iter().cycle();
    let their_rate = rate_of_core(|| {
        black_box(plain(next.next().context("there are people")?)?);
        Ok(())
    })?;
    let mut times: Vec<f64> = people
        .iter()
        .map(|person| {
            let start = Instant::now();
            let _ = black_box(decide(person));
            start.elapsed().as_secs_f64() * 1e6
        })
        .collect();
    times.sort_by(f64::total_cmp);
    let p99 = times.get(times.len() * 99 / 100).copied().context("there are people")?;
    let reference = Figure::new(format!("plain Cedar, {name}"), their_rate, "decisions/s of a core");
    Ok(vec![
        Figure::new(format!("decided, {name}"), our_rate, "decisions/s of a core").beside(&reference),
        reference,
        Figure::new(format!("decided, {name}, p99"), p99, "µs"),
        Figure::new(format!("granted, {name}"), 100.0 * f64::from(u32::try_from(granted)?) / f64::from(u32::try_from(people.len())?), "%"),
    ])
}

/// How often a second of one core `work` can be done: what other programs of a busy machine take is not counted.
fn rate_of_core(mut work: impl FnMut() -> Result<()>) -> Result<f64> {
    let (start, mut done) = (on_core()?, 0_u32);
    loop {
        for _ in 0..100 {
            work()?;
        }
        done += 100;
        let spent = on_core()?.saturating_sub(start);
        if spent > SPAN {
            return Ok(f64::from(done) / spent.as_secs_f64());
        }
    }
}

/// How long this thread has been on a core.
fn on_core() -> Result<Duration> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat")?;
    Ok(Duration::from_nanos(text.split(' ').next().context("the time on a core stands first")?.parse()?))
}

/// As somebody would who uses Cedar as its documentation shows: entities and context for the request, and all policies.
fn by_cedar(policies: &PolicySet, identity: &Identity, context: &Context, role: &str) -> Result<bool> {
    let uid = |text: &str| text.parse::<EntityUid>().map_err(anyhow::Error::from);
    let principal = uid(&format!("Person::\"{}\"", identity.subject))?;
    let groups = identity.groups.iter().map(|group| uid(&format!("Group::\"{group}\""))).collect::<Result<HashSet<_>, _>>()?;
    let target = uid("Target::\"web1\"")?;
    let parents = HashSet::from([uid("TargetGroup::\"web\"")?, uid("TargetGroup::\"all\"")?]);
    let mode = HashMap::from([("mode".to_owned(), Value::new_string("passthrough".to_owned()))]);
    let entities = [Entity::new_no_attrs(principal.clone(), groups), Entity::new(target.clone(), mode, parents)?];
    let entities = Entities::from_entities(entities, None)?;
    let age = |then: u64| Value::new_long(i64::try_from(context.unix_seconds() - then).unwrap_or(0));
    let pair = |name: &str, value: Value| (name.to_owned(), value);
    let mut facts = vec![
        pair("target", Value::new_entity_uid(target)),
        pair("ttl_seconds", Value::new_long(300)),
        pair("source", Value::new_ip(context.source.to_string())),
        pair("networks", Value::new_set([Value::new_entity_uid(uid("Network::\"office\"")?)])),
        pair("country", Value::new_string("DE".to_owned())),
        pair("now", Value::new_datetime("2025-01-01T12:00:00Z")),
        pair(
            "local",
            Value::new_record([
                pair("hour", Value::new_long(13)),
                pair("minute", Value::new_long(0)),
                pair("weekday", Value::new_long(3)),
            ])?,
        ),
        pair("approved", Value::new_bool(false)),
    ];
    if let Some(proven_at) = identity.evidence.factors.get(&FactorMethod::Totp) {
        facts.push(pair("second_factor", Value::new_record([pair("age_seconds", age(*proven_at))])?));
    }
    let request =
        Request::new(principal, uid("Action::\"request\"")?, uid(&format!("Role::\"{role}\""))?, Facts::from_pairs(facts)?, None)?;
    Ok(Authorizer::new().is_authorized(&request, policies, &entities).decision() == Answer::Allow)
}
