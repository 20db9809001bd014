//! The lines of the side that sends files.

use super::ScpError;
use crate::event::Name;
use std::str;

/// What a line says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// `C0644 12 name`: a file follows.
    File { permissions: u32, size: u64, name: Name },
    /// `D0755 0 name`: what follows is in a directory.
    Directory { permissions: u32, name: Name },
    /// `E`: back to the directory above.
    Leave,
    /// `T1700000000 0 1700000000 0`: when what follows was changed and read.
    Times { modified: u64 },
    /// A complaint.
    Message(Name),
}

impl Line {
    /// A line without its end.
    pub(super) fn parse(line: &[u8]) -> Result<Self, ScpError> {
        let (first, rest) = line.split_first().ok_or(ScpError::Line)?;
        match first {
            b'C' => {
                let (permissions, size, name) = item(rest)?;
                Ok(Self::File { permissions, size, name })
            }
            b'D' => {
                let (permissions, _, name) = item(rest)?;
                Ok(Self::Directory { permissions, name })
            }
            b'E' if rest.is_empty() => Ok(Self::Leave),
            b'T' => times(rest),
            1 | 2 => Ok(Self::Message(Name::new(rest))),
            _ => Err(ScpError::Line),
        }
    }
}

fn item(rest: &[u8]) -> Result<(u32, u64, Name), ScpError> {
    let mut fields = rest.splitn(3, |byte| *byte == b' ');
    let (permissions, size, name) =
        (fields.next().ok_or(ScpError::Line)?, fields.next().ok_or(ScpError::Line)?, fields.next().ok_or(ScpError::Line)?);
    let octal = digits(permissions, 7, |byte| matches!(byte, b'0'..=b'7'))?;
    let permissions = u32::from_str_radix(octal, 8).map_err(|_| ScpError::Line)?;
    let size = number(size)?;
    if name.is_empty() || size > i64::MAX.unsigned_abs() {
        return Err(ScpError::Line);
    }
    Ok((permissions, size, Name::new(name)))
}

fn times(rest: &[u8]) -> Result<Line, ScpError> {
    let numbers: Vec<u64> = rest.split(|byte| *byte == b' ').map(number).collect::<Result<_, _>>()?;
    match numbers.as_slice() {
        [modified, _, _, _] => Ok(Line::Times { modified: *modified }),
        _ => Err(ScpError::Line),
    }
}

fn number(text: &[u8]) -> Result<u64, ScpError> {
    digits(text, 20, |byte| byte.is_ascii_digit())?.parse().map_err(|_| ScpError::Line)
}

fn digits(text: &[u8], most: usize, is_digit: impl Fn(u8) -> bool) -> Result<&str, ScpError> {
    let good = !text.is_empty() && text.len() <= most && text.iter().all(|byte| is_digit(*byte));
    str::from_utf8(text).ok().filter(|_| good).ok_or(ScpError::Line)
}
