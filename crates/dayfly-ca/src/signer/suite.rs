//! What every custody must do, whoever holds the key: one suite, tried on files, a real ssh-agent and a real PKCS#11 module.

use super::{open, secrets::Secrets};
use crate::config::{Calls, Custody, Key};
use dayfly_core::{
    certificate::UnsignedCertificate,
    signature::{fingerprint, sign_sshsig, verify, verify_sshsig},
    signer::{SeedSigner, Signer},
};
use ssh_key::Algorithm;
use std::{path::PathBuf, process::Command, sync::Arc, thread, time::Duration};

mod agent;
mod token;

pub(super) use agent::RunningAgent;
pub(super) use token::{P11Kit, SoftHsm, in_process_of_its_own};

/// The keys that a CA may have, as `ssh-keygen -t … -b …` makes them.
pub(super) const KINDS: [(&str, &str); 4] = [("ed25519", "256"), ("ecdsa", "256"), ("ecdsa", "384"), ("rsa", "3072")];

/// Two sessions, and time enough for a busy machine.
pub(super) const CALLS: Calls = Calls { timeout: Duration::from_secs(20), sessions: 2 };

/// A key of line 7 of a configuration.
pub(super) fn key(custody: Custody) -> Key {
    Key { purpose: "user_ca", custody, file: PathBuf::from("ca.toml"), line: 7 }
}

/// Makes a key file with ssh-keygen.
pub(super) fn ssh_keygen(path: &std::path::Path, (kind, bits): (&str, &str)) {
    let made = Command::new("ssh-keygen").args(["-q", "-t", kind, "-b", bits, "-N", "", "-C", "ca", "-f"]).arg(path).status().unwrap();
    assert!(made.success());
}

/// Tries a key of `kind`.
pub(super) fn conforms(key: &Key, kind: (&str, &str), secrets: &Secrets) -> Arc<dyn Signer> {
    let signer = open(key, secrets).unwrap_or_else(|mistake| panic!("{mistake}"));
    assert_eq!(signer.public_key().algorithm(), algorithm(kind), "{kind:?}");
    // Often enough to meet integers of every length.
    let messages = if kind.0 == "rsa" { 4 } else { 64_u8 };
    for message in 0..messages {
        let signature = signer.sign(&[message]).unwrap();
        assert_eq!(signature.algorithm(), signature_algorithm(kind));
        assert_eq!(verify(signer.public_key(), &[message], &signature), Ok(()), "{kind:?}");
    }
    signer.sign(&vec![7; 60_000]).unwrap();
    let sshsig = sign_sshsig(signer.as_ref(), "log-head@dayfly", b"head").unwrap();
    assert_eq!(verify_sshsig(&sshsig, "log-head@dayfly", b"head").unwrap(), signer.public_key());
    openssh_reads_a_certificate_by(signer.as_ref());
    many_threads_get_their_own_signatures(&signer);
    signer
}

fn openssh_reads_a_certificate_by(signer: &dyn Signer) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("db1-cert.pub");
    let holder = SeedSigner::new(3).public_key().clone();
    let unsigned =
        UnsignedCertificate::inner_host(&"b1".parse().unwrap(), &"db1".parse().unwrap(), holder.into(), 1_735_732_800, 1, [7; 32]);
    std::fs::write(&path, unsigned.unwrap().sign(signer).unwrap().to_openssh().unwrap()).unwrap();
    let output = Command::new("ssh-keygen").arg("-L").arg("-f").arg(&path).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && text.contains(&fingerprint(signer.public_key())), "{text}");
}

fn many_threads_get_their_own_signatures(signer: &Arc<dyn Signer>) {
    let threads: Vec<_> = (0..6_u8)
        .map(|thread| {
            let signer = Arc::clone(signer);
            thread::spawn(move || {
                for message in 0..5_u8 {
                    let signature = signer.sign(&[thread, message]).unwrap();
                    assert_eq!(verify(signer.public_key(), &[thread, message], &signature), Ok(()));
                }
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
}

fn algorithm(kind: (&str, &str)) -> Algorithm {
    match kind {
        ("ed25519", _) => Algorithm::Ed25519,
        ("rsa", _) => Algorithm::Rsa { hash: None },
        (_, bits) => Algorithm::new(&format!("ecdsa-sha2-nistp{bits}")).unwrap(),
    }
}

fn signature_algorithm(kind: (&str, &str)) -> Algorithm {
    if kind.0 == "rsa" { Algorithm::new("rsa-sha2-512").unwrap() } else { algorithm(kind) }
}

#[test]
fn files_conform() {
    for kind in KINDS {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("ca");
        ssh_keygen(&path, kind);
        conforms(&key(Custody::File(path)), kind, &Secrets::none());
    }
}

#[test]
fn agents_conform() {
    let agent = RunningAgent::start();
    for kind in KINDS {
        let line = agent.add_new_key(kind);
        let signer = conforms(&key(agent.custody(&line, CALLS)), kind, &Secrets::none());
        // By its fingerprint it is the same key.
        let by_fingerprint = open(&key(agent.custody(&fingerprint(signer.public_key()), CALLS)), &Secrets::none()).unwrap();
        assert_eq!(by_fingerprint.public_key(), signer.public_key());
    }
}

#[test]
fn tokens_conform() {
    in_process_of_its_own("signer::suite::tokens_conform", || {
        let token = SoftHsm::make();
        for (number, kind) in KINDS.into_iter().enumerate() {
            let label = format!("ca {number}");
            token.make_key(&label, kind);
            conforms(&key(token.custody(&label, CALLS)), kind, &Secrets::none());
        }
    });
}

#[test]
fn row_06_no_custody_lends_a_ca_a_key_that_is_too_weak_or_of_another_kind() {
    let agent = RunningAgent::start();
    let directory = tempfile::tempdir().unwrap();
    for kind in [("rsa", "2048"), ("ecdsa", "521")] {
        let path = directory.path().join(kind.1);
        ssh_keygen(&path, kind);
        let line = agent.add_new_key(kind);
        for custody in [Custody::File(path), agent.custody(&line, CALLS)] {
            let mistake = open(&key(custody), &Secrets::none()).err().expect("a mistake");
            assert!(mistake.cause.contains("2048 bits") || mistake.cause.contains("nistp521"), "{mistake}");
        }
    }
}
