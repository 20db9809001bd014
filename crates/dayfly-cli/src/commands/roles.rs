//! `dayfly roles`.

use super::Context;
use crate::{
    error::Failure,
    output::{Lines, Report},
};
use dayfly_api::person::{RoleSummary, Roles};
use serde::Serialize;
use std::io;

#[derive(Serialize)]
struct Answer(Roles);

pub(super) async fn run(context: &Context<'_>) -> Result<(), Failure> {
    let roles = context.connect()?.client.roles().await?;
    Ok(context.output.report(&Answer(roles))?)
}

impl Report for Answer {
    fn text(&self, lines: &mut Lines<'_>) -> io::Result<()> {
        if self.0.roles.is_empty() {
            return lines.line("You may ask for no role. Whoever writes the CA's policy can change that.");
        }
        let heading = ["ROLE", "AT MOST", "TARGETS", "LOGS IN AS", "FOR"].map(str::to_owned).to_vec();
        let rows = std::iter::once(heading).chain(self.0.roles.iter().map(row)).collect::<Vec<_>>();
        lines.table(&rows)
    }
}

fn row(role: &RoleSummary) -> Vec<String> {
    let targets: Vec<&str> = role.targets.iter().map(|target| target.as_str()).collect();
    vec![role.name.to_string(), role.max_ttl.to_string(), targets.join(","), role.principals.join(","), role.description.clone()]
}
