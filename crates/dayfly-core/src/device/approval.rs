//! When a device is approved without anybody being asked.

use crate::{
    context::Context,
    identity::Identity,
    name::{GroupName, NetworkName},
};
use std::collections::BTreeSet;

/// A rule that approves devices: who enrols them, from where, and how surely it is they. Everything that it names has to be true at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApprovalRule {
    /// Whoever enrols the device is in one of these.
    pub groups: BTreeSet<GroupName>,
    /// The request comes from one of these. Empty: from anywhere.
    pub networks: BTreeSet<NetworkName>,
    /// A second factor was proven this many seconds ago at most. `None`: without one.
    pub second_factor_within: Option<u64>,
}

impl ApprovalRule {
    /// Whether it approves a device that this identity enrols under these conditions.
    pub fn approves(&self, identity: &Identity, context: &Context) -> bool {
        let now = context.unix_seconds();
        // What was proven in the future is never fresh.
        let is_fresh = |within: u64| identity.evidence.factors.values().any(|at| now.checked_sub(*at).is_some_and(|age| age <= within));
        !self.groups.is_disjoint(&identity.groups)
            && (self.networks.is_empty() || !self.networks.is_disjoint(&context.networks))
            && self.second_factor_within.is_none_or(is_fresh)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::identity::{Evidence, FactorMethod, Proof};
    use time::OffsetDateTime;

    #[test]
    fn a_rule_approves_only_if_everything_that_it_names_is_true() {
        let names = |names: &[&str]| names.iter().map(|name| name.parse().unwrap()).collect::<BTreeSet<GroupName>>();
        let networks = |names: &[&str]| names.iter().map(|name| name.parse().unwrap()).collect::<BTreeSet<NetworkName>>();
        let rule = ApprovalRule { groups: names(&["staff", "dba"]), networks: networks(&["office"]), second_factor_within: Some(600) };
        let now = 1_800_000_000_u64;
        let context = |held: &[&str]| Context {
            networks: networks(held),
            ..Context::new(OffsetDateTime::from_unix_timestamp(i64::try_from(now).unwrap()).unwrap(), "192.0.2.7".parse().unwrap())
        };
        let identity = |groups: &[&str], factor: Option<u64>| {
            let mut evidence = Evidence::new(Proof::EnrolledKey { fingerprint: "SHA256:a".to_owned() }, now);
            evidence.factors.extend(factor.map(|at| (FactorMethod::Totp, at)));
            Identity { subject: "alice".parse().unwrap(), groups: names(groups), evidence }
        };
        assert!(rule.approves(&identity(&["dba"], Some(now - 600)), &context(&["home", "office"])));
        assert!(!rule.approves(&identity(&["interns"], Some(now)), &context(&["office"])));
        assert!(!rule.approves(&identity(&["dba"], Some(now)), &context(&["home"])));
        assert!(!rule.approves(&identity(&["dba"], Some(now - 601)), &context(&["office"])));
        assert!(!rule.approves(&identity(&["dba"], Some(now + 1)), &context(&["office"])), "proven in the future");
        assert!(!rule.approves(&identity(&["dba"], None), &context(&["office"])));
        let loose = ApprovalRule { networks: BTreeSet::new(), second_factor_within: None, ..rule };
        assert!(loose.approves(&identity(&["staff"], None), &context(&[])));
        let empty = ApprovalRule { groups: BTreeSet::new(), ..loose };
        assert!(!empty.approves(&identity(&["staff"], None), &context(&[])), "a rule for nobody");
    }
}
