//! Mistakes of whoever administers the CA: where, what, and what to do about it.

use dayfly_core::policy::PolicyError;
use serde::Serialize;
use std::{
    fmt,
    path::{Path, PathBuf},
};

/// Something in a file that has to be corrected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Mistake {
    /// The file.
    pub file: PathBuf,
    /// The line, counted from 1; `None` if it is about the file as a whole.
    pub line: Option<usize>,
    /// What is wrong.
    pub cause: String,
    /// What to do about it.
    pub remedy: String,
}

impl Mistake {
    /// A mistake that is about a file as a whole.
    pub fn new(file: &Path, cause: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { file: file.to_owned(), line: None, cause: cause.into(), remedy: remedy.into() }
    }

    /// The same mistake at a line, counted from 1.
    pub fn at(mut self, line: usize) -> Self {
        self.line = Some(line);
        self
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file.display())?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        write!(f, ": {}: {}", self.cause, self.remedy)
    }
}

impl std::error::Error for Mistake {}

impl From<PolicyError> for Mistake {
    fn from(error: PolicyError) -> Self {
        Self { file: PathBuf::from(error.file), line: Some(error.line), cause: error.cause, remedy: error.remedy }
    }
}

/// All mistakes that were found, in the order of the files.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(transparent)]
pub struct Mistakes(pub Vec<Mistake>);

impl Mistakes {
    /// `value`, if there is no mistake.
    pub fn or<T>(self, value: T) -> Result<T, Self> {
        if self.0.is_empty() { Ok(value) } else { Err(self) }
    }

    /// Keeps the mistakes of `result`, and passes on its value.
    pub fn keep<T, E: Into<Self>>(&mut self, result: Result<T, E>) -> Option<T> {
        result.map_err(|mistakes| self.0.extend(mistakes.into().0)).ok()
    }
}

impl From<Mistake> for Mistakes {
    fn from(mistake: Mistake) -> Self {
        Self(vec![mistake])
    }
}

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, mistake) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{mistake}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Mistakes {}
