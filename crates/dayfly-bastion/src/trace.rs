//! What the program prints for its operator: the trace, on standard error. Evidence goes to the CA's log and into recordings, never here.

use clap::ValueEnum;
use tracing_subscriber::{EnvFilter, filter::LevelFilter};

/// The environment variable that says how much: `info` if it does not, else as `tracing-subscriber` reads it.
pub const LEVEL_VARIABLE: &str = "DAYFLY_LOG";

/// The SSH library warns of every scanner that comes by.
const QUIET: &[&str] = &["russh=error"];

/// How the trace is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum TraceFormat {
    /// Lines for people
    #[default]
    Text,
    /// An object a line
    Json,
}

/// Begins to trace. Called again it changes nothing.
pub fn begin(format: TraceFormat) {
    let mut filter = EnvFilter::builder().with_default_directive(LevelFilter::INFO.into()).with_env_var(LEVEL_VARIABLE).from_env_lossy();
    if std::env::var_os(LEVEL_VARIABLE).is_none() {
        for directive in QUIET.iter().filter_map(|text| text.parse().ok()) {
            filter = filter.add_directive(directive);
        }
    }
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(false);
    let begun = match format {
        TraceFormat::Text => builder.try_init(),
        TraceFormat::Json => builder.json().try_init(),
    };
    if let Err(error) = begun {
        tracing::debug!(error, "traced already");
    }
}
