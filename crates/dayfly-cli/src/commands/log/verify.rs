//! `dayfly log verify`.

use crate::{
    commands::Context,
    error::{Failure, Kind},
    identity,
    log::{
        self,
        export::Export,
        verification::{Defect, Head, Verification},
        walk::walk,
        witness::Witness,
    },
    login,
    output::{Lines, Report},
    state::State,
};
use serde::Serialize;
use ssh_key::public::KeyData;
use std::{
    io,
    path::{Path, PathBuf},
    process::ExitCode,
};

/// How many rows pass between two signs of life.
const PROGRESS_EVERY: u64 = 500;

/// Arguments of `dayfly log verify`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Verify an export of `dayfly log export`, without the CA
    #[arg(long, value_name = "EXPORT")]
    file: Option<PathBuf>,

    /// With --file: the log's public key, for whoever is not logged in
    #[arg(long, value_name = "FILE", requires = "file")]
    log_key: Option<PathBuf>,
}

#[derive(Serialize)]
struct Answer {
    verified: bool,
    /// How many rows were verified.
    rows: u64,
    /// The number of the signed head.
    head: Option<u64>,
    /// The last row that was verified here before, and that this log agrees with.
    since: Option<u64>,
    problem: Option<String>,
    #[serde(flatten)]
    defect: Option<Defect>,
}

pub(super) async fn run(arguments: &Arguments, context: &Context<'_>) -> Result<ExitCode, Failure> {
    let answer = match &arguments.file {
        Some(path) => in_file(path, arguments.log_key.as_deref(), context)?,
        None => at_ca(context).await?,
    };
    context.output.progress("")?;
    context.output.report(&answer)?;
    Ok(if answer.verified { ExitCode::SUCCESS } else { ExitCode::from(Kind::Failed.exit_code()) })
}

async fn at_ca(context: &Context<'_>) -> Result<Answer, Failure> {
    let connection = context.connect()?;
    let log_key = log::key(&connection.trust.log_key)?;
    let _lock = connection.state.lock(|| {})?;
    let before = Witness::read(&connection.state, &log_key)?;
    let (answer, witness) = match walk(&connection, context, &log_key, &before, |_| {}).await? {
        Ok(verification) => Answer::of(verification),
        Err(broken) => (Answer::bad(broken.rows, broken.defect), None),
    };
    if let Some(witness) = witness {
        witness.write(&connection.state, &log_key)?;
    }
    Ok(answer)
}

fn in_file(path: &Path, key_file: Option<&Path>, context: &Context<'_>) -> Result<Answer, Failure> {
    let (log_key, state) = match key_file {
        Some(path) => (key_in_file(path)?, State::open(&context.home)?),
        None => {
            let (state, _, trust) = login::current(&context.home)?;
            (log::key(&trust.log_key)?, Some(state))
        }
    };
    let before = match &state {
        Some(state) => Witness::read(state, &log_key)?,
        None => Witness::default(),
    };
    let (mut export, signed) = Export::open(path)?;
    let mut verification = match Head::check(&signed, &log_key) {
        Ok(head) => Verification::begin_anywhere(head, &before),
        Err(defect) => return Ok(Answer::bad(0, defect)),
    };
    while let Some(row) = export.row()? {
        if let Err(defect) = verification.follow(&row) {
            return Ok(Answer::bad(verification.rows(), defect));
        }
        if verification.rows().is_multiple_of(PROGRESS_EVERY) {
            context.output.progress(&format!("verified {} of {} rows", verification.rows(), verification.total()))?;
        }
    }
    Ok(Answer::of(verification).0)
}

fn key_in_file(path: &Path) -> Result<KeyData, Failure> {
    identity::public_key_in(path).map_err(|error| Failure::new(Kind::Failed, "the log's key cannot be read").because(error))
}

impl Answer {
    /// The end of a verification, and what to remember of it.
    fn of(verification: Verification<'_>) -> (Self, Option<Witness>) {
        let (rows, head, agreed) = (verification.rows(), verification.total(), verification.agreed());
        match verification.finish() {
            Ok(witness) => {
                let since = (agreed > 0).then_some(agreed);
                (Self { verified: true, rows, head: Some(head), since, problem: None, defect: None }, Some(witness))
            }
            Err(defect) => (Self::bad(rows, defect), None),
        }
    }

    fn bad(rows: u64, defect: Defect) -> Self {
        Self { verified: false, rows, head: None, since: None, problem: Some(defect.to_string()), defect: Some(defect) }
    }
}

impl Report for Answer {
    fn text(&self, lines: &mut Lines<'_>) -> io::Result<()> {
        match &self.problem {
            None => {
                lines.line(&format!(
                    "The log is whole: {} rows, each linked to the one before, the last signed by the log key.",
                    self.rows
                ))?;
                match self.since {
                    Some(since) => lines.line(&format!("It agrees with what was verified here before, up to row {since}.")),
                    None => lines.line("None of it was verified here before: what is remembered from now on is what it is compared with."),
                }
            }
            Some(problem) => {
                lines.line(&format!("THE LOG IS BROKEN: {problem}"))?;
                lines.line(&format!("The first {} rows are linked as they should be.", self.rows))?;
                lines.field(
                    "next",
                    "keep a copy of the CA's disk; what the log told before is in every export and in the terminals of whoever read it",
                )
            }
        }
    }
}
