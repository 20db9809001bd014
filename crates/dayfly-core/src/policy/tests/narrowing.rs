//! A request narrows what a role gives, and policy narrows it further; nothing widens it.

use super::*;
use crate::{name::AccountName, principal::PrincipalTemplate};
use proptest::prelude::*;

fn principals(sample: &Sample, scopes: &[&str]) -> Vec<String> {
    names(decided(sample, &alice(), &request("r", scopes)).unwrap().principals())
}

#[test]
fn one_principal_for_each_target() {
    let sample = with_role(DB_ADMIN);
    assert_eq!(principals(&sample, &["db2"]), ["deploy@db2"]);
    assert_eq!(principals(&sample, &["db"]), ["deploy@db1", "deploy@db2"]);
    assert_eq!(principals(&sample, &[]), ["deploy@db1", "deploy@db2"]);
}

#[test]
fn a_group_principal_only_for_a_group_that_the_role_names() {
    let sample = with_role("principals = [\"deploy@{group}\"]\ntargets = [\"db\", \"web1\"]");
    assert_eq!(principals(&sample, &["db"]), ["deploy@db"]);
    assert_eq!(principals(&sample, &["db1"]), ["deploy@db1"]);
    assert_eq!(principals(&sample, &["web"]), ["deploy@web1"]);
    assert_eq!(principals(&sample, &["db", "web"]), ["deploy@db", "deploy@web1"]);
    assert_eq!(principals(&sample, &["all"]), ["deploy@db1", "deploy@db2", "deploy@web1"]);
    assert_eq!(principals(&sample, &[]), ["deploy@db", "deploy@web1"]);
}

#[test]
fn a_group_principal_only_if_every_member_is_permitted() {
    let mut sample = with_role("principals = [\"deploy@{group}\"]\ntargets = [\"all\"]");
    assert_eq!(principals(&sample, &[]), ["deploy@all"]);
    sample.policy =
        policy("@id(\"p\") permit(principal, action == Action::\"request\", resource) when { context.target != Target::\"db2\" };");
    assert_eq!(principals(&sample, &[]), ["deploy@db1", "deploy@web1"]);
    refused(&sample, &alice(), &request("r", &["all"]), Reason::PolicyDenied, "db2");
}

#[test]
fn a_literal_only_where_a_permitted_target_lists_it() {
    let sample = with_role("principals = [\"dba\"]\ntargets = [\"db\"]");
    assert_eq!(principals(&sample, &["db"]), ["dba"]);
    refused(&sample, &alice(), &request("r", &["db2"]), Reason::NoPrincipals, "no principal");
    let sample = with_role("principals = [\"dba\", \"deploy@{target}\"]\ntargets = [\"db\"]");
    assert_eq!(principals(&sample, &["db2"]), ["deploy@db2"]);
}

#[test]
fn no_more_principals_than_openssh_reads() {
    let many = |count: usize| {
        let accounts: Vec<String> = (0..count).map(|n| format!("\"a{n}@{{target}}\"")).collect();
        with_role(&format!("principals = [{}]\ntargets = [\"db\"]", accounts.join(", ")))
    };
    assert_eq!(principals(&many(128), &["db"]).len(), 256);
    assert_eq!(principals(&many(129), &["db1"]).len(), 129);
    refused(&many(129), &alice(), &request("r", &["db"]), Reason::LimitReached, "258");
}

#[test]
fn a_longer_lifetime_is_cut_and_said_so() {
    let sample = with_role(DB_ADMIN);
    let mut asked = request("r", &["db1"]);
    asked.ttl = Some("1h".parse().unwrap());
    let grant = decided(&sample, &alice(), &asked).unwrap();
    assert_eq!(grant.ttl(), Ttl::DEFAULT);
    assert!(matches!(grant.explanation().narrowed.as_slice(), [one] if one.contains("1h") && one.contains("5m")));
    asked.ttl = Some("1m".parse().unwrap());
    let grant = decided(&sample, &alice(), &asked).unwrap();
    assert_eq!(grant.ttl().seconds(), 60);
    assert!(grant.explanation().narrowed.is_empty());
}

#[test]
fn source_addresses_are_the_union_of_what_the_role_lists() {
    let addresses = |list: &str| {
        let sample = with_role(&format!("{DB_ADMIN}source_address = [{list}]"));
        names(decided(&sample, &alice(), &request("r", &["db1"])).unwrap().source_address)
    };
    assert_eq!(addresses("\"client\""), ["198.51.100.7/32"]);
    assert_eq!(addresses("\"bastion\""), ["192.0.2.1/32"]);
    assert_eq!(addresses("\"client\", \"bastion\", \"203.0.113.0/24\", \"client\"").len(), 3);
    assert!(addresses("").is_empty());
}

#[test]
fn row_04_a_role_for_bastions_only_is_not_for_everybody_when_there_is_none() {
    let mut sample = with_role(&format!("{DB_ADMIN}source_address = [\"bastion\"]"));
    sample.bastion_networks.clear();
    refused(&sample, &alice(), &request("r", &["db1"]), Reason::SourceAddress, "bastion");
}

/// What a role may hold in the property below: every form of principal and target, in every mixture.
fn any_role() -> impl Strategy<Value = String> {
    let quoted = |words: &'static [&'static str], least: usize| {
        proptest::sample::subsequence(words, least..=words.len())
            .prop_map(|words| words.iter().map(|word| format!("\"{word}\"")).collect::<Vec<_>>().join(", "))
    };
    let principals = quoted(&["deploy@{target}", "root@{group}", "ops@{group}"], 1);
    let targets = quoted(&["db1", "db2", "web1", "db", "web", "all"], 1);
    let extensions = quoted(&["permit-pty", "permit-port-forwarding", "permit-agent-forwarding"], 0);
    let sources = quoted(&["client", "bastion", "203.0.113.0/24"], 0);
    (principals, targets, extensions, sources, 1..7200_u64).prop_map(|(principals, targets, extensions, sources, seconds)| {
        format!(
            "principals = [{principals}]\ntargets = [{targets}]\nextensions = [{extensions}]\nsource_address = [{sources}]\nmax_ttl = \"{seconds}s\"\n"
        )
    })
}

/// The targets that policy permits in the property below.
fn any_permitted() -> impl Strategy<Value = Vec<&'static str>> {
    proptest::sample::subsequence(&["db1", "db2", "web1"], 0..=3)
}

fn any_scopes() -> impl Strategy<Value = Vec<&'static str>> {
    proptest::sample::subsequence(&["db1", "db2", "web1", "db", "web", "all", "gone"], 0..=4)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn row_18_a_request_can_only_narrow(
        role in any_role(),
        permitted in any_permitted(),
        scopes in any_scopes(),
        ttl in proptest::option::of(1..86_400_u64),
    ) {
        let mut sample = with_role(&role);
        let permit = |name: &&str| format!("@id(\"{name}\") permit(principal, action == Action::\"request\", resource) when {{ context.target == Target::\"{name}\" }};");
        sample.policy = policy(&permitted.iter().map(permit).collect::<String>());
        let mut asked = request("r", &scopes);
        asked.ttl = ttl.map(|seconds| Ttl::from_seconds(seconds).unwrap());
        let role = sample.roles.get("r").unwrap();
        match decided(&sample, &alice(), &asked) {
            Ok(grant) => {
                let is_asked_for = |target: &Target| scopes.is_empty() || target.scopes().any(|own| scopes.contains(&own));
                for target in sample.inventory.iter() {
                    let is_granted = grant.targets().contains(&target.name);
                    let may_be = role.covers(target) && permitted.contains(&target.name.as_str()) && is_asked_for(target);
                    prop_assert_eq!(is_granted, may_be, "{}", target.name);
                    // The certificate logs in where it was granted, and nowhere else.
                    let admitted = target.scopes().any(|scope| grant.principals().iter().any(|one| one.as_str().ends_with(&format!("@{scope}"))));
                    prop_assert_eq!(admitted, is_granted, "{}", target.name);
                }
                prop_assert!(grant.principals().is_subset(&most(role, &sample.inventory)));
                prop_assert!(grant.ttl() <= role.max_ttl && asked.ttl.is_none_or(|asked| grant.ttl() <= asked));
                prop_assert_eq!(&grant.extensions, &role.extensions);
                prop_assert_eq!(grant.source_address.is_empty(), role.source_address.is_empty());
            }
            Err(refusal) => {
                let may_be = |target: &Target| role.covers(target) && permitted.contains(&target.name.as_str());
                let members = |scope: &&str| sample.inventory.iter().filter(|target| target.scopes().any(|own| own == *scope)).collect::<Vec<_>>();
                let grantable = match scopes.as_slice() {
                    [] => sample.inventory.iter().any(may_be),
                    named => named.iter().map(members).all(|members| !members.is_empty() && members.into_iter().all(may_be)),
                };
                prop_assert!(!grantable, "{:?}", refusal);
            }
        }
    }
}

/// Every principal that `role` could ever give.
fn most(role: &Role, inventory: &Inventory) -> BTreeSet<Principal> {
    let covered = || inventory.iter().filter(|target| role.covers(target)).map(|target| ScopeName::from(target.name.clone()));
    let scoped = |account: &AccountName, scope: ScopeName| Principal::scoped(account, &scope);
    let of = |template: &PrincipalTemplate| -> Vec<Principal> {
        match template {
            PrincipalTemplate::PerTarget(account) => covered().map(|scope| scoped(account, scope)).collect(),
            PrincipalTemplate::PerGroup(account) => {
                let groups = role.targets.iter().filter(|scope| inventory.is_group(scope)).cloned();
                covered().chain(groups).map(|scope| scoped(account, scope)).collect()
            }
            PrincipalTemplate::Literal(principal) => vec![principal.clone()],
        }
    };
    role.principals.iter().flat_map(of).collect()
}
