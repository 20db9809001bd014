//! `dayfly-bastion serve`: the bastion itself, until a signal ends it.

use crate::{
    run,
    trace::{self, TraceFormat},
};
use clap::Args;
use std::{io::Write, path::Path};

/// What `serve` is told beside the configuration.
#[derive(Debug, Args)]
pub struct Serve {
    /// How the trace on standard error is written; how much, DAYFLY_LOG says (default: info)
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    trace_format: TraceFormat,
}

impl Serve {
    pub(super) fn run(&self, config: &Path, out: &mut dyn Write) -> anyhow::Result<()> {
        trace::begin(self.trace_format);
        run::run(config, out)
    }
}
