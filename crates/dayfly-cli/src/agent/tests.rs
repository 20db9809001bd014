//! Against OpenSSH's own agent.
#![allow(clippy::unwrap_used)]

use super::*;
use dayfly_core::signer::{SeedSigner, Signer as _};
use ssh_key::{
    Algorithm,
    certificate::{Builder, CertType},
};
use std::process::{Command, Stdio};

/// OpenSSH's ssh-agent, ended with the test.
pub(crate) struct TestAgent {
    directory: tempfile::TempDir,
    pid: String,
}

impl TestAgent {
    pub(crate) fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        // It prints its environment, and is listening, before the first process ends.
        let started = Command::new("ssh-agent").arg("-s").arg("-a").arg(directory.path().join("agent")).output().unwrap();
        let printed = String::from_utf8(started.stdout).unwrap();
        let pid = printed.split("SSH_AGENT_PID=").nth(1).unwrap().split(';').next().unwrap().to_owned();
        Self { directory, pid }
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.directory.path().join("agent")
    }

    pub(crate) fn ssh_add(&self, arguments: &[&str]) -> String {
        let done = Command::new("ssh-add").args(arguments).env(SOCKET_VARIABLE, self.socket()).stdin(Stdio::null()).output().unwrap();
        format!("{}{}", String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr))
    }

    pub(crate) fn add_key(&self, key: &PrivateKey) {
        let file = self.directory.path().join("key");
        key.write_openssh_file(&file, ssh_key::LineEnding::LF).unwrap();
        self.ssh_add(&["-q", file.to_str().unwrap()]);
    }
}

impl Drop for TestAgent {
    fn drop(&mut self) {
        let _ = Command::new("ssh-agent").arg("-k").env("SSH_AGENT_PID", &self.pid).env(SOCKET_VARIABLE, self.socket()).output();
    }
}

fn certified(key: &PrivateKey, serial: u64) -> Certificate {
    let mut builder = Builder::new(vec![7; 32], key.public_key().key_data().clone(), 1, u64::from(u32::MAX)).unwrap();
    builder.serial(serial).unwrap().key_id("alice").unwrap().cert_type(CertType::User).unwrap();
    builder.valid_principal("root@db1").unwrap().extension("permit-pty", "").unwrap().extension("grant@dayfly", "db-admin 1").unwrap();
    builder.critical_option("source-address", "10.0.0.0/8").unwrap();
    builder.sign(SeedSigner::new(9).private_key()).unwrap()
}

#[test]
fn a_certificate_is_added_with_its_lifetime_listed_and_removed() {
    let running = TestAgent::start();
    let agent = Agent::at(running.socket()).unwrap();
    assert!(agent.list().unwrap().is_empty());

    let key = SeedSigner::new(1).private_key().clone();
    let (first, second) = (certified(&key, 1), certified(&key, 2));
    agent.add(&key, &first, "dayfly db-admin db1", 600).unwrap();
    agent.add(&key, &second, "dayfly db-admin db1", 600).unwrap();
    let listed = agent.list().unwrap();
    assert_eq!(listed.len(), 2);
    assert_eq!(listed[0].comment, "dayfly db-admin db1");
    assert!(running.ssh_add(&["-l"]).contains("ED25519-CERT"));

    agent.remove(&first).unwrap();
    let left = agent.list().unwrap();
    assert!(matches!(&left[..], [Listed { key: ListedKey::Certified(certificate), .. }] if **certificate == second), "{left:?}");
    assert!(agent.remove(&first).is_err());
}

#[test]
fn keys_of_every_kind_sign_what_the_verifier_accepts() {
    let running = TestAgent::start();
    let agent = Agent::at(running.socket()).unwrap();
    let ecdsa = Algorithm::Ecdsa { curve: ssh_key::EcdsaCurve::NistP256 };
    for key in [SeedSigner::new(1).private_key().clone(), PrivateKey::random(&mut rand::rng(), ecdsa).unwrap()] {
        running.add_key(&key);
        let signature = agent.sign(key.public_key().key_data(), b"message").unwrap();
        dayfly_core::signature::verify(key.public_key().key_data(), b"message", &signature).unwrap();
    }
    let absent = SeedSigner::new(2);
    assert!(agent.sign(absent.public_key(), b"message").is_err());
}

#[test]
fn no_agent_is_an_error_with_a_way_out() {
    let error = Agent::at(PathBuf::from("/nonexistent/agent")).err().unwrap();
    assert!(error.remedy().contains("--out"), "{error}");
}
