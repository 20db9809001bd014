//! Custody in an ssh-agent (draft-miller-ssh-agent): OpenSSH's own, gpg-agent, one in front of a YubiKey.
//!
//! The agent library has an older version of the SSH key library, so values cross between the two as bytes, here and nowhere else.

use super::pool::{Device, DeviceError, PooledSigner, within};
use crate::{
    config::{AgentKey, Key},
    mistake::Mistake,
};
use dayfly_core::signature::fingerprint;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, sockopt};
use ssh_agent_lib::{
    proto::{PublicCredential, Request, Response, SignRequest, signature::RSA_SHA2_512},
    ssh_encoding::{Decode as _, Encode as _},
    ssh_key as older,
};
use ssh_key::{PublicKey, Signature, public::KeyData};
use std::{
    io::{self, ErrorKind, Read, Write},
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

/// The longest answer of an agent, in bytes: as OpenSSH's.
const LONGEST_ANSWER: usize = 256 * 1024;

/// Finds the key that `at` names in its agent.
pub fn open(key: &Key, at: &AgentKey) -> Result<PooledSigner, Mistake> {
    let timeout = at.calls.timeout;
    let (socket, wanted) = (at.socket.clone(), Wanted::read(&at.key).map_err(|(cause, remedy)| key.mistake(cause, remedy))?);
    let place = place(&socket);
    let found = within(timeout, move || find(&socket, &wanted, Instant::now() + timeout));
    let remedy = || remedy(&at.socket);
    let found = found.ok_or_else(|| key.mistake(format!("{place} did not answer within {timeout:?}"), remedy()))?;
    let public = found.map_err(|cause| key.mistake(format!("{place} {cause}"), remedy()))?;
    let device = Agent { socket: at.socket.clone(), public: public.clone() };
    PooledSigner::new(key.purpose, public, device, at.calls)
        .map_err(|error| key.mistake(format!("its threads cannot be started: {error}"), "see how many threads the system permits"))
}

/// Which of an agent's keys.
#[derive(Debug)]
enum Wanted {
    Key(Box<KeyData>),
    Fingerprint(String),
}

impl Wanted {
    fn read(text: &str) -> Result<Self, (String, &'static str)> {
        if text.starts_with("SHA256:") {
            return Ok(Self::Fingerprint(text.to_owned()));
        }
        let key = PublicKey::from_openssh(text);
        let remedy = "name the key as ssh-add -l (SHA256:…) or ssh-add -L (a line) shows it";
        key.map(|key| Self::Key(Box::new(key.key_data().clone())))
            .map_err(|error| (format!("the agent's key cannot be read: {error}"), remedy))
    }

    fn fits(&self, key: &KeyData) -> bool {
        match self {
            Self::Key(wanted) => **wanted == *key,
            Self::Fingerprint(wanted) => fingerprint(key) == *wanted,
        }
    }
}

fn find(socket: &Path, wanted: &Wanted, until: Instant) -> Result<KeyData, String> {
    let mut connection = Connection::open(socket, until).map_err(|error| format!("cannot be reached ({error})"))?;
    let answer = connection.ask(&Request::RequestIdentities, until).map_err(|error| format!("does not list its keys ({error})"))?;
    let Response::IdentitiesAnswer(identities) = answer else { return Err("does not list its keys".to_owned()) };
    let mut keys = identities.iter().filter_map(|identity| match &identity.credential {
        PublicCredential::Key(key) => newer_key(key),
        PublicCredential::Cert(_) => None,
    });
    keys.find(|key| wanted.fits(key)).ok_or_else(|| "does not hold the key".to_owned())
}

fn newer_key(key: &older::public::KeyData) -> Option<KeyData> {
    let mut bytes = Vec::new();
    key.encode(&mut bytes).ok()?;
    PublicKey::from_bytes(&bytes).ok().map(KeyData::from)
}

fn place(socket: &Path) -> String {
    format!("the agent at {}", socket.display())
}

fn remedy(socket: &Path) -> String {
    format!("see whether it runs, is not locked and holds the key: SSH_AUTH_SOCK={} ssh-add -L", socket.display())
}

/// A key in an agent.
struct Agent {
    socket: PathBuf,
    public: KeyData,
}

impl Device for Agent {
    type Session = Connection;

    fn open(&self, until: Instant) -> Result<Connection, DeviceError> {
        Connection::open(&self.socket, until).map_err(|error| DeviceError::Lost(error.to_string()))
    }

    fn sign(&self, connection: &mut Connection, message: &[u8], until: Instant) -> Result<Signature, DeviceError> {
        let request = self.request(message).map_err(|error| DeviceError::Refused(error.to_string()))?;
        match connection.ask(&request, until).map_err(|error| DeviceError::Lost(error.to_string()))? {
            Response::SignResponse(signature) => {
                let newer = Vec::<u8>::try_from(signature).ok().and_then(|bytes| Signature::try_from(bytes.as_slice()).ok());
                newer.ok_or_else(|| DeviceError::Lost("its answer is not a signature".to_owned()))
            }
            _ => Err(DeviceError::Refused("it says no".to_owned())),
        }
    }

    /// The connection closes.
    fn retire(&self, _: Connection) {}

    fn place(&self) -> String {
        place(&self.socket)
    }

    fn remedy(&self) -> String {
        remedy(&self.socket)
    }
}

impl Agent {
    fn request(&self, message: &[u8]) -> Result<Request, Box<dyn std::error::Error>> {
        let bytes = PublicKey::from(self.public.clone()).to_bytes()?;
        let credential = PublicCredential::Key(older::public::KeyData::decode(&mut bytes.as_slice())?);
        let flags = if matches!(self.public, KeyData::Rsa(_)) { RSA_SHA2_512 } else { 0 };
        Ok(Request::SignRequest(SignRequest { credential, data: message.to_vec(), flags }))
    }
}

/// A connection to an agent, whose calls end when their time is over.
struct Connection(UnixStream);

impl Connection {
    fn open(socket: &Path, until: Instant) -> io::Result<Self> {
        let unconnected = rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
        // An agent that stands still accepts nobody, and connecting would wait for ever.
        sockopt::set_socket_timeout(&unconnected, sockopt::Timeout::Send, Some(left(until)?))?;
        rustix::net::connect(&unconnected, &SocketAddrUnix::new(socket)?)?;
        Ok(Self(UnixStream::from(unconnected)))
    }

    fn ask(&mut self, request: &Request, until: Instant) -> io::Result<Response> {
        let unencodable = |error: ssh_agent_lib::ssh_encoding::Error| io::Error::new(ErrorKind::InvalidInput, error.to_string());
        let mut bytes = Vec::new();
        u32::try_from(request.encoded_len().map_err(unencodable)?).unwrap_or(u32::MAX).encode(&mut bytes).map_err(unencodable)?;
        request.encode(&mut bytes).map_err(unencodable)?;
        self.0.set_write_timeout(Some(left(until)?))?;
        self.0.write_all(&bytes)?;
        let mut length = [0; 4];
        self.read(&mut length, until)?;
        let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
        if length > LONGEST_ANSWER {
            return Err(io::Error::new(ErrorKind::InvalidData, "its answer is too long"));
        }
        let mut answer = vec![0; length];
        self.read(&mut answer, until)?;
        let not_understood = |_| io::Error::new(ErrorKind::InvalidData, "its answer is not understood");
        Response::decode(&mut answer.as_slice()).map_err(not_understood)
    }

    /// Fills `buffer` by `until`, however slowly the bytes come.
    fn read(&mut self, mut buffer: &mut [u8], until: Instant) -> io::Result<()> {
        while !buffer.is_empty() {
            self.0.set_read_timeout(Some(left(until)?))?;
            match self.0.read(buffer) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(count) => buffer = buffer.get_mut(count..).unwrap_or_default(),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// What is left of the time, and a moment more, so that whoever waited it out finds it over; an error if nothing is.
fn left(until: Instant) -> io::Result<Duration> {
    let left = until.saturating_duration_since(Instant::now());
    if left.is_zero() { Err(ErrorKind::TimedOut.into()) } else { Ok(left + Duration::from_millis(1)) }
}

#[cfg(test)]
mod tests;
