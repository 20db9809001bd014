//! The key revocation list that hosts fetch (OpenSSH PROTOCOL.krl): everything that is revoked and alive, in a form that any `sshd` reads.
//!
//! It is served when it is empty, too: `sshd` locks everybody out whose `RevokedKeys` names a file that is not there. What a list says decides its number: it
//! rises by one with every change, and each change is a row of the log.

use crate::{
    authority::Authority,
    failure::Failure,
    store::{Change, ListRecord, RevocationState, StoreError, Unique},
};
use dayfly_core::{
    audit::{Event, Outcome},
    certificate::{
        Revocations,
        krl::{Krl, KrlError},
    },
    rotation::Purpose,
    signed_request::hex,
};
use sha2::{Digest, Sha256};
use ssh_key::Fingerprint;
use std::sync::Arc;
use tokio::sync::Mutex;

/// A list as it is served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RevocationList {
    /// Its number (`krl_version`), which rises with every change.
    pub number: u64,
    /// When it was first published, in Unix seconds.
    pub generated_at: u64,
    /// SHA-256 of its bytes, in lower-case hexadecimal.
    pub digest: String,
    /// The bytes.
    pub bytes: Vec<u8>,
}

/// The list that was made last. It is looked at anew each second, and whenever something was revoked.
#[derive(Debug, Default)]
pub struct LatestList(Mutex<Option<(u64, RevocationState, Arc<RevocationList>)>>);

/// The list as it is now. One that says something new is numbered and logged first.
pub async fn revocation_list(authority: &Authority) -> Result<Arc<RevocationList>, Failure> {
    // Whoever comes meanwhile waits for the same answer.
    let mut latest = authority.latest_list.0.lock().await;
    let (now, state) = (authority.clock.unix_seconds(), authority.store.revocation_state().await?);
    if let Some((at, of, list)) = &*latest
        && (*at, *of) == (now, state)
    {
        return Ok(Arc::clone(list));
    }
    let mut krl = contents(authority, now).await?;
    let said: [u8; 32] = Sha256::digest(krl.encode().map_err(unwritable)?).into();
    let record = publish(authority, said, now).await?;
    (krl.number, krl.generated_at) = (record.number, record.generated_at);
    let bytes = krl.encode().map_err(unwritable)?;
    let digest = hex(&Sha256::digest(&bytes));
    let list = Arc::new(RevocationList { number: record.number, generated_at: record.generated_at, digest, bytes });
    *latest = Some((now, state, Arc::clone(&list)));
    Ok(list)
}

/// What the list says, without number and time.
async fn contents(authority: &Authority, now: u64) -> Result<Krl, Failure> {
    let serials = authority.store.revoked_serials(now).await?;
    let revocations = authority.revocations.current().await?;
    // Which of two keys signed what is not asked: while a rotation is under way, what is revoked stands under both.
    let mut krl = Krl::new(0, 0, "dayfly");
    for purpose in Purpose::ALL {
        for key in &authority.keyring.of(purpose).trusted {
            let own: &[u64] = match purpose {
                Purpose::User => &serials.certificates,
                Purpose::Session => &serials.sessions,
                Purpose::Host | Purpose::InnerHost => &[],
            };
            krl.revoke_serials(Some(key), own.iter().chain(&serials.others).copied()).map_err(unwritable)?;
            for key_id in &revocations.key_ids {
                krl.revoke_key_id(Some(key), key_id).map_err(unwritable)?;
            }
        }
    }
    by_key(&mut krl, &revocations)?;
    Ok(krl)
}

fn by_key(krl: &mut Krl, revocations: &Revocations) -> Result<(), Failure> {
    for key in &revocations.keys {
        match key.parse::<Fingerprint>() {
            Ok(Fingerprint::Sha256(digest)) => krl.revoke_fingerprint(digest),
            _ => return Err(Failure::Internal(format!("{key} was revoked and is no SHA-256 fingerprint"))),
        }
    }
    Ok(())
}

/// The number of a list that says this: the last one's, or the next.
async fn publish(authority: &Authority, digest: [u8; 32], now: u64) -> Result<ListRecord, Failure> {
    loop {
        let last = authority.store.published_list().await?;
        let number = match last {
            Some(last) if last.digest == digest => return Ok(last),
            Some(last) => last.number.saturating_add(1),
            None => 1,
        };
        let record = ListRecord { number, generated_at: now, digest };
        let event = authority.event(Event::RevocationListPublished, Outcome::Done);
        let event = event.fact("number", number).fact("contents_sha256", hex(&digest));
        match authority.store.commit(Change::PublishList(record.clone()), event).await {
            Ok(_) => return Ok(record),
            // Another process was first: see what it says.
            Err(StoreError::Conflict(Unique::RevocationList)) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

fn unwritable(error: KrlError) -> Failure {
    Failure::Internal(format!("the key revocation list cannot be written: {error}"))
}

#[cfg(test)]
mod tests;
