//! Rotation through the running system: a real `sshd`, a real bastion and real tools hold the new key before it signs, and nobody is locked out.

use anyhow::{Context, Result};
use dayfly_tests::{
    client::Client,
    command::{eventually, run},
    stack::Stack,
    target_host::TargetHost,
};
use serde_json::Value;
use std::{fs, process::Command};

fn rotate(stack: &Stack, arguments: &[&str]) -> Result<String> {
    let config = stack.path("DAYFLY_CA_CONFIG")?;
    run(stack.program("dayfly-ca")?.arg("rotate").args(arguments).arg("--config").arg(config), b"")?.success()
}

/// The rotation of this authority, which is under way.
fn status(stack: &Stack, purpose: &str) -> Result<Value> {
    let all: Value = serde_json::from_str(&rotate(stack, &["status", "--json"])?)?;
    let found = all.as_array().into_iter().flatten().find(|one| one.get("purpose").is_some_and(|one| one == purpose));
    found.cloned().with_context(|| format!("no rotation of {purpose} is under way: {all}"))
}

/// Waits until it is at `stage`, and waits for exactly `names`.
fn awaits(stack: &Stack, purpose: &str, stage: &str, names: &[&str]) -> Result<Value> {
    eventually("the rotation does not get there", || {
        let status = status(stack, purpose)?;
        let awaited = status.pointer("/waiting/names").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
        let is_there = awaited.eq(names.iter().copied()) && status.get("stage").is_some_and(|at| at == stage);
        Ok(is_there.then_some(status))
    })
    .with_context(|| status(stack, purpose).map(|status| status.to_string()).unwrap_or_default())
}

/// `SHA256:…` of the key that signed a certificate.
fn signed_by(alice: &Client<'_>, target: &str) -> Result<String> {
    let certificate = alice.directory().join(format!("{target}-cert.pub"));
    let told = run(Command::new("ssh-keygen").arg("-L").arg("-f").arg(certificate), b"")?.success()?;
    let line = told.lines().find_map(|line| line.trim().strip_prefix("Signing CA: ")).context("ssh-keygen names no CA")?.to_owned();
    Ok(line.split(' ').nth(1).unwrap_or_default().to_owned())
}

#[test]
fn the_user_cas_key_is_rotated_under_a_host_a_bastion_and_a_person() -> Result<()> {
    let mut stack = Stack::own()?;
    {
        let alice = Client::alice(&stack)?;
        let host = TargetHost::start(&stack)?;
        host.name("web1", &["--target", "web1"])?;
        host.enroll(&["--no-timer"])?.success()?;
        let old = signed_by(&alice, "db1")?;

        rotate(&stack, &["user"])?;
        // The bastion has heard and has said so; the host has not asked yet.
        let published = awaits(&stack, "user", "published", &["target:web1"])?;
        assert_eq!(published["old_key"], old.as_str());
        alice.certificate("db-admin", "db1")?.success()?;
        assert_eq!(signed_by(&alice, "db1")?, old, "the old key signs until everybody holds the new one");

        host.dayfly(&["renew"])?.success()?;
        let switched = awaits(&stack, "user", "switched", &[])?;
        // alice's tool has never heard of the new key, and takes the old one's word for it.
        alice.certificate("db-admin", "db1")?.success()?;
        alice.certificate("web", "web1")?.success()?;
        assert_eq!(switched["new_key"], signed_by(&alice, "db1")?.as_str());
        assert_eq!(alice.ssh(&["db1", "echo in"])?.text(), "in\n");

        // The host's own sshd takes it, too.
        let key = alice.directory().join("web1");
        let mut ssh = Command::new("ssh");
        ssh.args(["-F", "none", "-o", "IdentitiesOnly=yes", "-o", "IdentityAgent=none", "-o", "BatchMode=yes", "-o", "ControlPath=none"]);
        ssh.args(["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-p", &host.port().to_string()]);
        ssh.arg("-i").arg(&key).arg(format!("-oCertificateFile={}-cert.pub", key.display()));
        let ended = run(ssh.arg(format!("{}@127.0.0.1", stack.get("DAYFLY_ACCOUNT")?)).arg("echo in"), b"")?;
        assert_eq!(ended.text(), "in\n", "{}", ended.stderr);
    }
    // A CA that starts anew goes on with the new key, though ca.toml names the old one.
    stack.restart("ca")?;
    let alice = Client::alice(&stack)?;
    assert_eq!(status(&stack, "user")?["new_key"], signed_by(&alice, "db1")?.as_str());
    assert_eq!(alice.ssh(&["db1", "echo in"])?.text(), "in\n");

    let carol = Client::carol(&stack)?;
    let steps = carol.log(|row| row["event"].as_str().is_some_and(|event| event.starts_with("rotation.")))?;
    let steps: Vec<&str> = steps.iter().filter_map(|row| row["event"].as_str()).collect();
    assert_eq!(steps, ["rotation.prepared", "rotation.published", "rotation.switched"]);
    Ok(())
}

#[test]
fn a_ca_that_is_killed_goes_on_where_the_rotation_stood() -> Result<()> {
    let mut stack = Stack::own()?;
    stack.signal("ca", "KILL")?;
    // Nobody is there to take the next step; that it shall be taken is in the store.
    rotate(&stack, &["session"])?;
    assert_eq!(status(&stack, "session")?["stage"], "prepared");
    stack.restart("ca")?;
    awaits(&stack, "session", "published", &["target:db1"])?;
    stack.signal("ca", "KILL")?;

    // db1 was set up by hand, so it is told by hand: of both keys.
    let keys = stack.path("DAYFLY_CA_DIR")?.join("keys");
    let mut trusted = fs::read_to_string(keys.join("session_ca.pub"))?;
    let file = status(&stack, "session")?["new_key_place"].as_str().context("the key has no file")?.to_owned();
    trusted.push_str(&fs::read_to_string(format!("{file}.pub"))?);
    fs::write(stack.directory().join("targets/db1/trusted_ca.pub"), trusted)?;
    rotate(&stack, &["session", "--despite", "target:db1"])?;
    stack.restart("ca")?;
    let switched = awaits(&stack, "session", "switched", &[])?;
    assert_eq!(switched["despite"], serde_json::json!(["target:db1"]));

    // Sessions are opened by certificates of the new key, which the target trusts beside the old one.
    let alice = Client::alice(&stack)?;
    assert_eq!(alice.ssh(&["db1", "echo in"])?.success()?, "in\n");
    let trace = fs::read_to_string(stack.directory().join("traces/db1"))?;
    let new_key = switched["new_key"].as_str().context("no new key")?;
    assert!(trace.contains(new_key), "sshd accepted a certificate of another key than {new_key}");
    Ok(())
}

#[test]
fn people_are_told_of_a_host_cas_key_before_it_signs() -> Result<()> {
    let stack = Stack::own()?;
    let alice = Client::alice(&stack)?;
    let known_hosts = alice.directory().join("known_hosts");
    alice.dayfly(&["ssh-config", "--known-hosts", &known_hosts.display().to_string()])?.success()?;
    let lines = |name: &str| -> Result<usize> {
        Ok(fs::read_to_string(&known_hosts)?.lines().filter(|line| line.starts_with(&format!("@cert-authority {name}"))).count())
    };
    assert_eq!((lines("bastion")? + lines("127.0.0.1")?, lines("db1")?), (1, 1));

    for purpose in ["host", "inner-host"] {
        rotate(&stack, &[purpose])?;
        awaits(&stack, purpose, "published", &["people"])?;
    }
    // With the next certificate the tool hears of the keys, and writes them where ssh looks.
    alice.certificate("db-admin", "db1")?.success()?;
    assert_eq!((lines("bastion")? + lines("127.0.0.1")?, lines("db1")?), (2, 2));

    rotate(&stack, &["inner-host", "--despite", "people"])?;
    awaits(&stack, "inner-host", "switched", &[])?;
    let abandoned = rotate(&stack, &["host", "--abandon"])?;
    assert!(abandoned.contains("abandoned"), "{abandoned}");
    eventually("the key that was given up is still served", || {
        alice.certificate("db-admin", "db1")?.success()?;
        Ok((lines("bastion")? + lines("127.0.0.1")? == 1).then_some(()))
    })?;
    assert_eq!(lines("db1")?, 2);
    Ok(())
}
