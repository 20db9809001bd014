//! What auditors of SSH servers say of the bastion.

use anyhow::{Context, Result};
use dayfly_tests::{
    command::run,
    peers::{bastion, peer},
    stack::Stack,
};
use serde_json::Value;
use std::process::Command;

/// What ssh-audit warns of and OpenSSH before 9.9 cannot do without.
const NEEDED: &[&str] = &["curve25519-sha256", "curve25519-sha256@libssh.org"];

fn audited() -> Result<Option<Value>> {
    let Some(interpreter) = peer("python")? else { return Ok(None) };
    let (host, port) = bastion(Stack::shared()?)?;
    let mut audit = Command::new(interpreter.with_file_name("ssh-audit"));
    // It ends with a status of its own for what it found, which is looked at here in its place.
    let ended = run(audit.args(["--json", "--skip-rate-test", "-p", port, host]), b"")?;
    Ok(Some(serde_json::from_slice(&ended.stdout).with_context(|| format!("not JSON: {}{}", ended.text(), ended.stderr))?))
}

#[test]
fn row_06_ssh_audit_finds_nothing_but_what_older_clients_need() -> Result<()> {
    let Some(report) = audited()? else { return Ok(()) };
    let mut looked_at = 0;
    for kind in ["kex", "key", "enc", "mac"] {
        for algorithm in report[kind].as_array().with_context(|| format!("{report} names no {kind}"))? {
            let (name, notes) = (algorithm["algorithm"].as_str().unwrap_or_default(), &algorithm["notes"]);
            assert!(notes["fail"].is_null(), "{name}: {notes}");
            assert!(notes["warn"].is_null() || NEEDED.contains(&name), "{name}: {notes}");
            looked_at += 1;
        }
    }
    assert!(looked_at > 8, "{report}");
    assert!(report["cves"].as_array().is_none_or(Vec::is_empty), "{}", report["cves"]);
    Ok(())
}

/// Terrapin (CVE-2023-48795) is closed by strict key exchange alone where chacha20-poly1305 is spoken.
#[test]
fn row_09_an_auditor_sees_strict_key_exchange() -> Result<()> {
    let Some(report) = audited()? else { return Ok(()) };
    let exchanges: Vec<_> = report["kex"].as_array().into_iter().flatten().filter_map(|kex| kex["algorithm"].as_str()).collect();
    assert!(exchanges.contains(&"kex-strict-s-v00@openssh.com"), "{exchanges:?}");
    // It goes on to say that a client has to do its part, which nobody can do for it.
    let notes = report["additional_notes"].to_string();
    assert!(!notes.contains("CVE-2023-48795") || notes.contains("this target properly supports the strict key exchange method"), "{notes}");
    Ok(())
}
