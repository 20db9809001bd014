//! Revocation through the running system: the command, the CA, the bastion, the log.

use anyhow::Result;
use dayfly_tests::{
    client::Client,
    command::{eventually, run},
    stack::Stack,
};

fn revoke(stack: &Stack, arguments: &[&str]) -> Result<String> {
    let config = stack.path("DAYFLY_CA_CONFIG")?;
    run(stack.program("dayfly-ca")?.arg("revoke").args(arguments).arg("--config").arg(config), b"")?.success()
}

/// Nobody gets in any more, in words, and the log knows why.
fn is_refused(alice: &Client<'_>, carol: &Client<'_>, words: &str) -> Result<()> {
    let told = |stderr: &str| stderr.contains("(revoked)") || stderr.contains("Permission denied");
    let ended = eventually("what was revoked still opens sessions", || {
        Ok(Some(alice.ssh(&["db1", "echo in"])?).filter(|ended| ended.code() != Some(0)))
    })?;
    assert!(ended.text().is_empty() && told(&ended.stderr), "{}", ended.stderr);
    let serial = alice.serial("db1")?;
    let rows = carol.log_eventually(|row| row["serial"] == serial && row["reason"] == "revoked" && row["outcome"] == "refused")?;
    assert!(rows.iter().any(|row| row["detail"].as_str().is_some_and(|detail| detail.contains(words))), "{rows:?}");
    Ok(())
}

#[test]
fn row_20_what_is_revoked_opens_nothing_more() -> Result<()> {
    let stack = Stack::own()?;
    let carol = Client::carol(&stack)?;
    let alice = Client::alice(&stack)?;
    assert_eq!(alice.ssh(&["db1", "echo in"])?.text(), "in\n");

    let serial = alice.serial("db1")?.to_string();
    let dry = revoke(&stack, &["serial", &serial, "--dry-run"])?;
    assert!(dry.contains("would be revoked") && dry.contains("alice"), "{dry}");
    assert_eq!(alice.ssh(&["db1", "echo in"])?.text(), "in\n", "a dry run revokes nothing");
    revoke(&stack, &["serial", &serial, "--reason", "laptop lost"])?;
    is_refused(&alice, &carol, &serial)?;
    let added = carol.log(|row| row["event"] == "revocation.added")?;
    assert!(added.iter().any(|row| row["facts"]["stated_reason"] == "laptop lost"), "{added:?}");

    // A new certificate under the same role is good again, and not once the role's certificates are revoked.
    alice.certificate("db-admin", "db1")?.success()?;
    assert_eq!(alice.ssh(&["db1", "echo in"])?.text(), "in\n");
    revoke(&stack, &["role", "db-admin"])?;
    is_refused(&alice, &carol, "role db-admin")?;

    let other = Client::new(&stack, "ALICE")?;
    revoke(&stack, &["person", "alice", "--until", "1h"])?;
    let refused = other.certificate("web", "web1")?;
    assert!(refused.code() != Some(0) && refused.stderr.contains("alice"), "{}", refused.stderr);

    let config = stack.path("DAYFLY_CA_CONFIG")?;
    let listed = run(stack.program("dayfly-ca")?.args(["revocations", "--json", "--config"]).arg(config), b"")?.success()?;
    let listed: serde_json::Value = serde_json::from_str(&listed)?;
    let kinds: Vec<&str> = listed.as_array().into_iter().flatten().filter_map(|entry| entry["kind"].as_str()).collect();
    assert_eq!(kinds, ["serial", "role", "person"]);
    Ok(())
}
