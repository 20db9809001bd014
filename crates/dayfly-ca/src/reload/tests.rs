//! Good files replace what was read before; bad ones leave it and say so.

#![allow(clippy::unwrap_used)]

use super::reload;
use crate::{config::TlsFiles, installation::Installation, private_file, serve::tls, tls_certificate};
use arc_swap::ArcSwap;
use dayfly_core::{
    audit::{Event, Outcome},
    policy::DEFAULT_POLICY,
};
use std::{fs, path::PathBuf, sync::Arc};
use time::OffsetDateTime;
use tokio_rustls::TlsAcceptor;

const EXAMPLE: &str = include_str!("../../../../ca-config.example.toml");

struct Files {
    directory: tempfile::TempDir,
    config: PathBuf,
}

/// The example configuration with what a reading of it needs.
fn files() -> Files {
    let directory = tempfile::tempdir().unwrap();
    let file = |name: &str| directory.path().join(name);
    let made = tls_certificate::self_signed(vec!["127.0.0.1".to_owned()], OffsetDateTime::now_utc()).unwrap();
    for name in ["policy", "tls"] {
        fs::create_dir(file(name)).unwrap();
    }
    fs::write(file("policy/default.cedar"), DEFAULT_POLICY).unwrap();
    fs::write(file("tls/cert.pem"), made.certificate).unwrap();
    private_file::create(&file("tls/key.pem"), made.key.as_bytes()).unwrap();
    fs::write(file("ca.toml"), EXAMPLE).unwrap();
    Files { config: file("ca.toml"), directory }
}

fn acceptor(files: &Files) -> ArcSwap<TlsAcceptor> {
    let tls = files.directory.path().join("tls");
    ArcSwap::from_pointee(tls::acceptor(&TlsFiles { certificate: tls.join("cert.pem"), key: tls.join("key.pem") }).unwrap())
}

#[tokio::test]
async fn a_good_file_replaces_rules_and_certificate() {
    let (ca, files) = (Installation::new(), files());
    let tls = acceptor(&files);
    let (rules_before, tls_before) = (ca.authority().rules.load_full(), tls.load_full());
    reload(ca.authority(), &tls, &files.config).await;
    assert!(!Arc::ptr_eq(&rules_before, &ca.authority().rules.load_full()) && !Arc::ptr_eq(&tls_before, &tls.load_full()));
    assert!(ca.authority().rules.load().policy.ids().next().is_none(), "the example's policy permits nothing");
    let event = ca.store.events().pop().unwrap();
    assert_eq!((event.event, event.outcome), (Event::ConfigurationReloaded, Outcome::Done));
}

#[tokio::test]
async fn a_bad_file_leaves_everything_and_says_which_line() {
    for (name, text) in [
        ("ca.toml", "url = \"http://ca.example\"\n"),
        ("policy/default.cedar", "permit(principal, action, resource);\n"),
        ("tls/cert.pem", ""),
    ] {
        let (ca, files) = (Installation::new(), files());
        let tls = acceptor(&files);
        let (rules_before, tls_before) = (ca.authority().rules.load_full(), tls.load_full());
        fs::write(files.directory.path().join(name), text).unwrap();
        reload(ca.authority(), &tls, &files.config).await;
        assert!(Arc::ptr_eq(&rules_before, &ca.authority().rules.load_full()) && Arc::ptr_eq(&tls_before, &tls.load_full()), "{name}");
        let event = ca.store.events().pop().unwrap();
        assert_eq!((event.event, event.outcome), (Event::ConfigurationReloaded, Outcome::Failed));
        assert!(event.detail.unwrap().contains(name), "{name} is named");
    }
}
