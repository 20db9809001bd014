//! The answers of the side that takes files.

use super::{LONGEST_LINE, ScpError};
use crate::event::Name;

/// An answer.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Reply {
    /// A zero.
    Good,
    /// A one or a two, and a line.
    Problem(Name),
}

/// Puts answers together, wherever they are cut.
#[derive(Debug, Default)]
pub(super) struct Replies {
    problem: Option<Vec<u8>>,
}

impl Replies {
    pub(super) fn take(&mut self, byte: u8) -> Result<Option<Reply>, ScpError> {
        match (&mut self.problem, byte) {
            (None, 0) => Ok(Some(Reply::Good)),
            (None, 1 | 2) => {
                self.problem = Some(Vec::new());
                Ok(None)
            }
            (None, _) => Err(ScpError::Line),
            (Some(_), b'\n') => Ok(self.problem.take().map(Name::new).map(Reply::Problem)),
            (Some(text), _) if text.len() >= LONGEST_LINE => Err(ScpError::Length),
            (Some(text), byte) => {
                text.push(byte);
                Ok(None)
            }
        }
    }
}
