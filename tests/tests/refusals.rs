//! Who is refused, where, with which code and which sentence.

use anyhow::{Context, Result};
use dayfly_tests::{client::Client, command::run, forgery::Forgery, stack::Stack};
use std::process::Command;

#[test]
fn bob_is_refused_a_certificate_and_told_why() -> Result<()> {
    let bob = Client::bob(Stack::shared()?)?;
    let ended = bob.certificate("db-admin", "db1")?;
    assert_ne!(ended.code(), Some(0));
    assert!(ended.stderr.contains("db-admin"), "{}", ended.stderr);
    assert!(!bob.directory().join("db1-cert.pub").exists());
    Ok(())
}

#[test]
fn bob_may_not_read_the_log_and_carol_may() -> Result<()> {
    let stack = Stack::shared()?;
    assert!(Client::bob(stack)?.log(|_| true).is_err());
    assert!(!Client::carol(stack)?.log(|row| row["event"] == "user.added")?.is_empty());
    Ok(())
}

#[test]
fn row_29_a_persons_certificate_straight_at_a_recorded_target() -> Result<()> {
    let stack = Stack::shared()?;
    let alice = Client::alice(stack)?;
    // The bastion dials from this very address, so it is refused for the authority that signed it alone.
    let address = stack.get("DAYFLY_DB1_ADDR")?;
    let ended = direct(&alice, stack, "db1", address)?;
    assert_eq!(ended.code(), Some(255));
    assert!(ended.stderr.contains("Permission denied (publickey)"), "{}", ended.stderr);
    // The same way in is open at the target that trusts people's certificates: it is the certificate that was refused, not the way.
    assert_eq!(direct(&alice, stack, "web1", stack.get("DAYFLY_WEB1_ADDR")?)?.code(), Some(0));
    Ok(())
}

/// `ssh` with a certificate for `target` at `address`, past the bastion.
fn direct(client: &Client<'_>, stack: &Stack, target: &str, address: &str) -> Result<dayfly_tests::command::Ended> {
    let key = client.directory().join(target);
    let (host, port) = address.rsplit_once(':').context("host:port")?;
    let mut ssh = Command::new("ssh");
    ssh.args(["-F", "none", "-o", "IdentitiesOnly=yes", "-o", "IdentityAgent=none", "-o", "BatchMode=yes"]);
    ssh.args(["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-p", port]).arg("-i").arg(&key);
    ssh.arg(format!("-oCertificateFile={}-cert.pub", key.display())).arg(format!("{}@{host}", stack.get("DAYFLY_ACCOUNT")?)).arg("true");
    run(&mut ssh, b"")
}

/// Each of these is right but for one thing.
#[test]
fn certificates_with_one_defect_are_refused_with_its_code() -> Result<()> {
    let stack = Stack::shared()?;
    let carol = Client::carol(stack)?;
    for forgery in Forgery::all(stack)? {
        let client = forgery.client(stack)?;
        let ended = client.ssh(&["db1", "echo in"])?;
        assert!(ended.code() != Some(0) && !ended.text().contains("in"), "{}: {}", forgery.reason, ended.text());
        let rows =
            carol.log_eventually(|row| row["serial"] == forgery.serial && row["outcome"] == "refused").with_context(|| forgery.reason)?;
        for row in rows {
            assert_eq!(row["reason"], forgery.reason, "{row}");
        }
    }
    Ok(())
}

#[test]
fn row_05_what_the_transport_refuses_is_logged_by_its_key() -> Result<()> {
    let stack = Stack::shared()?;
    let carol = Client::carol(stack)?;
    for validity in ["-10m:-1m", "+10m:+20m"] {
        let forgery = Forgery::right(stack)?.valid(validity);
        let client = forgery.client(stack)?;
        assert_eq!(client.ssh(&["db1", "true"])?.code(), Some(255));
        let fingerprint = client.fingerprint("db1")?;
        let rows = carol.log_eventually(|row| row["reason"] == "refused_by_transport" && row.to_string().contains(&fingerprint));
        rows.with_context(|| validity)?;
    }
    Ok(())
}

#[test]
fn a_key_without_a_certificate_is_refused() -> Result<()> {
    let stack = Stack::shared()?;
    let alice = Client::alice(stack)?;
    let fingerprint = alice.fingerprint("db1")?;
    for name in ["db1-cert.pub", "web1-cert.pub"] {
        std::fs::remove_file(alice.directory().join(name))?;
    }
    let ended = alice.ssh(&["bastion", "true"])?;
    assert!(ended.code() == Some(255) && ended.stderr.contains("Permission denied"), "{}", ended.stderr);
    let rows =
        Client::carol(stack)?.log_eventually(|row| row["reason"] == "certificate_required" && row.to_string().contains(&fingerprint))?;
    assert!(!rows.is_empty());
    Ok(())
}

#[test]
fn row_33_another_key_inside_than_outside() -> Result<()> {
    let stack = Stack::shared()?;
    let (alice, other) = (Client::alice(stack)?, Client::alice(stack)?);
    // Both certificates are alice's and good; the inner login comes with another key than the outer.
    let (own, others) = (alice.directory().display().to_string(), other.directory().display().to_string());
    alice.edit_ssh_config(|text| {
        let (hops, targets) = text.split_once("Host db1").context("the targets follow the hops")?;
        Ok(format!("{hops}Host db1{}", targets.replace(&own, &others)))
    })?;
    let ended = alice.ssh(&["db1", "echo in"])?;
    assert!(ended.code() != Some(0) && ended.text().is_empty(), "{}", ended.text());
    let serial = other.serial("db1")?;
    let rows = Client::carol(stack)?.log_eventually(|row| row["reason"] == "different_person" && row["serial"] == serial)?;
    assert!(!rows.is_empty());
    Ok(())
}

#[test]
fn row_38_a_recorded_target_is_itself_under_its_own_name_only() -> Result<()> {
    let stack = Stack::shared()?;
    let alice = Client::alice(stack)?;
    let (host, port) = stack.get("DAYFLY_DB1_ADDR")?.rsplit_once(':').context("host:port")?;
    for (name, port) in
        [(host, port), ("::ffff:127.0.0.1", port), ("localhost", port), ("db1", "22"), ("db1.", "22"), ("DB1", "22"), ("db1", port)]
    {
        // Whoever answers says who it is at once. It may be the bastion, which records, or nobody; it may not be the target.
        let ended = alice.ssh(&["-W", &format!("[{name}]:{port}"), "bastion"])?;
        assert!(!ended.text().contains("OpenSSH"), "{name}:{port} answered {}", ended.text());
    }
    Ok(())
}
