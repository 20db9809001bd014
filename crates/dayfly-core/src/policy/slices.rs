//! Policies sorted by the role that their scope names, so that a decision evaluates the few that can matter and not all of them.

use super::schema::Vocabulary;
use crate::name::RoleName;
use cedar_policy::{EntityUid, Policy, PolicySet, PolicySetError, ResourceConstraint};
use std::collections::{BTreeMap, BTreeSet};

/// Every policy, in the sets that questions are put to.
#[derive(Debug, Clone, Default)]
pub(super) struct Slices {
    by_role: BTreeMap<String, Slice>,
    other_roles: Slice,
    targets: Slice,
}

/// The policies that can matter to a question.
#[derive(Debug, Clone, Default)]
pub(super) struct Slice {
    pub(super) policies: PolicySet,
    /// The targets that these policies name. Their attributes and groups must be known when the policies are evaluated.
    pub(super) named_targets: BTreeSet<String>,
}

/// What a policy's scope says about the resource.
enum Resource {
    /// This role.
    Role(String),
    /// Some role.
    AnyRole,
    /// Some target or target group.
    Targets,
    /// Anything.
    Any,
}

impl Slices {
    pub(super) fn new(policies: &[Policy], vocabulary: &Vocabulary) -> Result<Self, Box<PolicySetError>> {
        let sorted: Vec<(Resource, &Policy)> = policies.iter().map(|policy| (resource(policy, vocabulary), policy)).collect();
        let slice = |wanted: &dyn Fn(&Resource) -> bool| {
            Slice::new(sorted.iter().filter(|(resource, _)| wanted(resource)).map(|(_, policy)| *policy), vocabulary)
        };
        let general = |resource: &Resource| matches!(resource, Resource::AnyRole | Resource::Any);
        let names: BTreeSet<&String> =
            sorted.iter().filter_map(|(resource, _)| if let Resource::Role(name) = resource { Some(name) } else { None }).collect();
        let mut by_role = BTreeMap::new();
        for name in names {
            let own = |resource: &Resource| general(resource) || matches!(resource, Resource::Role(own) if own == name);
            by_role.insert(name.clone(), slice(&own)?);
        }
        let targets = slice(&|resource| matches!(resource, Resource::Targets | Resource::Any))?;
        Ok(Self { by_role, other_roles: slice(&general)?, targets })
    }

    /// The policies for a question about this role.
    pub(super) fn of_role(&self, role: &RoleName) -> &Slice {
        self.by_role.get(role.as_str()).unwrap_or(&self.other_roles)
    }

    /// The policies for a question about a target or a target group.
    pub(super) fn of_targets(&self) -> &Slice {
        &self.targets
    }
}

impl Slice {
    fn new<'a>(policies: impl Iterator<Item = &'a Policy>, vocabulary: &Vocabulary) -> Result<Self, Box<PolicySetError>> {
        let mut slice = Self::default();
        for policy in policies {
            let targets = policy.entity_literals().into_iter().filter(|literal| *literal.type_name() == vocabulary.target);
            slice.named_targets.extend(targets.map(|target| target.id().unescaped().to_owned()));
            slice.policies.add(policy.clone()).map_err(Box::new)?;
        }
        Ok(slice)
    }
}

/// A scope that fits nothing below stays with every question: too many policies cost time, too few would cost safety.
fn resource(policy: &Policy, vocabulary: &Vocabulary) -> Resource {
    let is_target = |entity_type: &_| *entity_type == vocabulary.target || *entity_type == vocabulary.target_group;
    let of = |entity: &EntityUid| match entity.type_name() {
        role if *role == vocabulary.role => Resource::Role(entity.id().unescaped().to_owned()),
        target if is_target(target) => Resource::Targets,
        _ => Resource::Any,
    };
    match policy.resource_constraint() {
        ResourceConstraint::Eq(entity) | ResourceConstraint::In(entity) => of(&entity),
        ResourceConstraint::Is(role) if role == vocabulary.role => Resource::AnyRole,
        ResourceConstraint::Is(target) if is_target(&target) => Resource::Targets,
        ResourceConstraint::IsIn(entity_type, entity) if entity_type == vocabulary.role || is_target(&entity_type) => of(&entity),
        ResourceConstraint::Is(_) | ResourceConstraint::IsIn(..) | ResourceConstraint::Any => Resource::Any,
    }
}
