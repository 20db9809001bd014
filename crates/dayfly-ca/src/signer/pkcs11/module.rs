//! A PKCS#11 module: loaded once a process, entered by many threads, started anew by one.

use super::in_words;
use crate::signer::{passphrase::Passphrase, pool::DeviceError};
use cryptoki::{
    context::{CInitializeArgs, CInitializeFlags, Pkcs11},
    error::{Error, RvError},
    session::{Session, UserType},
    slot::Slot,
    types::AuthPin,
};
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};
use zeroize::Zeroizing;

/// The least time between two starts of a module: while one token is away, the others on its module are to be left in peace.
const PAUSE: Duration = Duration::from_secs(1);

/// The modules of this process. A module keeps its state in the process, whoever loads it, so that there is one of each.
static MODULES: Mutex<BTreeMap<PathBuf, Arc<Module>>> = Mutex::new(BTreeMap::new());

/// A module.
pub(super) struct Module {
    pkcs11: Pkcs11,
    calls: Mutex<Calls>,
    changed: Condvar,
    pins: Mutex<BTreeMap<String, Arc<Pin>>>,
}

/// Who is inside the module.
struct Calls {
    inside: usize,
    generation: u64,
    starting: bool,
    started: Instant,
}

/// A call into the module, until this is dropped.
pub(super) struct Entered<'a> {
    module: &'a Module,
    generation: u64,
}

impl Module {
    /// The module at `path`, loaded and started if it is not yet.
    pub(super) fn load(path: &Path) -> Result<Arc<Self>, String> {
        let mut modules = MODULES.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(module) = modules.get(path) {
            return Ok(Arc::clone(module));
        }
        let pkcs11 = Pkcs11::new(path).map_err(|error| format!("cannot be loaded ({error})"))?;
        start(&pkcs11).map_err(|error| format!("does not start ({})", in_words(&error)))?;
        let calls = Calls { inside: 0, generation: 0, starting: false, started: Instant::now() };
        let module = Self { pkcs11, calls: Mutex::new(calls), changed: Condvar::new(), pins: Mutex::default() };
        let module = Arc::new(module);
        modules.insert(path.to_owned(), Arc::clone(&module));
        Ok(module)
    }

    pub(super) fn pkcs11(&self) -> &Pkcs11 {
        &self.pkcs11
    }

    /// The PIN of a token, which all its keys share. A PIN that was given anew replaces one that the token refused.
    pub(super) fn pin(&self, token: &str, pin: &Passphrase) -> Arc<Pin> {
        let mut pins = self.pins.lock().unwrap_or_else(PoisonError::into_inner);
        match pins.get(token) {
            Some(known) if known.text.as_slice() == pin.as_bytes() => Arc::clone(known),
            _ => {
                let made = Arc::new(Pin { text: Zeroizing::new(pin.as_bytes().to_vec()), refused: Mutex::new(None) });
                pins.insert(token.to_owned(), Arc::clone(&made));
                made
            }
        }
    }

    /// The slot that the token is in now.
    pub(super) fn slot(&self, token: &str) -> Result<Slot, DeviceError> {
        let lost = |error: &Error| DeviceError::Lost(in_words(error));
        let slots = self.pkcs11.get_slots_with_token().map_err(|error| lost(&error))?;
        let info = |slot: Slot| self.pkcs11.get_token_info(slot).ok().filter(|info| info.label() == token).map(|info| (slot, info));
        let mut found = slots.into_iter().filter_map(info);
        match (found.next(), found.next()) {
            // The last try is a person's: whoever restarts the CA again and again with a wrong PIN must not lock the token.
            (Some((_, info)), None) if info.user_pin_locked() || info.user_pin_final_try() => {
                Err(DeviceError::Refused("its PIN is locked, or would be by one more mistake: log in by hand once".to_owned()))
            }
            (Some((slot, _)), None) => Ok(slot),
            (Some(_), Some(_)) => Err(DeviceError::Refused("two tokens have this label".to_owned())),
            (None, _) => Err(DeviceError::Lost("it is not there".to_owned())),
        }
    }

    /// Begins a call, as soon as nobody starts the module anew.
    pub(super) fn enter(&self, until: Instant) -> Result<Entered<'_>, DeviceError> {
        let mut calls = self.wait(until, |calls| calls.starting)?;
        calls.inside += 1;
        Ok(Entered { module: self, generation: calls.generation })
    }

    /// Starts the module anew, unless somebody did since the caller saw `generation`. Whether it is another one now. No call is inside meanwhile:
    /// while one hangs, the module is left as it is.
    pub(super) fn start_anew(&self, generation: u64, until: Instant) -> bool {
        {
            let Ok(mut calls) = self.wait(until, |calls| calls.starting) else { return false };
            if calls.generation != generation {
                return true;
            }
            if calls.started.elapsed() < PAUSE {
                return false;
            }
            calls.starting = true;
        }
        let is_empty = self.wait(until, |calls| calls.inside > 0).is_ok();
        if is_empty {
            // What it cannot end it cannot start either, and says so to the next caller.
            let _ = self.pkcs11.clone().finalize();
            if let Err(error) = start(&self.pkcs11) {
                tracing::warn!(error = %in_words(&error), "the PKCS#11 module does not start");
            }
        }
        let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        calls.starting = false;
        if is_empty {
            calls.generation += 1;
            calls.started = Instant::now();
        }
        self.changed.notify_all();
        is_empty
    }

    fn wait(&self, until: Instant, is_in_the_way: impl Fn(&Calls) -> bool) -> Result<MutexGuard<'_, Calls>, DeviceError> {
        let calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        let left = until.saturating_duration_since(Instant::now());
        let (calls, waited) =
            self.changed.wait_timeout_while(calls, left, |calls| is_in_the_way(calls)).unwrap_or_else(PoisonError::into_inner);
        if waited.timed_out() { Err(DeviceError::Lost("other calls hang".to_owned())) } else { Ok(calls) }
    }
}

fn start(pkcs11: &Pkcs11) -> Result<(), Error> {
    match pkcs11.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)) {
        Err(Error::Pkcs11(RvError::CryptokiAlreadyInitialized, _)) => Ok(()),
        answer => answer,
    }
}

impl Entered<'_> {
    /// Which start of the module it is, counted from 0.
    pub(super) fn number(&self) -> u64 {
        self.generation
    }
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        let mut calls = self.module.calls.lock().unwrap_or_else(PoisonError::into_inner);
        calls.inside = calls.inside.saturating_sub(1);
        self.module.changed.notify_all();
    }
}

/// A token's PIN. One that the token refused is never tried again: after a few more it would lock itself.
pub(super) struct Pin {
    text: Zeroizing<Vec<u8>>,
    refused: Mutex<Option<String>>,
}

impl Pin {
    /// Logs in. A login is the token's, so that a second session may find it done.
    pub(super) fn log_in(&self, session: &Session) -> Result<(), DeviceError> {
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(cause) = refused.as_ref() {
            return Err(DeviceError::Refused(cause.clone()));
        }
        let text = String::from_utf8(self.text.to_vec()).map_err(|_| DeviceError::Refused("the PIN is not text".to_owned()))?;
        match session.login(UserType::User, Some(&AuthPin::from(text))) {
            Ok(()) | Err(Error::Pkcs11(RvError::UserAlreadyLoggedIn, _)) => Ok(()),
            Err(Error::Pkcs11(
                code @ (RvError::PinIncorrect
                | RvError::PinInvalid
                | RvError::PinLenRange
                | RvError::PinExpired
                | RvError::PinLocked
                | RvError::UserPinNotInitialized),
                _,
            )) => {
                let cause = format!("it refused the PIN, which is not tried again until the CA is started anew: {code:?}");
                *refused = Some(cause.clone());
                Err(DeviceError::Refused(cause))
            }
            Err(error) => Err(DeviceError::Lost(in_words(&error))),
        }
    }
}
