//! `dayfly targets`.

use super::Context;
use crate::{
    error::Failure,
    output::{Lines, Report},
};
use dayfly_api::person::{Destination, Destinations};
use serde::Serialize;
use std::{fmt::Display, io};

#[derive(Serialize)]
struct Answer(Destinations);

pub(super) async fn run(context: &Context<'_>) -> Result<(), Failure> {
    let destinations = context.connect()?.client.destinations().await?;
    Ok(context.output.report(&Answer(destinations))?)
}

impl Report for Answer {
    fn text(&self, lines: &mut Lines<'_>) -> io::Result<()> {
        if self.0.targets.is_empty() {
            return lines
                .line("You may reach no target now. Whoever writes the CA's policy can change that; `dayfly why ROLE TARGET` tells why.");
        }
        let heading = ["TARGET", "MODE", "BY ROLE", "LOGS IN AS", "THROUGH"].map(str::to_owned).to_vec();
        lines.table(&std::iter::once(heading).chain(self.0.targets.iter().map(row)).collect::<Vec<_>>())
    }
}

fn row(target: &Destination) -> Vec<String> {
    let Destination { name, mode, bastions, roles, accounts } = target;
    vec![name.to_string(), mode.as_str().to_owned(), list(roles), list(accounts), list(bastions)]
}

fn list(names: &[impl Display]) -> String {
    names.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}
