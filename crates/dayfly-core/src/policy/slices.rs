//! Policies sorted by the role and the people that their scopes name, so that a decision evaluates the few that can matter and not all of them.

use super::{
    parts::Mention,
    schema::{Vocabulary, uid},
    statement::Statement,
};
use crate::{
    identity::{FactorMethod, Identity},
    name::RoleName,
};
use cedar_policy::{EntityUid, Policy, PolicySet, PolicySetError, PrincipalConstraint, ResourceConstraint};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

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
    /// All of them, in the order of their files.
    pub(super) statements: Vec<Arc<Statement>>,
    /// Those that are about everybody, or about a kind of principals.
    everybody: PolicySet,
    /// Those whose scope names a person, a machine or a group, by that.
    named: HashMap<EntityUid, PolicySet>,
    /// The targets that these policies name. Their attributes and groups must be known when the policies are evaluated.
    pub(super) named_targets: BTreeSet<String>,
    /// What of that which a person can bring these policies look at.
    pub(super) remedies: Remedies,
    looked_at: LookedAt,
}

/// Which attributes of the context policies look at.
#[derive(Debug, Clone, Default)]
struct LookedAt {
    /// They might look at any.
    everything: bool,
    /// The outermost names.
    attributes: BTreeSet<String>,
}

/// What of that which a person can bring policies look at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Remedies {
    pub(super) second_factor: bool,
    /// Whether they tell one method from another.
    pub(super) methods: bool,
    pub(super) approval: bool,
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
    pub(super) fn new(statements: &[Arc<Statement>], vocabulary: &Vocabulary) -> Result<Self, Box<PolicySetError>> {
        let sorted: Vec<(Resource, &Arc<Statement>)> =
            statements.iter().map(|statement| (resource(&statement.policy, vocabulary), statement)).collect();
        let slice = |wanted: &dyn Fn(&Resource) -> bool| {
            Slice::new(sorted.iter().filter(|(resource, _)| wanted(resource)).map(|(_, statement)| *statement), vocabulary)
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
    fn new<'a>(statements: impl Iterator<Item = &'a Arc<Statement>>, vocabulary: &Vocabulary) -> Result<Self, Box<PolicySetError>> {
        let mut slice = Self::default();
        for statement in statements {
            let policy = &statement.policy;
            let targets = policy.entity_literals().into_iter().filter(|literal| *literal.type_name() == vocabulary.target);
            slice.named_targets.extend(targets.map(|target| target.id().unescaped().to_owned()));
            let set = match policy.principal_constraint() {
                PrincipalConstraint::Eq(who) | PrincipalConstraint::In(who) | PrincipalConstraint::IsIn(_, who) => {
                    slice.named.entry(who).or_default()
                }
                PrincipalConstraint::Any | PrincipalConstraint::Is(_) => &mut slice.everybody,
            };
            set.add(policy.clone()).map_err(Box::new)?;
            slice.remedies.note(statement);
            slice.looked_at.note(statement);
            slice.statements.push(Arc::clone(statement));
        }
        Ok(slice)
    }

    /// Whether one of these policies looks at this attribute of the context. One that none looks at changes no answer.
    pub(super) fn looks_at(&self, attribute: &str) -> bool {
        self.looked_at.everything || self.looked_at.attributes.contains(attribute)
    }

    /// The policies that can apply to `principal`, who is this identity. Groups hold people and machines and no groups, so that nothing else
    /// makes somebody a member of what a scope names.
    pub(super) fn about<'a>(
        &'a self,
        vocabulary: &Vocabulary,
        principal: &EntityUid,
        identity: &Identity,
    ) -> impl Iterator<Item = &'a PolicySet> {
        let groups = identity.groups.iter().filter_map(|group| self.named.get(&uid(&vocabulary.group, group.as_str())));
        let groups: Vec<&PolicySet> = groups.collect();
        [&self.everybody].into_iter().chain(self.named.get(principal)).chain(groups).filter(|set| !set.is_empty())
    }
}

impl LookedAt {
    fn note(&mut self, statement: &Statement) {
        let Some(parts) = &statement.parts else {
            self.everything = true;
            return;
        };
        for mention in parts.mentions() {
            match mention {
                Mention::Principal => {}
                Mention::Claim(_) => self.attributes.extend(["workload".to_owned()]),
                Mention::Context(path) | Mention::Whether(path) => match path.first() {
                    Some(outermost) => self.attributes.extend([outermost.clone()]),
                    None => self.everything = true,
                },
            }
        }
    }
}

impl Remedies {
    fn note(&mut self, statement: &Statement) {
        let Some(parts) = &statement.parts else {
            // It might look at anything.
            *self = Self { second_factor: true, methods: true, approval: true };
            return;
        };
        for mention in parts.mentions() {
            let (Mention::Context(path) | Mention::Whether(path)) = mention else { continue };
            match path.first().map(String::as_str) {
                None => *self = Self { second_factor: true, methods: true, approval: true },
                Some("second_factor") => {
                    let is_method = |name: &String| FactorMethod::ALL.iter().any(|method| method.as_str() == name);
                    self.second_factor = true;
                    let is_whole = path.len() == 1 && matches!(mention, Mention::Context(_));
                    self.methods |= is_whole || path.get(1).is_some_and(is_method);
                }
                Some("approved") => self.approval = true,
                Some(_) => {}
            }
        }
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
