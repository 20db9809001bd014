//! Very many sessions at once through the bastion: what each takes of its memory, idle and active, and of a core to come about.
//!
//! `crowd target` is the far end of all of them, so that no machine has to run thousands of `sshd`; `crowd people` is everybody who logs in.

mod people;
mod target;

use anyhow::Result;
use clap::{Parser, Subcommand};
use dayfly_benches::show;
use std::path::PathBuf;

/// Very many sessions at once.
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    part: Part,
}

#[derive(Subcommand)]
enum Part {
    /// An SSH server that lets everybody in and echoes. Prints its port.
    Target {
        /// Its private key.
        #[arg(long)]
        host_key: PathBuf,
    },
    /// Logs in, measures and leaves.
    People(People),
}

/// Whoever logs in, and how often.
#[derive(clap::Args)]
struct People {
    /// The bastion, host:port.
    #[arg(long, env = "DAYFLY_BASTION_ADDR")]
    bastion: String,
    /// The bastion's process.
    #[arg(long, env = "DAYFLY_BASTION_PID")]
    bastion_pid: u32,
    /// The account at the target.
    #[arg(long, env = "DAYFLY_ACCOUNT")]
    account: String,
    /// Whose certificates, under certs/.
    #[arg(long, env = "DAYFLY_ALICE_HOME")]
    home: PathBuf,
    /// Where recordings are.
    #[arg(long, env = "DAYFLY_RECORDINGS")]
    recordings: PathBuf,
    /// How many sessions, from few to many.
    #[arg(long, value_delimiter = ',', default_value = "10,1000,5000")]
    sessions: Vec<usize>,
    /// What gets fresh certificates, for the shell.
    #[arg(long)]
    renew: String,
    /// Print an object a line.
    #[arg(long)]
    json: bool,
}

#[tokio::main]
async fn main() -> Result<()> {
    match Arguments::parse().part {
        Part::Target { host_key } => target::serve(&host_key).await,
        Part::People(people) => show(&people::measure(&people).await?, people.json),
    }
}
