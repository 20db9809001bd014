//! Keys behind something slow, an agent or a token: a bounded pool of sessions with it, and callers that wait so long and no longer.
//!
//! A call into a token cannot be broken off, so it is made on a thread of the pool's own. If all of them hang, the callers are told so after
//! their time, those beyond the queue's end at once, and the CA's own threads stay free.

use crate::config::Calls;
use dayfly_core::{
    signature::fingerprint,
    signer::{Signer, SignerError},
};
use ssh_key::{Signature, public::KeyData};
use std::{
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel},
    },
    thread,
    time::{Duration, Instant},
};

/// The signatures that may wait for a session.
const QUEUE: usize = 64;

/// How often a signature is tried, each time with a new session: a token that came back may be gone from under a second key meanwhile.
const ATTEMPTS: usize = 3;

/// What went wrong at the device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum DeviceError {
    /// The session is of no use any more. Another one may be.
    Lost(String),
    /// The device said no, and would again.
    Refused(String),
}

/// Something that holds a key and signs with it.
pub(super) trait Device: Send + Sync + 'static {
    /// What signatures are made in, one after the other.
    type Session;

    /// Opens a session.
    fn open(&self, until: Instant) -> Result<Self::Session, DeviceError>;

    /// Signs.
    fn sign(&self, session: &mut Self::Session, message: &[u8], until: Instant) -> Result<Signature, DeviceError>;

    /// Ends a session that is of no use any more.
    fn retire(&self, session: Self::Session);

    /// What and where it is, for people.
    fn place(&self) -> String;

    /// What to look at when it does not work.
    fn remedy(&self) -> String;
}

/// A key that a device holds.
pub struct PooledSigner {
    public: KeyData,
    name: String,
    place: String,
    remedy: String,
    timeout: Duration,
    queue: SyncSender<Job>,
}

struct Job {
    message: Vec<u8>,
    until: Instant,
    answer: SyncSender<Result<Signature, DeviceError>>,
}

impl PooledSigner {
    /// Begins to serve `public`, the key that `device` holds for `purpose`.
    pub(super) fn new<D: Device>(purpose: &str, public: KeyData, device: D, calls: Calls) -> std::io::Result<Self> {
        let (queue, jobs) = sync_channel(QUEUE);
        let name = format!("{purpose} ({})", fingerprint(&public));
        let (place, remedy) = (device.place(), device.remedy());
        let (device, jobs) = (Arc::new(device), Arc::new(Mutex::new(jobs)));
        for _ in 0..calls.sessions {
            let (device, jobs) = (Arc::clone(&device), Arc::clone(&jobs));
            thread::Builder::new().name(format!("signer {purpose}")).spawn(move || work(device.as_ref(), &jobs))?;
        }
        Ok(Self { public, name, place, remedy, timeout: calls.timeout, queue })
    }

    fn failed(&self, cause: &str) -> SignerError {
        SignerError { key: self.name.clone(), cause: format!("{} {cause}: {}", self.place, self.remedy) }
    }
}

impl Signer for PooledSigner {
    fn public_key(&self) -> &KeyData {
        &self.public
    }

    fn sign(&self, message: &[u8]) -> Result<Signature, SignerError> {
        let (answer, answered) = sync_channel(1);
        let until = Instant::now() + self.timeout;
        let job = Job { message: message.to_vec(), until, answer };
        self.queue.try_send(job).map_err(|error| match error {
            TrySendError::Full(_) => self.failed(&format!("is too slow: {QUEUE} signatures wait for it already")),
            TrySendError::Disconnected(_) => self.failed("is not asked any more: its threads have ended"),
        })?;
        match answered.recv_timeout(self.timeout) {
            Ok(Ok(signature)) => Ok(signature),
            // Whatever it was that ended with the time.
            Ok(Err(_)) if Instant::now() >= until => Err(self.failed(&format!("did not answer within {:?}", self.timeout))),
            Ok(Err(DeviceError::Lost(cause) | DeviceError::Refused(cause))) => Err(self.failed(&format!("did not sign ({cause})"))),
            Err(RecvTimeoutError::Timeout) => Err(self.failed(&format!("did not answer within {:?}", self.timeout))),
            // Its time was over before its turn came.
            Err(RecvTimeoutError::Disconnected) => Err(self.failed(&format!("had no time within {:?}", self.timeout))),
        }
    }
}

impl std::fmt::Debug for PooledSigner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PooledSigner({}, {})", self.name, self.place)
    }
}

/// Serves job after job, in one session as long as it lasts, until nobody can ask any more.
fn work<D: Device>(device: &D, jobs: &Mutex<Receiver<Job>>) {
    let mut session = None;
    loop {
        let job = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(Job { message, until, answer }) = job else { break };
        if Instant::now() < until {
            // Whoever asked may have gone.
            let _ = answer.send(sign(device, &mut session, &message, until));
        }
    }
    if let Some(session) = session {
        device.retire(session);
    }
}

fn sign<D: Device>(device: &D, kept: &mut Option<D::Session>, message: &[u8], until: Instant) -> Result<Signature, DeviceError> {
    let mut lost = DeviceError::Lost("its time was over".to_owned());
    for _ in 0..ATTEMPTS {
        if Instant::now() >= until {
            break;
        }
        let mut session = match kept.take() {
            Some(session) => session,
            None => match device.open(until) {
                Ok(session) => session,
                Err(DeviceError::Lost(cause)) => {
                    lost = DeviceError::Lost(cause);
                    continue;
                }
                Err(refused) => return Err(refused),
            },
        };
        match device.sign(&mut session, message, until) {
            Err(DeviceError::Lost(cause)) => {
                device.retire(session);
                lost = DeviceError::Lost(cause);
            }
            answer => {
                *kept = Some(session);
                return answer;
            }
        }
    }
    Err(lost)
}

/// Does `work` on a thread of its own and waits `timeout` for it: a module that hangs while it is opened must not hold the CA either.
pub(super) fn within<T: Send + 'static>(timeout: Duration, work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    let (answer, answered) = sync_channel(1);
    let spawned = thread::Builder::new().name("signer".to_owned()).spawn(move || {
        let _ = answer.send(work());
    });
    spawned.ok()?;
    answered.recv_timeout(timeout).ok()
}

#[cfg(test)]
mod tests;
