//! What would turn a no into a yes: the same question, asked again as if a second factor had just been proven, as if somebody had approved, as if both.

use super::slices::Remedies;
use crate::{
    context::Context,
    identity::{FactorMethod, Identity},
    reason::{Missing, Ruling},
};

/// What is missing. Pure, and bounded: `is_yes` is asked about at most three more cases, or seven where a policy tells one method of second factor
/// from another, and about none where no policy looks at what a person could bring.
pub(super) fn missing(
    remedies: Remedies,
    identity: &Identity,
    context: &Context,
    is_yes: impl Fn(&Identity, &Context) -> bool,
) -> (Vec<Missing>, Vec<FactorMethod>) {
    // Where policies tell no method from another, one stands for all.
    let tried: &[FactorMethod] = match remedies {
        Remedies { second_factor: false, .. } => &[],
        Remedies { methods: true, .. } => &FactorMethod::ALL,
        Remedies { methods: false, .. } => &[FactorMethod::Totp],
    };
    let methods = |approved: bool| -> Vec<FactorMethod> {
        let context = Context { approved, ..context.clone() };
        let would_do = |method: &&FactorMethod| is_yes(&with_factor(identity, **method, &context), &context);
        match tried.iter().filter(would_do).copied().collect::<Vec<_>>() {
            some if !some.is_empty() && !remedies.methods => FactorMethod::ALL.into(),
            some => some,
        }
    };
    let alone = methods(context.approved);
    if !alone.is_empty() {
        return (vec![Missing::SecondFactor], alone);
    }
    if !remedies.approval || context.approved {
        return (Vec::new(), Vec::new());
    }
    if is_yes(identity, &Context { approved: true, ..context.clone() }) {
        return (vec![Missing::Approval], Vec::new());
    }
    let together = methods(true);
    if together.is_empty() { (Vec::new(), Vec::new()) } else { (vec![Missing::SecondFactor, Missing::Approval], together) }
}

/// The identity as it would be if it had proven this second factor now, beside those that it has proven.
fn with_factor(identity: &Identity, method: FactorMethod, context: &Context) -> Identity {
    let mut identity = identity.clone();
    identity.evidence.factors.insert(method, context.unix_seconds());
    identity
}

/// What to do about it, in words. `None` if nothing that could be brought would help.
pub(super) fn remedy(ruling: &Ruling) -> Option<String> {
    let methods = ruling.methods.iter().map(ToString::to_string).collect::<Vec<_>>().join(" or ");
    // Nobody can approve yet, and saying so spares a search for how it is done.
    let approve = "have somebody approve the request, which this version cannot take yet";
    match ruling.missing.as_slice() {
        [] => None,
        [Missing::SecondFactor] => Some(format!("prove a second factor now ({methods}) and ask again")),
        [Missing::Approval] => Some(approve.to_owned()),
        [..] => Some(format!("prove a second factor now ({methods}), and {approve}")),
    }
}
