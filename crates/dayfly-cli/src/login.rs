//! Who is logged in where: what `dayfly login` found out and keeps.

use crate::{
    error::{Failure, Kind},
    identity::IdentityKey,
    state::{State, StateError},
};
use dayfly_api::trust::Trust;
use dayfly_core::{
    identity::Subject,
    rotation::{Purpose, are_vouched_for, keys_digest},
};
use serde::{Deserialize, Serialize};
use ssh_key::{LineEnding, PrivateKey, PublicKey, public::KeyData};
use std::path::{Path, PathBuf};

const LOGIN_FILE: &str = "login.json";
const TRUST_FILE: &str = "trust.json";

/// The key that is signed in.
const SIGN_IN_KEY_FILE: &str = "sign-in-key";

/// A login.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Login {
    /// The CA's address: `https://host[:port]`.
    pub url: String,
    /// The pin of the CA's TLS key; without one, public trust decides.
    pub pin: Option<String>,
    /// The key that proves who the person is.
    pub identity: IdentityKey,
    /// Who the CA says that is.
    pub subject: Subject,
}

impl Login {
    /// The login that is kept in `state`.
    pub fn read(state: &State) -> Result<Option<Self>, StateError> {
        state.read(LOGIN_FILE)
    }

    /// Keeps it, with what to trust.
    pub fn write(&self, state: &State, trust: &Trust) -> Result<(), StateError> {
        state.write(TRUST_FILE, trust)?;
        state.write(LOGIN_FILE, self)
    }

    /// Keeps the key of a sign-in. Gives its file.
    pub fn write_key(state: &State, key: &PrivateKey) -> Result<PathBuf, Failure> {
        let text = key.to_openssh(LineEnding::LF);
        let text = text.map_err(|error| Failure::new(Kind::Failed, "the key of the sign-in cannot be written").because(error))?;
        state.write_secret(SIGN_IN_KEY_FILE, text.as_bytes())?;
        let file = state.path().join(SIGN_IN_KEY_FILE);
        Ok(std::path::absolute(&file).unwrap_or(file))
    }

    /// Forgets the login, and the key of a sign-in. What is trusted stays: a CA with other keys is noticed at the next login.
    pub fn forget(state: &State) -> Result<(), StateError> {
        state.remove(LOGIN_FILE)?;
        state.remove(SIGN_IN_KEY_FILE)
    }

    /// Whether it is a sign-in at a provider: one that ends, and that a browser renews.
    pub fn is_sign_in(&self) -> bool {
        matches!(self.identity, IdentityKey::SignIn { .. })
    }

    /// Whether the sign-in has ended at `now`, in Unix seconds. An enrolled key's login does not end by itself.
    pub fn has_ended(&self, now: u64) -> bool {
        matches!(self.identity, IdentityKey::SignIn { ends_at, .. } if ends_at <= now)
    }

    /// Keeps what to trust from here on.
    pub fn write_trust(state: &State, trust: &Trust) -> Result<(), StateError> {
        state.write(TRUST_FILE, trust)
    }

    /// What to trust at the CA of the login, as it was when it was last heard.
    pub fn trust(state: &State) -> Result<Option<Trust>, StateError> {
        state.read(TRUST_FILE)
    }
}

/// The state directory of somebody who is logged in, and the login.
pub fn current(home: &Path) -> Result<(State, Login, Trust), Failure> {
    let nobody = || {
        Failure::new(Kind::NotLoggedIn, "you are not logged in to a CA")
            .because(format!("there is no login in {}", home.display()))
            .remedy("dayfly login https://CA[:PORT] --pin sha256//…")
    };
    let state = State::open(home)?.ok_or_else(nobody)?;
    let login = Login::read(&state)?.ok_or_else(nobody)?;
    let trust = Login::trust(&state)?.ok_or_else(nobody)?;
    Ok((state, login, trust))
}

/// Whether what a CA `offers` is the CA that is `known`: its keys are those, or such as they have vouched for, and its log's key is the same. The addresses of
/// names may change.
pub fn same_authorities(known: &Trust, offered: &Trust) -> bool {
    let is_same = |purpose| {
        let (known, new) = (keys(known.of(purpose)), keys(offered.of(purpose)));
        !new.is_empty() && are_vouched_for(purpose, &known, &new, &offered.endorsements)
    };
    Purpose::ALL.into_iter().all(is_same) && key(&known.log_key) == key(&offered.log_key)
}

/// Which keys these are ([`keys_digest`]).
pub fn digest(trust: &Trust) -> String {
    let keys = Purpose::ALL.map(|purpose| keys(trust.of(purpose)));
    keys_digest(keys.each_ref().map(Vec::as_slice))
}

/// The keys of OpenSSH lines; lines that cannot be read stand for no key.
pub fn keys(lines: &[String]) -> Vec<KeyData> {
    lines.iter().filter_map(|line| key(line)).collect()
}

fn key(line: &str) -> Option<KeyData> {
    PublicKey::from_openssh(line).ok().map(|key| key.key_data().clone())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use dayfly_core::{
        rotation::Endorsement,
        signer::{SeedSigner, Signer},
    };

    fn line(seed: u8, comment: &str) -> String {
        let mut key = SeedSigner::new(seed).private_key().public_key().clone();
        key.set_comment(comment);
        key.to_openssh().unwrap()
    }

    fn trust(seeds: [u8; 5]) -> Trust {
        let [user, session, host, inner, log] = seeds.map(|seed| line(seed, "x"));
        Trust {
            user_ca: vec![user],
            session_ca: vec![session],
            host_ca: vec![host],
            inner_host_ca: vec![inner],
            log_key: log,
            known_hosts: Vec::new(),
            endorsements: Vec::new(),
        }
    }

    #[test]
    fn another_key_for_any_purpose_is_another_ca() {
        let known = trust([1, 2, 3, 4, 5]);
        let renamed = Trust { user_ca: vec![line(1, "another comment")], known_hosts: vec!["db1".to_owned()], ..known.clone() };
        assert!(same_authorities(&known, &renamed));
        for other in [[9, 2, 3, 4, 5], [1, 9, 3, 4, 5], [1, 2, 9, 4, 5], [1, 2, 3, 9, 5], [1, 2, 3, 4, 9], [2, 1, 3, 4, 5]] {
            assert!(!same_authorities(&known, &trust(other)), "{other:?}");
        }
    }

    #[test]
    fn row_21_a_key_that_the_known_one_vouches_for_is_taken_over_and_no_other() {
        let known = trust([1, 2, 3, 4, 5]);
        let endorsement = Endorsement::make(&SeedSigner::new(1), Purpose::User, SeedSigner::new(9).public_key()).unwrap();
        let published = Trust { user_ca: vec![line(1, "x"), line(9, "x")], endorsements: vec![endorsement.clone()], ..known.clone() };
        assert!(same_authorities(&known, &published));
        assert_ne!(digest(&known), digest(&published));
        assert!(
            same_authorities(&known, &Trust { user_ca: vec![line(9, "x")], ..published.clone() }),
            "it has switched, and retired the old one"
        );
        assert!(!same_authorities(&known, &Trust { endorsements: Vec::new(), ..published.clone() }));
        let elsewhere = Trust { session_ca: vec![line(9, "x")], endorsements: vec![endorsement], ..known.clone() };
        assert!(!same_authorities(&known, &elsewhere), "for another purpose");
        assert!(!same_authorities(&known, &Trust { user_ca: Vec::new(), ..known.clone() }), "none at all");
    }

    #[test]
    fn nobody_is_logged_in_where_nothing_is_kept() {
        let place = tempfile::tempdir().unwrap();
        let failure = current(&place.path().join("none")).err().unwrap();
        assert_eq!(failure.kind, Kind::NotLoggedIn);
        assert!(failure.remedy.unwrap().starts_with("dayfly login"));
    }
}
