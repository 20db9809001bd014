//! The names of files as others sent them: bytes, written so that they are one line of harmless text and can be had back.

use serde::{Deserialize, Serialize};
use std::fmt::{self, Write};

/// A file's name, as it crossed the connection.
///
/// As text, in the files and on screens, a backslash is `\\`, and every byte that belongs to a control character or to no UTF-8 is `\x` and two lowercase
/// hexadecimal digits. So every name has one spelling, and none a line end or an escape sequence in it.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Name(Vec<u8>);

/// Text that is no name: a backslash in it stands before neither `\` nor `x` and two digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a backslash in a name must be followed by a backslash or by x and two hexadecimal digits")]
pub struct NameError;

impl Name {
    /// A name of these bytes.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Self(bytes.into())
    }

    /// Its bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for chunk in self.0.utf8_chunks() {
            for c in chunk.valid().chars() {
                match c {
                    '\\' => f.write_str("\\\\")?,
                    c if c.is_control() => c.encode_utf8(&mut [0; 4]).bytes().try_for_each(|byte| write!(f, "\\x{byte:02x}"))?,
                    c => f.write_char(c)?,
                }
            }
            chunk.invalid().iter().try_for_each(|byte| write!(f, "\\x{byte:02x}"))?;
        }
        Ok(())
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Name({self})")
    }
}

impl TryFrom<String> for Name {
    type Error = NameError;
    fn try_from(text: String) -> Result<Self, NameError> {
        let mut bytes = Vec::with_capacity(text.len());
        let mut rest = text.as_str();
        while let Some((before, after)) = rest.split_once('\\') {
            bytes.extend_from_slice(before.as_bytes());
            rest = match after.strip_prefix('\\') {
                Some(after) => {
                    bytes.push(b'\\');
                    after
                }
                None => {
                    let digits = after.strip_prefix('x').and_then(|after| after.get(..2)).ok_or(NameError)?;
                    let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
                    if !digits.bytes().all(is_digit) {
                        return Err(NameError);
                    }
                    bytes.push(u8::from_str_radix(digits, 16).map_err(|_| NameError)?);
                    after.get(3..).unwrap_or_default()
                }
            };
        }
        bytes.extend_from_slice(rest.as_bytes());
        Ok(Self(bytes))
    }
}

impl From<Name> for String {
    fn from(name: Name) -> String {
        name.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn row_25_a_hostile_name_is_one_line_of_text() {
        let text = Name::new(*b"a\n\x1b]0;x\x07\\\xff\xc2\x9bm\xc3\xa9").to_string();
        assert_eq!(text, "a\\x0a\\x1b]0;x\\x07\\\\\\xff\\xc2\\x9bmé");
    }

    #[test]
    fn other_backslashes_are_refused() {
        for text in ["\\", "\\n", "\\x1", "\\xZZ", "\\xFF", "\\x+1", "a\\xé"] {
            assert_eq!(Name::try_from(text.to_owned()), Err(NameError), "{text}");
        }
    }

    proptest! {
        #[test]
        fn names_round_trip(bytes: Vec<u8>) {
            let text = Name::new(bytes.clone()).to_string();
            prop_assert!(!text.chars().any(char::is_control));
            prop_assert_eq!(Name::try_from(text), Ok(Name(bytes)));
        }
    }
}
