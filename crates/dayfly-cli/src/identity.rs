//! Who the person is to the CA: a key in a file, or one that the running ssh-agent holds.

mod agent;
mod file;
pub mod passphrase;

use crate::agent::{Agent, AgentError, ListedKey};
use crate::state::private_file::PrivateFileError;
use dayfly_client::RequestSigner;
use dayfly_core::signature::fingerprint;
use serde::{Deserialize, Serialize};
use ssh_key::{PublicKey, public::KeyData};
use std::{
    env,
    path::{Path, PathBuf},
    sync::Arc,
};

/// The keys of `~/.ssh` that OpenSSH itself tries, the best first.
const USUAL_FILES: [&str; 5] = ["id_ed25519", "id_ecdsa", "id_ed25519_sk", "id_ecdsa_sk", "id_rsa"];

/// Which key proves who the person is. What is kept of a login: never the key itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IdentityKey {
    /// The key in this file.
    File(PathBuf),
    /// A key that dayfly made, and that is signed in.
    SignIn {
        /// The file that it is kept in.
        file: PathBuf,
        /// When the sign-in ends, in Unix seconds.
        ends_at: u64,
        /// The provider's name, if the person named it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        provider: Option<String>,
    },
    /// A key of the running ssh-agent, by its public half.
    Agent {
        /// One OpenSSH line.
        public_key: String,
    },
}

/// A key that cannot be used as an identity.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// The file cannot be read, or is open to others.
    #[error(transparent)]
    File(#[from] PrivateFileError),
    /// It is no key that is understood.
    #[error("{} is not an OpenSSH key: {cause}", .path.display())]
    NotAKey {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        cause: ssh_key::Error,
    },
    /// Only an agent can use it: a security key, or a public key alone.
    #[error("{} holds {what}, which only an ssh-agent can sign with, and the agent does not have it", .path.display())]
    NeedsAgent {
        /// The file.
        path: PathBuf,
        /// What it holds.
        what: &'static str,
    },
    /// The agent does not have the key any more.
    #[error("the ssh-agent does not hold the key {0} that you logged in with")]
    NotInAgent(String),
    /// The agent.
    #[error(transparent)]
    Agent(#[from] AgentError),
    /// The login names no readable key.
    #[error("the key that you logged in with cannot be read: {0}")]
    Forgotten(ssh_key::Error),
    /// Nothing to prove who the person is.
    #[error("there is no key to log in with: the ssh-agent holds none, and ~/.ssh has none of {0}")]
    NoKey(String),
}

impl IdentityError {
    /// What to do next.
    pub fn remedy(&self) -> String {
        match self {
            Self::File(error) => error.remedy().unwrap_or_else(|| "name the file of your key: dayfly login URL --identity FILE".to_owned()),
            Self::NotAKey { path, .. } => format!("convert it if it is an older form: ssh-keygen -p -f '{}'", path.display()),
            Self::NeedsAgent { path, .. } => format!("add it: ssh-add '{}'", path.display()),
            Self::NotInAgent(_) => "add it: ssh-add FILE; or log in with another key: dayfly login URL --identity FILE".to_owned(),
            Self::Agent(_) => {
                "start an agent and add your key: eval \"$(ssh-agent)\"; ssh-add; or: dayfly login URL --identity FILE".to_owned()
            }
            Self::Forgotten(_) => "log in again: dayfly login URL".to_owned(),
            Self::NoKey(_) => "make one, and have it enrolled at the CA: ssh-keygen -t ed25519".to_owned(),
        }
    }
}

/// A key that can sign, and how to find it again.
pub struct Identity {
    /// How to find it again.
    pub key: IdentityKey,
    /// What signs.
    pub signer: Arc<dyn RequestSigner>,
}

impl Identity {
    /// The key in words, for the person.
    pub fn describe(&self) -> String {
        let fingerprint = fingerprint(self.signer.public_key());
        match &self.key {
            IdentityKey::File(path) => format!("the key {} ({fingerprint})", path.display()),
            IdentityKey::SignIn { .. } => format!("a sign-in of the key {fingerprint}"),
            IdentityKey::Agent { .. } => format!("the ssh-agent's key {fingerprint}"),
        }
    }

    /// The key of a login.
    pub fn open(key: &IdentityKey) -> Result<Self, IdentityError> {
        match key {
            IdentityKey::File(path) => Self::from_file(path),
            IdentityKey::SignIn { file, .. } => Ok(Self { key: key.clone(), ..Self::from_file(file)? }),
            IdentityKey::Agent { public_key } => {
                let wanted = PublicKey::from_openssh(public_key).map_err(IdentityError::Forgotten)?;
                let held = agent_keys(&Agent::connect()?)?.contains(wanted.key_data());
                if held { Self::from_agent(wanted.key_data()) } else { Err(IdentityError::NotInAgent(fingerprint(wanted.key_data()))) }
            }
        }
    }

    /// The key in a file. If it is encrypted and the agent has it, the agent signs; else the passphrase is asked for when it is needed.
    pub fn from_file(path: &Path) -> Result<Self, IdentityError> {
        let signer: Arc<dyn RequestSigner> = match file::read(path)? {
            file::Contents::Private(key) if !key.is_encrypted() => Arc::new(file::FileSigner::new(path, key)),
            file::Contents::Private(key) if !held_by_agent(key.public_key().key_data()) => Arc::new(file::FileSigner::new(path, key)),
            file::Contents::Private(key) => Arc::new(agent::AgentSigner::new(key.public_key().key_data().clone())),
            file::Contents::ForAgent(key, _) if held_by_agent(&key) => Arc::new(agent::AgentSigner::new(key)),
            file::Contents::ForAgent(_, what) => return Err(IdentityError::NeedsAgent { path: path.to_owned(), what }),
        };
        // Absolute, so that the login means the same file from every directory.
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        Ok(Self { key: IdentityKey::File(path), signer })
    }

    fn from_agent(key: &KeyData) -> Result<Self, IdentityError> {
        let public_key = PublicKey::from(key.clone()).to_openssh().map_err(IdentityError::Forgotten)?;
        Ok(Self { key: IdentityKey::Agent { public_key }, signer: Arc::new(agent::AgentSigner::new(key.clone())) })
    }

    /// Every key that may be the person's: the agent's first, then the usual files whose keys the agent does not have.
    pub fn candidates() -> Result<Vec<Self>, IdentityError> {
        let held = Agent::connect().and_then(|agent| agent_keys(&agent)).unwrap_or_default();
        let mut candidates = held.iter().map(Self::from_agent).collect::<Result<Vec<_>, _>>()?;
        let directory = env::var_os("HOME").map(|home| PathBuf::from(home).join(".ssh")).unwrap_or_default();
        let files = USUAL_FILES.iter().map(|name| directory.join(name)).filter(|path| path.exists());
        // A file that cannot be used is passed over here, and explained if the person names it.
        let usable = files.filter_map(|path| Self::from_file(&path).ok());
        candidates.extend(usable.filter(|identity| !held.contains(identity.signer.public_key())));
        if candidates.is_empty() { Err(IdentityError::NoKey(USUAL_FILES.join(", "))) } else { Ok(candidates) }
    }
}

/// The public key in a file, or the public half of the private key there.
pub fn public_key_in(path: &Path) -> Result<KeyData, IdentityError> {
    Ok(match file::read(path)? {
        file::Contents::Private(key) => key.public_key().key_data().clone(),
        file::Contents::ForAgent(key, _) => key,
    })
}

/// The agent's keys by themselves. Certificates are what they get, not what they prove themselves with.
fn agent_keys(agent: &Agent) -> Result<Vec<KeyData>, AgentError> {
    let plain = |key| match key {
        ListedKey::Plain(key) => Some(key),
        ListedKey::Certified(_) => None,
    };
    Ok(agent.list()?.into_iter().filter_map(|listed| plain(listed.key)).collect())
}

fn held_by_agent(key: &KeyData) -> bool {
    Agent::connect().and_then(|agent| agent_keys(&agent)).is_ok_and(|keys| keys.contains(key))
}
