//! The architecture, checked: who may depend on whom, what may be named where, how long a file may be.
//!
//! Changing a list here changes the architecture. Give the reason beside it, and tell `docs/architecture.md`.

use anyhow::Result;
use dayfly_tests::architecture::{
    Violation,
    edges::{self, Allowed},
    files::{self, Exception},
    imports::{self, ImportRule},
    sources, threats,
};
use std::path::Path;

/// Which of our crates each of our crates may depend on.
const CRATES: Allowed<'_> = &[
    // The domain and the recording's format stand by themselves.
    ("dayfly-core", &[]),
    ("dayfly-recording", &[]),
    ("dayfly-api", &["dayfly-core"]),
    ("dayfly-client", &["dayfly-core", "dayfly-api"]),
    // The CA answers the contract; nothing in it calls one.
    ("dayfly-ca", &["dayfly-core", "dayfly-api", "dayfly-recording"]),
    ("dayfly-bastion", &["dayfly-core", "dayfly-api", "dayfly-client", "dayfly-recording"]),
    // A laptop has no business linking a CA or a bastion.
    ("dayfly-cli", &["dayfly-core", "dayfly-api", "dayfly-client", "dayfly-recording"]),
    // The whole is tried from outside, through its programs.
    ("dayfly-tests", &[]),
    // Bytes and text only, so that every crate's tests can be tried with them.
    ("dayfly-corpus", &[]),
    // What reads others' bytes, under a fuzzer.
    ("dayfly-fuzz", &["dayfly-core", "dayfly-api", "dayfly-recording"]),
    // Signing is measured in place, issuing by the typed client; the bastion is measured from outside.
    ("dayfly-benches", &["dayfly-core", "dayfly-ca", "dayfly-client"]),
];

/// Crates of others that one of ours does without.
const WITHOUT: Allowed<'_> = &[
    ("dayfly-core", &["tokio", "axum", "hyper", "reqwest", "rusqlite", "russh", "rand", "rustix", "tracing"]),
    ("dayfly-recording", &["tokio", "axum", "hyper", "reqwest", "rusqlite", "russh", "ssh-key"]),
    ("dayfly-api", &["tokio", "axum", "hyper", "reqwest", "rusqlite", "russh"]),
    ("dayfly-client", &["axum", "rusqlite", "russh"]),
    ("dayfly-ca", &["russh"]),
    ("dayfly-bastion", &["axum", "rusqlite", "ssh-agent-lib"]),
    ("dayfly-cli", &["axum", "rusqlite", "russh"]),
];

const EVERYWHERE: &[&str] = &["crates/", "tests/", "benches/"];

/// What may be named where.
const IMPORTS: &[ImportRule] = &[
    ImportRule {
        paths: &["tokio", "std::fs", "std::env", "std::net::TcpStream", "std::net::TcpListener", "std::process", "std::thread"],
        within: &["crates/dayfly-core/"],
        except: &[],
        reason: "the domain is pure; what touches the world stands behind a port",
    },
    ImportRule {
        paths: &["SystemTime", "Instant", "OffsetDateTime::now_utc", "OsRng", "getrandom", "Uuid::now_v7", "Uuid::new_v4"],
        within: &["crates/dayfly-core/"],
        except: &[],
        reason: "the time and random bytes come into the domain as arguments",
    },
    ImportRule {
        paths: &["rusqlite"],
        within: EVERYWHERE,
        except: &["crates/dayfly-ca/src/store/"],
        reason: "SQL stands behind the CA's store port",
    },
    ImportRule {
        paths: &["russh"],
        within: EVERYWHERE,
        except: &["crates/dayfly-bastion/", "tests/", "benches/src/bin/crowd/"],
        reason: "only the bastion speaks SSH on the wire",
    },
    ImportRule {
        paths: &["ssh_agent_lib"],
        within: EVERYWHERE,
        except: &["crates/dayfly-cli/src/agent.rs", "crates/dayfly-cli/src/agent/", "crates/dayfly-ca/src/signer/agent.rs"],
        reason: "it brings another version of ssh-key, and one file crosses between the two",
    },
    ImportRule {
        paths: &["cryptoki"],
        within: EVERYWHERE,
        except: &["crates/dayfly-ca/src/signer/pkcs11.rs", "crates/dayfly-ca/src/signer/pkcs11/", "benches/src/device.rs"],
        reason: "a token is a custody, and calls into its module are bounded in one place",
    },
    ImportRule {
        paths: &["reqwest"],
        within: &["crates/dayfly-ca/"],
        except: &["crates/dayfly-ca/src/identity/web.rs"],
        reason: "the CA calls nobody but issuers of tokens, and those calls are bounded in one place",
    },
    ImportRule {
        paths: &["openidconnect"],
        within: EVERYWHERE,
        except: &["crates/dayfly-ca/src/identity/"],
        reason: "who somebody is, is found out there",
    },
    ImportRule {
        paths: &["webauthn_rs"],
        within: EVERYWHERE,
        except: &["crates/dayfly-ca/src/ceremony/verifier.rs"],
        reason: "what authenticators are asked, and how their answers are judged, stands in one place",
    },
    ImportRule {
        paths: &["PrivateKey"],
        within: &["crates/dayfly-ca/"],
        except: &["crates/dayfly-ca/src/signer.rs", "crates/dayfly-ca/src/signer/"],
        reason: "only a signer touches a CA key",
    },
    ImportRule {
        paths: &["StatusCode"],
        within: &["crates/"],
        // The bastion's one page of HTTP: metrics, health, readiness.
        except: &[
            "crates/dayfly-ca/src/http.rs",
            "crates/dayfly-ca/src/http/",
            "crates/dayfly-client/",
            "crates/dayfly-bastion/src/monitor/http.rs",
        ],
        reason: "inner layers know no HTTP; `http` turns outcomes into status codes",
    },
];

/// Files that are better long. None so far.
const LONG_FILES: &[Exception] = &[];

/// Files that may hold a test which does not run by itself.
const MAY_IGNORE: &[Exception] = &[Exception {
    path: "crates/dayfly-ca/src/store/sqlite/tests.rs",
    reason: "the process that another test starts, to kill it while it writes",
}];

fn workspace() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

fn assert_none(violations: &[Violation]) {
    let lines: Vec<String> = violations.iter().map(ToString::to_string).collect();
    assert!(lines.is_empty(), "{} violations:\n{}", lines.len(), lines.join("\n"));
}

#[test]
fn crates_depend_on_each_other_as_listed() -> Result<()> {
    assert_none(&edges::crate_violations(&edges::metadata(workspace())?, CRATES));
    Ok(())
}

#[test]
fn crates_do_without_what_is_not_theirs() -> Result<()> {
    assert_none(&edges::dependency_violations(&edges::metadata(workspace())?, WITHOUT));
    Ok(())
}

#[test]
fn paths_are_named_where_they_belong() -> Result<()> {
    assert_none(&imports::forbidden_imports(&sources(workspace())?, IMPORTS));
    Ok(())
}

#[test]
fn files_are_short_or_have_a_reason() -> Result<()> {
    assert_none(&files::length_violations(&sources(workspace())?, LONG_FILES));
    Ok(())
}

#[test]
fn files_are_named_and_say_what_they_are() -> Result<()> {
    assert_none(&files::naming_violations(&sources(workspace())?));
    Ok(())
}

#[test]
fn nothing_is_left_unfinished() -> Result<()> {
    assert_none(&files::unfinished_marks(&sources(workspace())?, MAY_IGNORE));
    Ok(())
}

#[test]
fn the_threat_model_promises_what_is_tested() -> Result<()> {
    let document = std::fs::read_to_string(workspace().join("docs/threat-model.md"))?;
    assert_none(&threats::threat_violations(&sources(workspace())?, &document));
    Ok(())
}
