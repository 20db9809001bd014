//! Questions to Cedar, and its answers as an explanation or a refusal in words.

use super::{
    Rules,
    facts::{self, Fact, Facts, WORKLOAD},
    schema::{Vocabulary, uid, vocabulary},
    slices::Slice,
};
use crate::{
    context::Context,
    decision::Explanation,
    identity::{Identity, Subject},
    name::{AccountName, BastionName, RoleName, TargetGroupName},
    reason::{Reason, Refusal},
    role::Role,
    target::{ALL, Target},
    validity::Ttl,
};
use cedar_policy::{
    AuthorizationError, Authorizer, Decision, Entities, Entity, EntityUid, PolicyId, Request, Response, RestrictedExpression as Value,
};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    fmt,
};

/// What policy is asked about. Each variant is one action of the schema.
#[derive(Clone, Copy)]
pub(super) enum Question<'a> {
    /// May this identity have a certificate of this role for this target?
    Request { role: &'a RoleName, target: &'a Target, ttl: Ttl },
    /// May it open a session at this target with such a certificate?
    Connect { role: &'a RoleName, target: &'a Target, bastion: &'a BastionName, account: Option<&'a AccountName> },
    /// May it see the sessions of this target?
    ReviewTarget { target: &'a Target },
    /// May it see the sessions of this target group?
    ReviewGroup { group: &'a str },
}

/// Who asks and under which conditions: what all questions of one decision share.
pub(super) struct Inquiry<'a> {
    slice: &'a Slice,
    vocabulary: &'static Vocabulary,
    identity: &'a Identity,
    principal: EntityUid,
    facts: Facts,
    /// `facts`, as Cedar takes them.
    conditions: Vec<(String, Value)>,
    entities: Entities,
}

impl<'a> Inquiry<'a> {
    /// Prepares questions about `targets`, or about their groups, to `slice`: the policies of the role, or of the targets, that they are about.
    pub(super) fn new(
        rules: Rules<'a>,
        slice: &'a Slice,
        identity: &'a Identity,
        context: &Context,
        role: Option<&Role>,
        targets: impl IntoIterator<Item = &'a Target>,
    ) -> Result<Self, Refusal> {
        let vocabulary = vocabulary().map_err(unevaluable)?;
        let principal = match &identity.subject {
            Subject::Person(name) => uid(&vocabulary.person, name.as_str()),
            Subject::Machine(name) => uid(&vocabulary.machine, name.as_str()),
        };
        let groups = identity.groups.iter().map(|group| uid(&vocabulary.group, group.as_str())).collect();
        let named = slice.named_targets.iter().filter_map(|name| rules.inventory.get(name));
        let targets: BTreeMap<_, &Target> = targets.into_iter().chain(named).map(|target| (&target.name, target)).collect();
        let target_groups: BTreeSet<&TargetGroupName> = targets.values().flat_map(|target| &target.groups).collect();
        let all = HashSet::from([uid(&vocabulary.target_group, ALL)]);
        let mut entities = vec![Entity::new_no_attrs(principal.clone(), groups)];
        entities.extend(target_groups.iter().map(|group| Entity::new_no_attrs(uid(&vocabulary.target_group, group.as_str()), all.clone())));
        for target in targets.values() {
            entities.push(target_entity(vocabulary, target)?);
        }
        entities.extend(workload_entity(vocabulary, identity)?);
        let entities = Entities::from_entities(entities, None).map_err(unevaluable)?;
        let mut facts = facts::conditions(vocabulary, identity, context);
        if let Some(role) = role {
            facts.extend(facts::of_role(role, context));
            facts.extend(facts::of_request(vocabulary, identity, context));
        }
        let conditions = facts::pairs(&facts).map_err(unevaluable)?;
        Ok(Self { slice, vocabulary, identity, principal, facts, conditions, entities })
    }

    /// Cedar's answer. One policy that cannot be evaluated refuses: Cedar alone would go on as if it were not there, a `forbid` included.
    pub(super) fn ask(&self, question: Question<'_>) -> Result<Explanation, Refusal> {
        let (action, resource, own) = self.words(question);
        let own = facts::pairs(&own).map_err(unevaluable)?;
        let context = cedar_policy::Context::from_pairs(self.conditions.iter().cloned().chain(own)).map_err(unevaluable)?;
        // The schema refuses what no action foresees, such as a machine that reviews.
        let schema = self.vocabulary.validator.schema();
        let request = Request::new(self.principal.clone(), self.vocabulary.action(action), resource, context, Some(schema));
        let request = request.map_err(|error| self.denied(question, &error.to_string()))?;
        self.judge(question, &Authorizer::new().is_authorized(&request, &self.slice.policies, &self.entities))
    }

    /// The action, the resource, and what the action's context holds beside the conditions.
    fn words(&self, question: Question<'_>) -> (&'static str, EntityUid, Facts) {
        let words = self.vocabulary;
        let role_uid = |role: &RoleName| uid(&words.role, role.as_str());
        let target_uid = |target: &Target| uid(&words.target, target.name.as_str());
        let target_fact = |target: &Target| ("target", Fact::Entity(target_uid(target)));
        match question {
            Question::Request { role, target, ttl } => {
                let seconds = Fact::Number(i64::try_from(ttl.seconds()).unwrap_or(i64::MAX));
                ("request", role_uid(role), Facts::from([target_fact(target), ("ttl_seconds", seconds)]))
            }
            Question::Connect { role, target, bastion, account } => {
                let mut own = Facts::from([target_fact(target), ("bastion", Fact::Entity(uid(&words.bastion, bastion.as_str())))]);
                own.extend(account.map(|account| ("account", Fact::Text(account.to_string()))));
                ("connect", role_uid(role), own)
            }
            Question::ReviewTarget { target } => ("review", target_uid(target), Facts::new()),
            Question::ReviewGroup { group } => ("review", uid(&words.target_group, group), Facts::new()),
        }
    }

    fn judge(&self, question: Question<'_>, response: &Response) -> Result<Explanation, Refusal> {
        let diagnostics = response.diagnostics();
        if let Some(AuthorizationError::PolicyEvaluationError(error)) = diagnostics.errors().next() {
            let id: &PolicyId = error.policy_id();
            let message = format!("policy {id} cannot be evaluated, so {} may not {question}: {}", self.identity.subject, error.inner());
            return Err(Refusal::new(Reason::PolicyError, message, format!("have policy {id} corrected; until then it refuses")));
        }
        let policies = diagnostics.reason().map(|id| AsRef::<str>::as_ref(id).to_owned()).collect();
        let explanation = Explanation { policies, narrowed: Vec::new() };
        match (response.decision(), explanation.policies.first()) {
            (Decision::Allow, _) => Ok(explanation),
            (Decision::Deny, Some(id)) => Err(Refusal::new(
                Reason::PolicyForbidden,
                format!("policy {id} forbids {} to {question}", self.identity.subject),
                format!("ask under conditions that policy {id} does not forbid; whoever writes the policies can tell which"),
            )),
            (Decision::Deny, None) => Err(self.denied(question, "")),
        }
    }

    fn denied(&self, question: Question<'_>, why: &str) -> Refusal {
        let mut message = format!("no policy permits {} to {question}", self.identity.subject);
        if !why.is_empty() {
            message = format!("{message}: {why}");
        }
        let remedy = match question {
            Question::Request { .. } | Question::Connect { .. } => {
                "`dayfly roles` lists what you may ask for now; for more, ask whoever writes the policies to permit it"
            }
            Question::ReviewTarget { .. } | Question::ReviewGroup { .. } => "ask whoever writes the policies to permit it",
        };
        Refusal::new(Reason::PolicyDenied, message, remedy)
    }
}

impl fmt::Display for Question<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Request { role, target, ttl } => write!(f, "have role {role} at {} for {ttl}", target.name),
            Self::Connect { role, target, bastion, account: Some(account) } => {
                write!(f, "connect to {} as {account} with role {role} through {bastion}", target.name)
            }
            Self::Connect { role, target, bastion, account: None } => {
                write!(f, "connect to {} with role {role} through {bastion}", target.name)
            }
            Self::ReviewTarget { target } => write!(f, "review the sessions of {}", target.name),
            Self::ReviewGroup { group } => write!(f, "review the sessions of the target group {group}"),
        }
    }
}

fn target_entity(vocabulary: &Vocabulary, target: &Target) -> Result<Entity, Refusal> {
    let groups = target.groups.iter().map(TargetGroupName::as_str).chain([ALL]);
    let parents: HashSet<EntityUid> = groups.map(|group| uid(&vocabulary.target_group, group)).collect();
    let attributes = HashMap::from([("mode".to_owned(), Value::new_string(target.mode.as_str().to_owned()))]);
    Entity::new(uid(&vocabulary.target, target.name.as_str()), attributes, parents).map_err(unevaluable)
}

/// What holds the claims of a workload's token, if there are any.
fn workload_entity(vocabulary: &Vocabulary, identity: &Identity) -> Result<Option<Entity>, Refusal> {
    let claims = &identity.evidence.claims;
    if claims.is_empty() {
        return Ok(None);
    }
    let tags = claims.iter().map(|(name, value)| (name.clone(), Value::new_string(value.clone())));
    Entity::new_with_tags(uid(&vocabulary.workload, WORKLOAD), [], HashSet::new(), tags).map(Some).map_err(unevaluable)
}

fn unevaluable(cause: impl fmt::Display) -> Refusal {
    Refusal::new(Reason::PolicyError, format!("the policies cannot be evaluated: {cause}"), "tell whoever operates the CA")
}
