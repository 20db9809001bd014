//! A statement taken apart: whom it is about, its conditions one by one, and what each of them looks at. Needed to say why, never to decide.

use cedar_policy::{Policy, PolicySet, pst};
use pst::{BinaryOp, Clause, Expr, Literal, Var};
use std::{collections::BTreeSet, sync::Arc};

/// A statement's parts.
#[derive(Debug, Clone)]
pub(super) struct Parts {
    /// Whom and what it is about: it permits whatever is within the statement's scope.
    pub(super) scope: PolicySet,
    /// Its conditions in order; all of them must hold.
    pub(super) conditions: Vec<Condition>,
}

/// One condition.
#[derive(Debug, Clone)]
pub(super) struct Condition {
    /// As Cedar writes it.
    pub(super) text: String,
    /// It permits whatever meets the condition.
    pub(super) test: PolicySet,
    /// What it looks at.
    pub(super) mentions: BTreeSet<Mention>,
    /// What it compares the country with.
    pub(super) countries: BTreeSet<String>,
}

/// What an expression looks at.
#[derive(Default)]
struct Notes {
    mentions: BTreeSet<Mention>,
    countries: BTreeSet<String>,
}

/// What a condition looks at.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Mention {
    /// Who asks, with their groups.
    Principal,
    /// An attribute of the context, by its path.
    Context(Vec<String>),
    /// Whether there is such an attribute.
    Whether(Vec<String>),
    /// A claim of the workload's token.
    Claim(String),
}

impl Parts {
    /// Takes a policy apart. `None` if Cedar cannot show how it is built, which it can for all that it has parsed.
    pub(super) fn of(policy: &Policy) -> Option<Self> {
        let pst = policy.to_pst().ok()?;
        let body = pst.body();
        let scope = template(body.principal.clone(), body.action.clone(), body.resource.clone());
        let mut conditions = Vec::new();
        for clause in body.clauses() {
            match clause {
                Clause::When(expression) => {
                    for part in conjuncts(expression) {
                        conditions.push(Condition::new(part.to_string(), Clause::When(Arc::clone(part)), part)?);
                    }
                }
                Clause::Unless(expression) => {
                    conditions.push(Condition::new(format!("!({expression})"), clause.clone(), expression)?);
                }
            }
        }
        Some(Self { scope: only(scope)?, conditions })
    }

    /// What the conditions look at, all together.
    pub(super) fn mentions(&self) -> BTreeSet<&Mention> {
        self.conditions.iter().flat_map(|condition| &condition.mentions).collect()
    }
}

impl Condition {
    fn new(text: String, clause: Clause, expression: &Expr) -> Option<Self> {
        let anything = template(pst::PrincipalConstraint::Any, pst::ActionConstraint::Any, pst::ResourceConstraint::Any);
        let mut notes = Notes::default();
        note(expression, &mut notes);
        let Notes { mentions, countries } = notes;
        Some(Self { text, test: only(anything.try_with_clauses([clause]).ok()?)?, mentions, countries })
    }
}

fn template(principal: pst::PrincipalConstraint, action: pst::ActionConstraint, resource: pst::ResourceConstraint) -> pst::Template {
    pst::Template::new(pst::PolicyID("part".into()), pst::Effect::Permit, principal, action, resource)
}

/// A set of one policy.
fn only(template: pst::Template) -> Option<PolicySet> {
    let policy = pst::Policy::Static(pst::StaticPolicy::try_from(template).ok()?);
    PolicySet::from_policies([Policy::from_pst(policy).ok()?]).ok()
}

/// `a && b && c` as its three parts, in the order in which Cedar looks at them.
fn conjuncts(expression: &Arc<Expr>) -> Vec<&Arc<Expr>> {
    match expression.as_ref() {
        Expr::BinaryOp { op: BinaryOp::And, left, right } => [conjuncts(left), conjuncts(right)].concat(),
        _ => vec![expression],
    }
}

/// The texts that `expression` compares the country with, if it does.
fn compared_with_country(expression: &Expr) -> Vec<String> {
    let is_country = |expression: &Expr| path(expression).is_some_and(|path| path == ["country"]);
    let text = |expression: &Arc<Expr>| match expression.as_ref() {
        Expr::Literal(Literal::String(text)) => Some(text.to_string()),
        _ => None,
    };
    match expression {
        Expr::BinaryOp { op: BinaryOp::Eq | BinaryOp::NotEq, left, right } if is_country(left) => text(right).into_iter().collect(),
        Expr::BinaryOp { op: BinaryOp::Eq | BinaryOp::NotEq, left, right } if is_country(right) => text(left).into_iter().collect(),
        Expr::BinaryOp { op: BinaryOp::Contains, left, right } if is_country(right) => match left.as_ref() {
            Expr::Set(members) => members.iter().filter_map(text).collect(),
            _ => Vec::new(),
        },
        _ => Vec::new(),
    }
}

/// Notes what `expression` looks at.
fn note(expression: &Expr, notes: &mut Notes) {
    notes.countries.extend(compared_with_country(expression));
    match expression {
        Expr::Var(Var::Principal) => {
            notes.mentions.insert(Mention::Principal);
        }
        Expr::GetAttr { expr, attr } => match path(expr) {
            Some(outer) => {
                notes.mentions.insert(Mention::Context(joined(outer, [attr.to_string()])));
            }
            None => note(expr, notes),
        },
        Expr::HasAttr { expr, attrs } => match path(expr) {
            Some(outer) => {
                notes.mentions.insert(Mention::Whether(joined(outer, attrs.iter().map(ToString::to_string))));
            }
            None => note(expr, notes),
        },
        Expr::BinaryOp { op: BinaryOp::GetTag | BinaryOp::HasTag, left, right } => match (path(left), right.as_ref()) {
            (Some(_), Expr::Literal(Literal::String(claim))) => {
                notes.mentions.insert(Mention::Claim(claim.to_string()));
            }
            _ => [left, right].into_iter().for_each(|part| note(part, notes)),
        },
        Expr::UnaryOp { expr, .. } | Expr::Like { expr, .. } => note(expr, notes),
        Expr::BinaryOp { left, right, .. } => [left, right].into_iter().for_each(|part| note(part, notes)),
        Expr::Is { expr, in_expr, .. } => std::iter::once(expr).chain(in_expr).for_each(|part| note(part, notes)),
        Expr::IfThenElse { cond, then_expr, else_expr } => [cond, then_expr, else_expr].into_iter().for_each(|part| note(part, notes)),
        Expr::Set(members) => members.iter().for_each(|part| note(part, notes)),
        Expr::Record(fields) => fields.values().for_each(|part| note(part, notes)),
        Expr::Var(Var::Action | Var::Resource) | Expr::Literal(_) | Expr::Slot(_) | Expr::Unknown { .. } => {}
        // The context as a whole, or something that a later Cedar has: it might look at anything.
        _ => {
            notes.mentions.insert(Mention::Context(Vec::new()));
        }
    }
}

fn joined(outer: Vec<String>, inner: impl IntoIterator<Item = String>) -> Vec<String> {
    outer.into_iter().chain(inner).collect()
}

/// The attributes between `context` and this expression, if it is nothing else.
fn path(expression: &Expr) -> Option<Vec<String>> {
    match expression {
        Expr::Var(Var::Context) => Some(Vec::new()),
        Expr::GetAttr { expr, attr } => {
            let mut outer = path(expr)?;
            outer.push(attr.to_string());
            Some(outer)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn parts(conditions: &str) -> Vec<(String, Vec<Mention>)> {
        let policy = Policy::parse(None, format!("forbid(principal, action, resource) {conditions};")).unwrap();
        let parts = Parts::of(&policy).unwrap();
        parts.conditions.into_iter().map(|condition| (condition.text, condition.mentions.into_iter().collect())).collect()
    }

    fn context(path: &str) -> Mention {
        Mention::Context(path.split('.').map(str::to_owned).collect())
    }

    fn whether(path: &str) -> Mention {
        Mention::Whether(path.split('.').map(str::to_owned).collect())
    }

    #[test]
    fn conditions_come_apart_in_their_order() {
        let found =
            parts("when { context has country && (context.country == \"DE\" || principal in Group::\"a\") } unless { context.approved }");
        assert_eq!(
            found,
            [
                ("context has country".to_owned(), vec![whether("country")]),
                ("(context.country == \"DE\") || (principal in Group::\"a\")".to_owned(), vec![Mention::Principal, context("country")]),
                ("!(context.approved)".to_owned(), vec![context("approved")]),
            ]
        );
    }

    #[test]
    fn whatever_a_condition_looks_at_is_noted() {
        for (condition, mentions) in [
            ("context has second_factor.totp", vec![whether("second_factor.totp")]),
            ("context.second_factor has totp", vec![whether("second_factor.totp")]),
            ("[1, context.asn].contains(2)", vec![context("asn")]),
            ("context.now.toTime() < duration(\"1h\")", vec![context("now")]),
            (
                "if context.approved then {a: context.asn}.a == 1 else -context.ttl_seconds < 0",
                vec![context("approved"), context("asn"), context("ttl_seconds")],
            ),
            ("context.account like \"a*\"", vec![context("account")]),
            ("context.target is Target in TargetGroup::\"db\"", vec![context("target")]),
            ("context.workload.getTag(\"ref\") == \"main\"", vec![Mention::Claim("ref".to_owned())]),
            ("context.workload.hasTag(context.account)", vec![context("account"), context("workload")]),
            ("resource == Role::\"web\"", vec![]),
            ("context == {}", vec![Mention::Context(vec![])]),
        ] {
            assert_eq!(parts(&format!("when {{ {condition} }}"))[0].1, mentions, "{condition}");
        }
    }
}
