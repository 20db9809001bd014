//! `dayfly why`.

use super::Context;
use crate::{
    error::Failure,
    output::{Lines, Report},
};
use dayfly_api::decision::{Decision, DecisionRequest};
use dayfly_core::{
    name::{RoleName, ScopeName},
    request::RequestedTargets,
    validity::Ttl,
};
use serde::Serialize;
use std::io;

/// Arguments of `dayfly why`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The role
    #[arg(value_name = "ROLE")]
    role: RoleName,

    /// The targets and target groups, as they would be asked for: all of them or none
    #[arg(value_name = "TARGET", required_unless_present = "all_targets")]
    targets: Vec<ScopeName>,

    /// Every target of the role that policy permits you
    #[arg(long, conflicts_with = "targets")]
    all_targets: bool,

    /// The lifetime that would be asked for, such as 5m; the role's longest if left out
    #[arg(long, value_name = "DURATION")]
    ttl: Option<Ttl>,
}

#[derive(Serialize)]
struct Answer(Decision);

pub(super) async fn run(arguments: Arguments, context: &Context<'_>) -> Result<(), Failure> {
    let Arguments { role, targets, all_targets, ttl } = arguments;
    let targets = if all_targets { RequestedTargets::All } else { RequestedTargets::Named(targets.into_iter().collect()) };
    let decision = context.connect()?.client.decision(&DecisionRequest { role, targets, ttl }).await?;
    Ok(context.output.report(&Answer(decision))?)
}

impl Report for Answer {
    fn text(&self, lines: &mut Lines<'_>) -> io::Result<()> {
        self.0.to_string().lines().try_for_each(|line| lines.line(line))
    }
}
