//! The key id: what a certificate says of itself, readable by a person in `sshd`'s log and parseable by a machine.

use crate::{
    identity::Subject,
    name::{BastionName, RoleName},
};
use std::{fmt, str::FromStr};
use uuid::Uuid;

/// `alice role=db-admin grant=0198…`, and in a session certificate also ` session=0198… bastion=gate`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyId {
    /// Whom the certificate was given to.
    pub subject: Subject,
    /// Under which role.
    pub role: RoleName,
    /// By which grant.
    pub grant: Uuid,
    /// In a session certificate: for which session, through which bastion.
    pub session: Option<SessionReference>,
}

/// A session, and the bastion that carries it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionReference {
    /// The session's id.
    pub session: Uuid,
    /// The bastion.
    pub bastion: BastionName,
}

/// A key id of another form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the key id is not one of Dayfly's")]
pub struct KeyIdError;

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} role={} grant={}", self.subject, self.role, self.grant)?;
        match &self.session {
            Some(reference) => write!(f, " session={} bastion={}", reference.session, reference.bastion),
            None => Ok(()),
        }
    }
}

impl FromStr for KeyId {
    type Err = KeyIdError;

    fn from_str(text: &str) -> Result<Self, KeyIdError> {
        let mut words = text.split(' ');
        let subject = words.next().and_then(|word| word.parse().ok()).ok_or(KeyIdError)?;
        let role = value(words.next(), "role=")?;
        let grant = value(words.next(), "grant=")?;
        let session = match words.next() {
            Some(word) => Some(SessionReference { session: value(Some(word), "session=")?, bastion: value(words.next(), "bastion=")? }),
            None => None,
        };
        let read = Self { subject, role, grant, session };
        // One spelling only: what does not print back as it was is not ours.
        if words.next().is_none() && read.to_string() == text { Ok(read) } else { Err(KeyIdError) }
    }
}

fn value<T: FromStr>(word: Option<&str>, key: &str) -> Result<T, KeyIdError> {
    word.and_then(|word| word.strip_prefix(key)).and_then(|value| value.parse().ok()).ok_or(KeyIdError)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_key_id_reads_back_as_it_was_written() {
        let plain = "alice role=db-admin grant=01890a5d-ac96-774b-bcce-b302099a8057";
        let session =
            format!("machine:ci{} session=01890a5d-ac96-774b-bcce-b302099a8058 bastion=gate", plain.strip_prefix("alice").unwrap());
        for text in [plain, session.as_str()] {
            assert_eq!(text.parse::<KeyId>().unwrap().to_string(), text);
        }
        for bad in
            ["", "alice", "alice role=x", &format!("{plain} "), &format!("{plain} x=y"), &plain.to_uppercase(), &plain.replace(' ', "\t")]
        {
            assert!(bad.parse::<KeyId>().is_err(), "{bad:?}");
        }
    }
}
