//! `dayfly-ca policy`: explain and test decisions, real or imagined. Reads the configuration, its policies and databases; asks no running CA, and no key.

mod supposition;
mod test;
mod why;

use clap::Subcommand;
use std::{io::Write, path::Path};

/// What `policy test --help` ends with.
const TEST_EXIT_CODES: &str = "\
Exit codes:
  0  every case came out as expected
  1  some did not; each is told with what was expected, what came, and why
  2  the command line is wrong
  3  the configuration, the file of cases, or a file that one names, is wrong";

/// What to do with policies.
#[derive(Debug, Subcommand)]
pub enum Policy {
    /// Say what somebody would be answered, by which policies and by which facts, and what would change it
    #[command(after_help = crate::args::EXIT_CODES)]
    Why(Box<why::Why>),
    /// Try a file of cases, each with the decision that is expected: for a pipeline that guards the policies
    #[command(after_help = TEST_EXIT_CODES)]
    Test(test::Test),
    /// Print the Cedar schema that policies are checked against, for other tools that read policies
    Schema,
}

impl Policy {
    pub(super) fn run(&self, config: &Path, out: &mut dyn Write) -> anyhow::Result<()> {
        match self {
            Self::Why(why) => why.run(config, out),
            Self::Test(test) => test.run(config, out),
            Self::Schema => Ok(out.write_all(dayfly_core::policy::SCHEMA.as_bytes())?),
        }
    }
}
