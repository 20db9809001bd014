//! The CA's keys by purpose: which one signs, which are trusted, and which were once. A rotation turns them while the CA serves.

use super::{away::AwaySigner, open, secrets::Secrets};
use crate::{
    config::{Custody, Key, Keys},
    mistake::{Mistake, Mistakes},
    store::rotation::RotationRecord,
};
use arc_swap::ArcSwap;
use dayfly_core::{
    rotation::{Purpose, Stage},
    signature::fingerprint,
    signer::Signer,
};
use ssh_key::public::KeyData;
use std::{collections::BTreeMap, sync::Arc};

/// One authority's keys.
pub struct AuthorityKeys {
    /// The one that signs.
    pub signer: Arc<dyn Signer>,
    /// Whether it was opened; if not, [`AwaySigner`] stands in its place.
    pub is_there: bool,
    /// Those that are trusted, the one that signs first. More than one while a rotation is under way.
    pub trusted: Vec<KeyData>,
    /// Those that were trusted once and are no more.
    pub former: Vec<KeyData>,
}

impl AuthorityKeys {
    /// A key that signs and is trusted, alone.
    pub fn alone(signer: Arc<dyn Signer>) -> Self {
        Self { trusted: vec![signer.public_key().clone()], former: Vec::new(), signer, is_there: true }
    }

    /// Those that are this authority's, and those that were.
    pub fn ever(&self) -> Vec<KeyData> {
        self.trusted.iter().chain(&self.former).cloned().collect()
    }
}

/// The CA's five keys. The log's stays.
pub struct Keyring {
    user: ArcSwap<AuthorityKeys>,
    session: ArcSwap<AuthorityKeys>,
    host: ArcSwap<AuthorityKeys>,
    inner_host: ArcSwap<AuthorityKeys>,
    /// Signs the log's head.
    pub log: Arc<dyn Signer>,
}

impl Keyring {
    /// The keys of the authorities, in the order of [`Purpose::ALL`], and the log's.
    pub fn new([user, session, host, inner_host]: [AuthorityKeys; 4], log: Arc<dyn Signer>) -> Self {
        let swap = ArcSwap::from_pointee;
        Self { user: swap(user), session: swap(session), host: swap(host), inner_host: swap(inner_host), log }
    }

    /// Opens those that sign. Returns all mistakes, not the first. Two purposes never share a key: a session CA that is the user CA, say, would let a
    /// person's certificate log in to a recorded target directly.
    pub fn load(keys: &Keys, secrets: &Secrets, rotations: &[RotationRecord]) -> Result<Self, Mistakes> {
        Self::load_by(keys, |purpose| authority(keys, secrets, purpose, rotations), secrets)
    }

    /// The same where one authority's key is lost: `away` stands in its place.
    pub fn load_without(
        keys: &Keys,
        secrets: &Secrets,
        rotations: &[RotationRecord],
        lost: Purpose,
        away: &Arc<AwaySigner>,
    ) -> Result<Self, Mistakes> {
        let open = |purpose| match purpose == lost {
            true => Ok(AuthorityKeys { is_there: false, former: former(rotations, lost), ..AuthorityKeys::alone(Arc::clone(away) as _) }),
            false => authority(keys, secrets, purpose, rotations),
        };
        Self::load_by(keys, open, secrets)
    }

    fn load_by(keys: &Keys, authority: impl Fn(Purpose) -> Result<AuthorityKeys, Mistake>, secrets: &Secrets) -> Result<Self, Mistakes> {
        let mut mistakes = Mistakes::default();
        let mut seen = BTreeMap::new();
        let mut is_new = |key: &Key, trusted: &KeyData, mistakes: &mut Mistakes| {
            if let Some(first) = seen.insert(fingerprint(trusted), key.purpose) {
                let remedy = "make one key for each purpose: ssh-keygen -t ed25519 -f FILE";
                mistakes.0.push(key.mistake(format!("it is the same key as {first}"), remedy));
            }
        };
        let loaded = Purpose::ALL.map(|purpose| {
            let loaded = mistakes.keep(authority(purpose))?;
            loaded.trusted.iter().for_each(|trusted| is_new(keys.of(purpose), trusted, &mut mistakes));
            Some(loaded)
        });
        let log = mistakes.keep(open(&keys.log, secrets));
        if let Some(log) = &log {
            is_new(&keys.log, log.public_key(), &mut mistakes);
        }
        match (loaded, log) {
            ([Some(user), Some(session), Some(host), Some(inner_host)], Some(log)) => {
                mistakes.or(Self::new([user, session, host, inner_host], log))
            }
            _ => Err(mistakes),
        }
    }

    /// One authority's keys as they are now.
    pub fn of(&self, purpose: Purpose) -> Arc<AuthorityKeys> {
        self.place(purpose).load_full()
    }

    /// The key that signs for a purpose.
    pub fn signer(&self, purpose: Purpose) -> Arc<dyn Signer> {
        Arc::clone(&self.place(purpose).load().signer)
    }

    /// Every key that this CA has, and those that its authorities have given up.
    pub fn every_key(&self) -> Vec<KeyData> {
        let log = self.log.public_key().clone();
        Purpose::ALL.into_iter().flat_map(|purpose| self.of(purpose).ever()).chain([log]).collect()
    }

    /// Replaces one authority's keys.
    pub fn turn(&self, purpose: Purpose, keys: AuthorityKeys) {
        self.place(purpose).store(Arc::new(keys));
    }

    fn place(&self, purpose: Purpose) -> &ArcSwap<AuthorityKeys> {
        match purpose {
            Purpose::User => &self.user,
            Purpose::Session => &self.session,
            Purpose::Host => &self.host,
            Purpose::InnerHost => &self.inner_host,
        }
    }
}

/// One authority's keys: the configuration's, unless a rotation led to another.
fn authority(keys: &Keys, secrets: &Secrets, purpose: Purpose, rotations: &[RotationRecord]) -> Result<AuthorityKeys, Mistake> {
    // One that was given up before anything came of it says nothing.
    let in_force = rotations.iter().rfind(|record| record.rotation.purpose == purpose && record.rotation.stage != Stage::Abandoned);
    match in_force {
        None => Ok(AuthorityKeys::alone(open(keys.of(purpose), secrets)?)),
        Some(record) => {
            let signer = find(keys, secrets, purpose, rotations, record.signing_key())?;
            Ok(AuthorityKeys { signer, is_there: true, trusted: record.trusted_keys(), former: former(rotations, purpose) })
        }
    }
}

/// The newest rotation of an authority.
pub fn latest(rotations: &[RotationRecord], purpose: Purpose) -> Option<&RotationRecord> {
    rotations.iter().rfind(|record| record.rotation.purpose == purpose)
}

/// The keys that an authority has given up.
pub fn former(rotations: &[RotationRecord], purpose: Purpose) -> Vec<KeyData> {
    let retired = rotations.iter().filter(|record| record.rotation.purpose == purpose && record.rotation.stage == Stage::Retired);
    retired.map(|record| record.old_key.clone()).collect()
}

/// Opens `wanted` where it may be: as the configuration has it, as its `[keys.next]` has it, and in the files that rotations made.
pub fn find(
    keys: &Keys,
    secrets: &Secrets,
    purpose: Purpose,
    rotations: &[RotationRecord],
    wanted: &KeyData,
) -> Result<Arc<dyn Signer>, Mistake> {
    let configured = keys.of(purpose);
    let made = rotations.iter().filter(|record| record.rotation.purpose == purpose && record.new_key == *wanted);
    let made = made.filter_map(|record| record.file.clone()).map(|file| Key { custody: Custody::File(file), ..configured.clone() });
    let places: Vec<Key> = made.chain([configured.clone()]).chain(keys.next.get(&purpose).cloned()).collect();
    let mut first_mistake = None;
    for place in &places {
        match open(place, secrets) {
            Ok(signer) if signer.public_key() == wanted => return Ok(signer),
            Ok(_) => {}
            Err(mistake) => {
                first_mistake.get_or_insert(mistake);
            }
        }
    }
    let why = first_mistake.map(|mistake| format!(": {mistake}")).unwrap_or_default();
    let name = configured.purpose;
    let cause = format!("{} is this authority's key, as its rotation says, and is not where it should be{why}", fingerprint(wanted));
    let remedy = format!("put its file back, or name in ca.toml where it is kept, as {name}; if it is lost, see docs/rotation.md");
    Err(configured.mistake(cause, remedy))
}

/// Where a key is kept, in words: a path, or the configuration's line.
pub fn place_in_words(keys: &Keys, purpose: Purpose, record: &RotationRecord) -> String {
    match (&record.file, keys.next.get(&purpose)) {
        (Some(file), _) => file.display().to_string(),
        (None, Some(next)) => format!("[keys.next] {} of {}", keys.of(purpose).purpose, next.file.display()),
        (None, None) => "nowhere in the configuration".to_owned(),
    }
}

#[cfg(test)]
mod tests;
