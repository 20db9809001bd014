//! Questions to Cedar, and its answers as an explanation or a refusal.

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
    reason::{Reason, Refusal, Ruling},
    role::Role,
    target::{ALL, Target},
    validity::Ttl,
};
use cedar_policy::{
    AuthorizationError, Authorizer, Decision, Entities, Entity, EntityUid, PolicySet, Request, RestrictedExpression as Value,
};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    fmt,
};

/// What policy is asked about. Each variant is one action of the schema.
#[derive(Debug, Clone, Copy)]
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

/// What questions of one kind are put to, and what they share beside who asks and when.
#[derive(Clone, Copy)]
pub(super) struct Subjects<'a> {
    pub(super) rules: Rules<'a>,
    /// The policies of the role, or of the targets, that they are about.
    pub(super) slice: &'a Slice,
    /// The role that they are about.
    pub(super) role: Option<&'a Role>,
    /// The targets that they are about.
    pub(super) targets: &'a [&'a Target],
}

/// Who asks and under which conditions: what all questions of one decision share.
pub(super) struct Inquiry<'a> {
    pub(super) slice: &'a Slice,
    pub(super) identity: &'a Identity,
    vocabulary: &'static Vocabulary,
    principal: EntityUid,
    policies: Vec<&'a PolicySet>,
    facts: Facts,
    /// `facts`, as Cedar takes them; of questions about a role only those that its policies look at, since the others change no answer and cost time.
    conditions: Vec<(String, Value)>,
    entities: Entities,
}

impl<'a> Inquiry<'a> {
    /// Prepares questions about `subjects`.
    pub(super) fn new(subjects: Subjects<'a>, identity: &'a Identity, context: &Context) -> Result<Self, Refusal> {
        let Subjects { rules, slice, role, targets } = subjects;
        let vocabulary = vocabulary().map_err(unevaluable)?;
        let principal = match &identity.subject {
            Subject::Person(name) => uid(&vocabulary.person, name.as_str()),
            Subject::Machine(name) => uid(&vocabulary.machine, name.as_str()),
        };
        let named = slice.named_targets.iter().filter_map(|name| rules.inventory.get(name));
        let targets = targets.iter().copied().chain(named);
        let entities = entities(vocabulary, identity, &principal, targets)?;
        let mut facts = facts::conditions(vocabulary, identity, context);
        if let Some(role) = role {
            facts.extend(facts::of_role(role, context));
            facts.extend(facts::of_request(vocabulary, identity, context));
        }
        let conditions = facts::pairs(&facts, |name| role.is_none() || slice.looks_at(name)).map_err(unevaluable)?;
        let policies = slice.about(vocabulary, &principal, identity).collect();
        Ok(Self { slice, identity, vocabulary, principal, policies, facts, conditions, entities })
    }

    /// Cedar's answer. One policy that cannot be evaluated refuses: Cedar alone would go on as if it were not there, a `forbid` included.
    pub(super) fn ask(&self, question: Question<'_>) -> Result<Explanation, Refusal> {
        let request = self.request(question)?;
        let authorizer = Authorizer::new();
        let (mut permits, mut forbids) = (BTreeSet::new(), BTreeSet::new());
        for policies in &self.policies {
            let response = authorizer.is_authorized(&request, policies, &self.entities);
            let diagnostics = response.diagnostics();
            if let Some(AuthorizationError::PolicyEvaluationError(error)) = diagnostics.errors().next() {
                return Err(self.erred(question, error.policy_id().as_ref(), &error.inner().to_string()));
            }
            let decided = diagnostics.reason().map(|id| AsRef::<str>::as_ref(id).to_owned());
            match response.decision() {
                Decision::Allow => permits.extend(decided),
                Decision::Deny => forbids.extend(decided),
            }
        }
        match (forbids.is_empty(), permits.is_empty()) {
            (false, _) => Err(self.forbidden(question, forbids)),
            (true, false) => Ok(Explanation { policies: permits, narrowed: Vec::new() }),
            (true, true) => Err(self.denied(question, "")),
        }
    }

    /// Whether what `policies` permit includes `question`; `None` if they cannot be evaluated.
    pub(super) fn permits(&self, question: Question<'_>, policies: &PolicySet) -> Option<bool> {
        let response = Authorizer::new().is_authorized(&self.request(question).ok()?, policies, &self.entities);
        let could_be_evaluated = response.diagnostics().errors().next().is_none();
        could_be_evaluated.then(|| response.decision() == Decision::Allow)
    }

    /// What the context of `question` holds.
    pub(super) fn facts(&self, question: Question<'_>) -> Facts {
        let (_, _, own) = self.words(question);
        self.facts.clone().into_iter().chain(own).collect()
    }

    /// Who asks, as policies name them.
    pub(super) fn principal(&self) -> &EntityUid {
        &self.principal
    }

    fn request(&self, question: Question<'_>) -> Result<Request, Refusal> {
        let (action, resource, own) = self.words(question);
        let own = facts::pairs(&own, |name| self.slice.looks_at(name)).map_err(unevaluable)?;
        let context = cedar_policy::Context::from_pairs(self.conditions.iter().cloned().chain(own)).map_err(unevaluable)?;
        // The schema refuses what no action foresees, such as a machine that reviews. People and machines may both ask for a role.
        let schema = match question {
            Question::Request { .. } | Question::Connect { .. } => None,
            Question::ReviewTarget { .. } | Question::ReviewGroup { .. } => Some(self.vocabulary.validator.schema()),
        };
        let request = Request::new(self.principal.clone(), self.vocabulary.action(action), resource, context, schema);
        request.map_err(|error| self.denied(question, &error.to_string()))
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

    fn erred(&self, question: Question<'_>, id: &str, cause: &str) -> Refusal {
        let message = format!("policy {id} cannot be evaluated, so {} may not {question}: {cause}", self.identity.subject);
        let refusal = Refusal::new(Reason::PolicyError, message, format!("have policy {id} corrected; until then it refuses"));
        refusal.ruled(Ruling { policies: vec![id.to_owned()], ..Ruling::default() })
    }

    fn forbidden(&self, question: Question<'_>, policies: BTreeSet<String>) -> Refusal {
        let named = policies.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
        let (policy, verb) = if policies.len() == 1 { ("policy", "forbids") } else { ("policies", "forbid") };
        let message = format!("{policy} {named} {verb} {} to {question}", self.identity.subject);
        let remedy = format!(
            "ask under conditions that {policy} {named} {} not forbid; whoever writes the policies can tell which",
            if policies.len() == 1 { "does" } else { "do" }
        );
        Refusal::new(Reason::PolicyForbidden, message, remedy)
            .ruled(Ruling { policies: policies.into_iter().collect(), ..Ruling::default() })
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

/// Whoever asks with their groups, the targets with theirs, and the claims of a workload.
fn entities<'a>(
    vocabulary: &Vocabulary,
    identity: &Identity,
    principal: &EntityUid,
    targets: impl Iterator<Item = &'a Target>,
) -> Result<Entities, Refusal> {
    let groups = identity.groups.iter().map(|group| uid(&vocabulary.group, group.as_str())).collect();
    let targets: BTreeMap<_, &Target> = targets.map(|target| (&target.name, target)).collect();
    let target_groups: BTreeSet<&TargetGroupName> = targets.values().flat_map(|target| &target.groups).collect();
    let all = HashSet::from([uid(&vocabulary.target_group, ALL)]);
    let mut entities = vec![Entity::new_no_attrs(principal.clone(), groups)];
    entities.extend(target_groups.iter().map(|group| Entity::new_no_attrs(uid(&vocabulary.target_group, group.as_str()), all.clone())));
    for target in targets.values() {
        entities.push(target_entity(vocabulary, target)?);
    }
    entities.extend(workload_entity(vocabulary, identity)?);
    Entities::from_entities(entities, None).map_err(unevaluable)
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
