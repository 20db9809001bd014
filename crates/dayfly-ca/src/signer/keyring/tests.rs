#![allow(clippy::unwrap_used)]

use super::*;
use crate::config::LockMemory;
use dayfly_core::rotation::Rotation;
use ssh_key::{LineEnding, PrivateKey};
use std::{collections::BTreeSet, path::Path};
use tempfile::TempDir;

/// Five key files, named after their purposes, and a sixth to rotate to.
fn files() -> (TempDir, Keys) {
    let directory = tempfile::tempdir().unwrap();
    let key = |purpose: &'static str| {
        let path = directory.path().join(purpose);
        write(&path);
        Key { purpose, custody: Custody::File(path), file: "ca.toml".into(), line: 3 }
    };
    let [user_ca, session_ca, host_ca, inner_host_ca, log] = ["user_ca", "session_ca", "host_ca", "inner_host_ca", "log"].map(key);
    let keys = Keys { user_ca, session_ca, host_ca, inner_host_ca, log, next: BTreeMap::new(), lock_memory: LockMemory::Never };
    write(&directory.path().join("next"));
    (directory, keys)
}

fn write(path: &Path) {
    let key = PrivateKey::random(&mut rand::rng(), ssh_key::Algorithm::Ed25519).unwrap();
    crate::private_file::create(path, key.to_openssh(LineEnding::LF).unwrap().as_bytes()).unwrap();
}

fn public(path: &Path) -> KeyData {
    PrivateKey::from_openssh(std::fs::read(path).unwrap()).unwrap().public_key().key_data().clone()
}

fn record(directory: &TempDir, stage: Stage) -> RotationRecord {
    RotationRecord {
        rotation: Rotation { purpose: Purpose::User, stage, despite: BTreeSet::new() },
        old_key: public(&directory.path().join("user_ca")),
        new_key: public(&directory.path().join("next")),
        file: Some(directory.path().join("next")),
        endorsement: None,
        started_at: 1,
    }
}

#[test]
fn the_store_says_which_key_signs_and_which_are_trusted() {
    let (directory, keys) = files();
    let secrets = Secrets::none();
    for (stage, signs, trusted) in [
        (Stage::Prepared, "user_ca", ["user_ca"].as_slice()),
        (Stage::Published { at: 1 }, "user_ca", &["user_ca", "next"]),
        (Stage::Switched { last_end: 1 }, "next", &["next", "user_ca"]),
        (Stage::Retired, "next", &["next"]),
        (Stage::Abandoned, "user_ca", &["user_ca"]),
    ] {
        let keyring = Keyring::load(&keys, &secrets, &[record(&directory, stage)]).unwrap();
        let of = |name: &&str| public(&directory.path().join(name));
        assert_eq!(keyring.signer(Purpose::User).public_key(), &of(&signs), "{stage:?}");
        assert_eq!(keyring.of(Purpose::User).trusted, trusted.iter().map(of).collect::<Vec<_>>(), "{stage:?}");
        let ever = keyring.of(Purpose::User).ever();
        assert_eq!(ever.contains(&of(&"user_ca")), stage != Stage::Prepared || ever.len() == 1);
    }
}

#[test]
fn row_29_a_key_that_was_retired_never_signs_again_whatever_the_configuration_says() {
    let (directory, keys) = files();
    let retired = [record(&directory, Stage::Retired)];
    // The old key may be gone.
    std::fs::remove_file(directory.path().join("user_ca")).unwrap();
    Keyring::load(&keys, &Secrets::none(), &retired).unwrap();
    // The new one may have moved to where the configuration looks.
    std::fs::rename(directory.path().join("next"), directory.path().join("user_ca")).unwrap();
    Keyring::load(&keys, &Secrets::none(), &retired).unwrap();
    // Another key in its place is not taken for it.
    std::fs::remove_file(directory.path().join("user_ca")).unwrap();
    write(&directory.path().join("user_ca"));
    let mistake = Keyring::load(&keys, &Secrets::none(), &retired).err().unwrap().to_string();
    assert!(mistake.contains("ca.toml:3") && mistake.contains("is not where it should be") && mistake.contains("user_ca"), "{mistake}");
}

#[test]
fn two_authorities_never_share_a_key_not_even_for_the_time_of_a_rotation() {
    let (directory, keys) = files();
    let published =
        RotationRecord { new_key: public(&directory.path().join("session_ca")), ..record(&directory, Stage::Published { at: 1 }) };
    let mistake = Keyring::load(&keys, &Secrets::none(), &[published]).err().unwrap().to_string();
    assert!(mistake.contains("it is the same key as user_ca"), "{mistake}");
}
