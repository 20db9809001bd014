//! `dayfly whoami`.

use super::Context;
use crate::{
    error::Failure,
    output::{Lines, Report},
};
use dayfly_api::person::WhoAmI;
use serde::Serialize;
use std::io;

#[derive(Serialize)]
struct Answer {
    url: String,
    #[serde(flatten)]
    who: WhoAmI,
}

pub(super) async fn run(context: &Context<'_>) -> Result<(), Failure> {
    let connection = context.connect()?;
    let who = connection.client.whoami().await?;
    Ok(context.output.report(&Answer { url: connection.login.url, who })?)
}

impl Report for Answer {
    fn text(&self, lines: &mut Lines<'_>) -> io::Result<()> {
        let groups: Vec<&str> = self.who.groups.iter().map(|group| group.as_str()).collect();
        lines.field("you are", &self.who.subject.to_string())?;
        lines.field("groups", if groups.is_empty() { "none".to_owned() } else { groups.join(", ") }.as_str())?;
        lines.field("proven by", &format!("{} {}", self.who.method, self.who.key_fingerprint))?;
        if let Some(sign_in) = &self.who.sign_in {
            lines.field("vouched for by", &format!("{}, as {}", sign_in.issuer, sign_in.issuer_subject))?;
        }
        lines.field("seen from", &self.who.address)?;
        lines.field("CA", &self.url)
    }
}
