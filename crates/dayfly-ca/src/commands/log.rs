//! `dayfly-ca log`: the log, for verification elsewhere.

use super::{open_store, wait};
use crate::{
    config,
    log::{self, ExportError},
    signer::{self, secrets::Secrets},
};
use anyhow::Context;
use clap::{Args, Subcommand};
use std::{
    fs::File,
    io::{BufWriter, Write},
    path::{Path, PathBuf},
};
use time::OffsetDateTime;

/// What to do with the log.
#[derive(Debug, Subcommand)]
pub enum Log {
    /// Write the log as it is now: a row a line, JSON, and its signed head as the last line
    Export(Export),
}

/// Where to.
#[derive(Debug, Args)]
pub struct Export {
    /// A new file; standard output if it is left out
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

impl Log {
    pub(super) fn run(&self, config: &Path, out: &mut dyn Write) -> anyhow::Result<()> {
        match self {
            Self::Export(export) => export.run(config, out),
        }
    }
}

impl Export {
    fn run(&self, config: &Path, out: &mut dyn Write) -> anyhow::Result<()> {
        let examined = config::examine(config);
        let Some(settings) = examined.settings else { return Err(examined.mistakes.into()) };
        let key = signer::open(&settings.keys.log, &Secrets::of_this_process())?;
        let store = open_store(config)?;
        let export = |out: &mut dyn Write| {
            let exported = wait(log::export(&store, &key, OffsetDateTime::now_utc(), out))?;
            // Whoever reads the output may have read enough: that is told by its own kind.
            exported.map(drop).map_err(|error| match error {
                ExportError::Write(error) => anyhow::Error::from(error),
                error => error.into(),
            })
        };
        let Some(path) = &self.out else { return export(&mut BufWriter::new(out)) };
        let mut file = BufWriter::new(File::create_new(path).with_context(|| format!("{} cannot be made", path.display()))?);
        export(&mut file)?;
        Ok(file.into_inner().map_err(std::io::IntoInnerError::into_error)?.sync_all()?)
    }
}
