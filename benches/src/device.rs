//! What a device can do by itself: an agent and a token asked in the plainest way there is, one request after the other, without pool, time-out or check.

use anyhow::{Context, Result, ensure};
use cryptoki::{
    context::{CInitializeArgs, CInitializeFlags, Pkcs11},
    error::{Error, RvError},
    mechanism::{
        Mechanism,
        eddsa::{EddsaParams, EddsaSignatureScheme},
    },
    object::{Attribute, ObjectClass, ObjectHandle},
    session::{Session, UserType},
    types::AuthPin,
};
use dayfly_core::signer::Signer;
use ssh_key::{Algorithm, PublicKey};
use std::{
    io::{Read, Write},
    os::unix::net::UnixStream,
    path::Path,
};

/// A connection to an agent, and the request that is sent again and again.
pub struct PlainAgent {
    connection: UnixStream,
    request: Vec<u8>,
}

impl PlainAgent {
    /// Will ask the agent at `socket` for signatures by the key of `signer` over `message`.
    pub fn new(socket: &Path, signer: &dyn Signer, message: &[u8]) -> Result<Self> {
        let key = PublicKey::from(signer.public_key().clone()).to_bytes()?;
        let is_rsa = matches!(signer.public_key().algorithm(), Algorithm::Rsa { .. });
        // SSH_AGENTC_SIGN_REQUEST, and SSH_AGENT_RSA_SHA2_512 for RSA.
        let body = [&[13][..], &string(&key)?, &string(message)?, &(if is_rsa { 4_u32 } else { 0 }).to_be_bytes()].concat();
        Ok(Self { connection: UnixStream::connect(socket)?, request: string(&body)? })
    }

    /// One signature.
    pub fn sign(&mut self) -> Result<()> {
        self.connection.write_all(&self.request)?;
        let mut length = [0; 4];
        self.connection.read_exact(&mut length)?;
        let mut answer = vec![0; usize::try_from(u32::from_be_bytes(length))?];
        self.connection.read_exact(&mut answer)?;
        ensure!(answer.first() == Some(&14), "the agent did not sign");
        Ok(())
    }
}

fn string(bytes: &[u8]) -> Result<Vec<u8>> {
    Ok([&u32::try_from(bytes.len())?.to_be_bytes()[..], bytes].concat())
}

/// A session with a token, and a key in it.
pub struct PlainToken {
    session: Session,
    key: ObjectHandle,
    mechanism: Mechanism<'static>,
    message: Vec<u8>,
}

impl PlainToken {
    /// Will ask the token for signatures over `message`.
    pub fn new(module: &Path, token: &str, label: &str, pin: &str, algorithm: &Algorithm, message: &[u8]) -> Result<Self> {
        let pkcs11 = Pkcs11::new(module)?;
        match pkcs11.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)) {
            Ok(()) | Err(Error::Pkcs11(RvError::CryptokiAlreadyInitialized, _)) => {}
            Err(error) => return Err(error.into()),
        }
        let mut slots = pkcs11.get_slots_with_token()?.into_iter();
        let slot =
            slots.find(|slot| pkcs11.get_token_info(*slot).is_ok_and(|info| info.label() == token)).context("the token is not there")?;
        let session = pkcs11.open_ro_session(slot)?;
        match session.login(UserType::User, Some(&AuthPin::from(pin.to_owned()))) {
            Ok(()) | Err(Error::Pkcs11(RvError::UserAlreadyLoggedIn, _)) => {}
            Err(error) => return Err(error.into()),
        }
        let template = [Attribute::Class(ObjectClass::PRIVATE_KEY), Attribute::Label(label.as_bytes().to_vec())];
        let key = *session.find_objects(&template)?.first().context("the token does not hold the key")?;
        let (mechanism, message) = match algorithm {
            Algorithm::Ed25519 => (Mechanism::Eddsa(EddsaParams::new(EddsaSignatureScheme::Ed25519)), message.to_vec()),
            // A digest, whose value makes no difference to the time.
            Algorithm::Ecdsa { curve } => {
                let size = if *curve == ssh_key::EcdsaCurve::NistP256 { 32 } else { 48 };
                (Mechanism::Ecdsa, message.iter().copied().take(size).collect())
            }
            _ => (Mechanism::Sha512RsaPkcs, message.to_vec()),
        };
        Ok(Self { session, key, mechanism, message })
    }

    /// One signature.
    pub fn sign(&mut self) -> Result<()> {
        self.session.sign(&self.mechanism, self.key, &self.message)?;
        Ok(())
    }
}
