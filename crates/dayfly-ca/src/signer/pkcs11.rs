//! Custody on a token: a smart card, a YubiKey's PIV, a TPM, an HSM, whatever brings a PKCS#11 module (OASIS PKCS #11 2.40 and later).

use super::{
    passphrase::{PIN_CREDENTIAL, PIN_VARIABLE, Passphrase},
    pool::{Device, DeviceError, PooledSigner, within},
    secrets::Secrets,
};
use crate::{
    config::{Key, TokenKey},
    mistake::Mistake,
};
use cryptoki::{
    error::Error,
    object::{Attribute, AttributeType, ObjectClass, ObjectHandle},
    session::Session,
};
use kind::Kind;
use module::{Module, Pin};
use ssh_key::{Signature, public::KeyData};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

mod kind;
mod module;

/// How much longer opening a token may take than a signature: a module may look at every slot before.
const OPENING: u32 = 4;

/// Finds the key that `at` names on its token.
pub fn open(key: &Key, at: &TokenKey, secrets: &Secrets) -> Result<PooledSigner, Mistake> {
    let pin = secrets.pin(at.pin_file.as_deref(), &at.token)?.ok_or_else(|| {
        let remedy = format!("set {PIN_VARIABLE}, give the service a credential {PIN_CREDENTIAL}, or name a pin_file");
        key.mistake(format!("nobody knows the PIN of the token {:?}", at.token), remedy)
    })?;
    let timeout = at.calls.timeout.saturating_mul(OPENING);
    let at_of_thread = at.clone();
    let opened = within(timeout, move || Token::open(at_of_thread, &pin, Instant::now() + timeout));
    let opened = opened.ok_or_else(|| key.mistake(format!("{} did not answer within {timeout:?}", place(at)), remedy(at)))?;
    let (token, public) = opened.map_err(|cause| key.mistake(format!("{} {cause}", place(at)), remedy(at)))?;
    PooledSigner::new(key.purpose, public, token, at.calls)
        .map_err(|error| key.mistake(format!("its threads cannot be started: {error}"), "see how many threads the system permits"))
}

fn place(at: &TokenKey) -> String {
    format!("the token {:?} of {}", at.token, at.module.display())
}

fn remedy(at: &TokenKey) -> String {
    let module = at.module.display();
    format!(
        "see whether it is plugged in and what it holds: pkcs11-tool --module {module} --token-label {:?} --login --list-objects",
        at.token
    )
}

/// A key on a token.
struct Token {
    at: TokenKey,
    module: Arc<Module>,
    pin: Arc<Pin>,
    kind: Kind,
}

/// A session that is logged in, and the key as it calls it.
pub(super) struct Opened {
    session: Session,
    key: ObjectHandle,
    /// Of which start of the module it is: numbers of sessions are given out anew by the next one.
    generation: u64,
}

impl Token {
    /// Loads the module, logs in and reads what kind of key it is.
    fn open(at: TokenKey, pin: &Passphrase, until: Instant) -> Result<(Self, KeyData), String> {
        let module = Module::load(&at.module)?;
        let pin = module.pin(&at.token, pin);
        let read = |device: &DeviceError| match device {
            DeviceError::Lost(cause) | DeviceError::Refused(cause) => format!("cannot be used ({cause})"),
        };
        let generation = module.enter(until).map_err(|error| read(&error))?;
        let found = log_in(&module, &at, &pin, generation.number()).map_err(|error| read(&error))?;
        let public = public_key(&found.session, &at);
        let _ = found.session.close();
        drop(generation);
        let (kind, public) = public?;
        Ok((Self { at, module, pin, kind }, public))
    }
}

/// A new session, logged in, and the private key in it. The caller has entered the module.
fn log_in(module: &Module, at: &TokenKey, pin: &Pin, generation: u64) -> Result<Opened, DeviceError> {
    let slot = module.slot(&at.token)?;
    let session = module.pkcs11().open_ro_session_no_drop(slot).map_err(|error| DeviceError::Lost(in_words(&error)))?;
    let found = pin.log_in(&session).and_then(|()| {
        let mut template = vec![Attribute::Class(ObjectClass::PRIVATE_KEY)];
        template.extend(named(at));
        let keys = session.find_objects(&template).map_err(|error| DeviceError::Lost(in_words(&error)))?;
        match keys.as_slice() {
            [key] => Ok(*key),
            [] => Err(DeviceError::Lost("it holds no such private key".to_owned())),
            _ => Err(DeviceError::Refused("it holds several such private keys: name one by its id".to_owned())),
        }
    });
    match found {
        Ok(key) => Ok(Opened { session, key, generation }),
        Err(error) => {
            let _ = session.close();
            Err(error)
        }
    }
}

fn named(at: &TokenKey) -> impl Iterator<Item = Attribute> {
    let label = at.label.as_ref().map(|label| Attribute::Label(label.clone().into_bytes()));
    label.into_iter().chain(at.id.clone().map(Attribute::Id))
}

fn public_key(session: &Session, at: &TokenKey) -> Result<(Kind, KeyData), String> {
    let mut template = vec![Attribute::Class(ObjectClass::PUBLIC_KEY)];
    template.extend(named(at));
    let keys = session.find_objects(&template).map_err(|error| in_words(&error))?;
    let [key] = keys.as_slice() else { return Err("does not hold exactly one such public key beside the private one".to_owned()) };
    let of_key = |wanted: &[AttributeType]| session.get_attributes(*key, wanted).map_err(|error| in_words(&error));
    kind::read(of_key)
}

impl Device for Token {
    type Session = Opened;

    fn open(&self, until: Instant) -> Result<Opened, DeviceError> {
        let entered = self.module.enter(until)?;
        let answer = log_in(&self.module, &self.at, &self.pin, entered.number());
        let seen = entered.number();
        drop(entered);
        match answer {
            // Some modules see a token that came back only when they are started anew.
            Err(DeviceError::Lost(cause)) if self.module.start_anew(seen, until) => {
                let entered = self.module.enter(until)?;
                log_in(&self.module, &self.at, &self.pin, entered.number()).map_err(|error| match error {
                    DeviceError::Lost(again) if again != cause => DeviceError::Lost(format!("{cause}; then {again}")),
                    error => error,
                })
            }
            answer => answer,
        }
    }

    fn sign(&self, opened: &mut Opened, message: &[u8], until: Instant) -> Result<Signature, DeviceError> {
        let entered = self.module.enter(until)?;
        if opened.generation != entered.number() {
            return Err(DeviceError::Lost("the module was started anew".to_owned()));
        }
        let signed = opened.session.sign(&self.kind.mechanism(), opened.key, &self.kind.input(message));
        drop(entered);
        // Whatever went wrong, a new session is the cure if there is one: removed, closed by the token, logged out, its handles forgotten.
        let data = signed.map_err(|error| DeviceError::Lost(in_words(&error)))?;
        self.kind.signature(&data).ok_or_else(|| DeviceError::Lost("its answer is not a signature".to_owned()))
    }

    fn retire(&self, opened: Opened) {
        // Of an earlier start of the module its number may be another's by now.
        if let Ok(entered) = self.module.enter(Instant::now() + Duration::from_secs(1))
            && opened.generation == entered.number()
        {
            let _ = opened.session.close();
        }
    }

    fn place(&self) -> String {
        place(&self.at)
    }

    fn remedy(&self) -> String {
        remedy(&self.at)
    }
}

/// An error without the standard's prose.
fn in_words(error: &Error) -> String {
    match error {
        Error::Pkcs11(code, function) => format!("C_{function} answered {code:?}"),
        error => error.to_string(),
    }
}

#[cfg(test)]
mod tests;
