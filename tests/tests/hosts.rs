//! Hosts: enrolled at a real CA, their real `sshd` checked, reloaded, renewed and put back.

use anyhow::{Context, Result};
use dayfly_tests::{
    client::Client,
    command::{Ended, eventually, run},
    sshd::Program,
    stack::Stack,
    target_host::TargetHost,
};
use std::{fs, process::Command};

/// `ssh` as alice with her certificate for `web1`, to a host whose certificate must be the host CA's, for `name`.
fn ssh(alice: &Client<'_>, host: &TargetHost<'_>, name: &str) -> Result<Ended> {
    let stack = alice.stack();
    let known_hosts = host.path("known_hosts");
    let host_ca = fs::read_to_string(stack.path("DAYFLY_CA_DIR")?.join("keys/host_ca.pub"))?;
    fs::write(&known_hosts, format!("@cert-authority {name} {host_ca}"))?;
    let key = alice.directory().join("web1");
    let mut command = Command::new("ssh");
    command.args(["-F", "none", "-o", "IdentitiesOnly=yes", "-o", "IdentityAgent=none", "-o", "BatchMode=yes", "-o", "ControlPath=none"]);
    command.args(["-o", "StrictHostKeyChecking=yes", "-o", "GlobalKnownHostsFile=none", "-o", &format!("HostKeyAlias={name}")]);
    command.args(["-o", &format!("UserKnownHostsFile={}", known_hosts.display()), "-p", &host.port().to_string()]);
    command.arg("-i").arg(&key).arg(format!("-oCertificateFile={}-cert.pub", key.display()));
    run(command.arg(format!("{}@127.0.0.1", stack.get("DAYFLY_ACCOUNT")?)).arg("echo in"), b"")
}

/// After a SIGHUP `sshd` listens again when it listens again.
fn ssh_eventually(alice: &Client<'_>, host: &TargetHost<'_>, name: &str) -> Result<Ended> {
    eventually("nobody gets in", || Ok(Some(ssh(alice, host, name)?).filter(|ended| ended.code() == Some(0))))
        .with_context(|| host.trace().unwrap_or_default())
}

#[test]
fn a_host_is_enrolled_reached_renewed_and_left_alone() -> Result<()> {
    let stack = Stack::own()?;
    let alice = Client::alice(&stack)?;
    let host = TargetHost::start(&stack)?;
    let before = host.files()?;

    // A look changes nothing, here and at the CA.
    host.name("web1", &["--target", "web1", "--names", "web1.example.org"])?;
    let before = before.into_iter().chain([(host.path("token"), fs::read(host.path("token"))?)]).collect();
    let shown = host.enroll(&["--no-timer", "--dry-run"])?.success()?;
    for expected in ["+TrustedUserCAKeys ", "+RevokedKeys ", "sshd_config.d/00-dayfly.conf", "+++ ", "nothing was changed"] {
        assert!(shown.contains(expected), "{expected}: {shown}");
    }
    assert_eq!(host.files()?, before);

    // Enrolled: the host answers with its certificate and takes alice's.
    let told = host.enroll(&["--no-timer"])?.success()?;
    assert!(told.contains("host web1: done"), "{told}");
    assert_eq!(ssh_eventually(&alice, &host, "web1")?.text(), "in\n");
    assert_eq!(ssh(&alice, &host, "web1.example.org")?.text(), "in\n");
    assert_ne!(ssh(&alice, &host, "db1")?.code(), Some(0), "the certificate is for no other name");
    let at_the_ca = host.at_the_ca("web1")?;
    assert_eq!((&at_the_ca["state"], &at_the_ca["stale"]), (&"enrolled".into(), &false.into()), "{at_the_ca}");
    assert!(at_the_ca["krl_number"].is_number() && at_the_ca["trusted"].as_array().is_some_and(|keys| keys.len() == 1), "{at_the_ca}");

    // Again, by token and by key: nothing.
    let enrolled = host.files()?;
    for again in [host.enroll(&["--no-timer"])?.success()?, host.dayfly(&["renew"])?.success()?] {
        assert!(again.contains("nothing to change"), "{again}");
    }
    assert_eq!(host.files()?, enrolled);
    let status = host.json(&["status"])?;
    assert_eq!(status["alarms"].as_array().map(Vec::len), Some(0), "{status}");

    // A new certificate is shown after a reload; what somebody changed is put right.
    let renewed = host.json(&["renew", "--new-certificate"])?;
    assert_ne!(renewed["certificate"]["serial"], status["serial"]);
    assert_eq!(renewed["reloaded"], true);
    let principals = host.path("dayfly/principals").join(stack.get("DAYFLY_ACCOUNT")?);
    fs::write(&principals, "mallory\n")?;
    fs::write(host.path("dayfly/principals/mallory"), "mallory\n")?;
    let repaired = host.json(&["renew"])?;
    assert_eq!(repaired["files"].as_array().map(Vec::len), Some(2), "{repaired}");
    assert!(!host.path("dayfly/principals/mallory").exists());
    assert_eq!(ssh_eventually(&alice, &host, "web1")?.text(), "in\n");
    Ok(())
}

#[test]
fn row_42_what_sshd_does_not_take_is_put_back_byte_for_byte() -> Result<()> {
    puts_back_what_sshd_does_not_take(Program::system())
}

#[test]
fn row_42_what_a_newer_sshd_does_not_take_is_put_back_byte_for_byte() -> Result<()> {
    Program::newer()?.map_or(Ok(()), puts_back_what_sshd_does_not_take)
}

fn puts_back_what_sshd_does_not_take(sshd: Program) -> Result<()> {
    let stack = Stack::own()?;
    let alice = Client::alice(&stack)?;
    let host = TargetHost::with(&stack, sshd)?;
    host.name("web1", &["--target", "web1"])?;

    // Somebody's earlier line takes the drop-in's away: sshd takes the configuration, and would not obey.
    let config = host.path("sshd_config");
    let good = fs::read_to_string(&config)?;
    fs::write(&config, format!("PasswordAuthentication yes\n{good}"))?;
    let before = host.files()?;
    let refused = host.enroll(&["--no-timer"])?;
    assert!(refused.code() == Some(1) && refused.stderr.contains("PasswordAuthentication no"), "{}", refused.stderr);
    assert!(refused.stderr.contains("everything was put back"), "{}", refused.stderr);
    assert_eq!(host.files()?, before);

    // The token is used up, and the host key is enrolled: it goes on from there.
    fs::write(&config, &good)?;
    host.enroll(&["--no-timer"])?.success()?;
    ssh_eventually(&alice, &host, "web1")?;
    let enrolled = host.files()?;

    // An sshd that takes the configuration as long as the drop-in is as it was.
    let picky = host.path("picky-sshd");
    let script = format!(
        "#!/bin/sh\ngrep -q mallory {}/dayfly/principals/* && exit 0\n[ \"$1\" = -t ] && echo 'bad line 7' >&2 && exit 1\n",
        host.path("").display()
    );
    fs::write(&picky, script)?;
    run(Command::new("chmod").arg("755").arg(&picky), b"")?.success()?;
    let record = host.path("dayfly/host.json");
    let text = fs::read_to_string(&record)?;
    fs::write(&record, text.replace(&host.program().display().to_string(), &picky.display().to_string()))?;
    fs::write(host.path("dayfly/principals").join(stack.get("DAYFLY_ACCOUNT")?), "mallory\n")?;
    let before = host.files()?;
    let refused = host.dayfly(&["renew"])?;
    assert!(refused.code() == Some(1) && refused.stderr.contains("bad line 7"), "{}", refused.stderr);
    assert_eq!(host.files()?, before);
    fs::write(&record, text)?;
    host.dayfly(&["renew"])?.success()?;
    fs::remove_file(&picky)?;
    assert_eq!(host.files()?.keys().collect::<Vec<_>>(), enrolled.keys().collect::<Vec<_>>());
    assert_eq!(ssh(&alice, &host, "web1")?.text(), "in\n");
    Ok(())
}

#[test]
fn row_29_an_enrolled_recorded_target_refuses_a_person_from_any_address() -> Result<()> {
    let stack = Stack::own()?;
    let alice = Client::alice(&stack)?;
    let host = TargetHost::start(&stack)?;
    host.name("db1", &["--target", "db1"])?;
    host.enroll(&["--no-timer"])?.success()?;
    let principals = fs::read_to_string(host.path("dayfly/principals").join(stack.get("DAYFLY_ACCOUNT")?))?;
    assert!(principals.contains("from=\"127.0.0.1/32\" "), "{principals}");
    // Her certificate for the target itself, straight from where the bastion dials.
    for name in ["", ".pub", "-cert.pub"] {
        fs::copy(alice.directory().join(format!("db1{name}")), alice.directory().join(format!("web1{name}")))?;
    }
    let refused = eventually("sshd does not answer", || {
        Ok(Some(ssh(&alice, &host, "db1")?).filter(|ended| ended.stderr.contains("Permission denied")))
    })?;
    assert_eq!(refused.code(), Some(255));
    Ok(())
}

#[test]
fn a_host_that_falls_behind_says_so() -> Result<()> {
    let stack = Stack::own()?;
    let host = TargetHost::start(&stack)?;
    host.name("web1", &["--target", "web1"])?;
    host.enroll(&["--no-timer"])?.success()?;
    let list = host.path("dayfly/revoked_keys");
    run(Command::new("touch").args(["-d", "2 hours ago"]).arg(&list), b"")?.success()?;
    let status = host.dayfly(&["status"])?;
    assert!(status.code() == Some(1) && status.text().contains("ALARM"), "{}", status.text());

    // While the CA is away a renewal fails, and tells how long that has lasted.
    stack.signal("ca", "KILL")?;
    let failed = host.dayfly(&["renew"])?;
    assert!(failed.code() == Some(5) && failed.stderr.contains("revocation list is 2h"), "{}", failed.stderr);
    fs::remove_file(&list)?;
    let status = host.dayfly(&["status"])?;
    assert!(status.code() == Some(1) && status.text().contains("nobody gets in"), "{}", status.text());
    Ok(())
}

#[test]
fn a_host_that_is_no_target_shows_a_certificate_and_keeps_its_logins() -> Result<()> {
    let stack = Stack::own()?;
    let host = TargetHost::start(&stack)?;
    host.name("plain", &["--names", "plain.example.org"])?;
    host.enroll(&["--no-timer"])?.success()?;
    let drop_in = fs::read_to_string(host.path("sshd_config.d/00-dayfly.conf"))?;
    assert!(drop_in.contains("\nHostCertificate ") && !drop_in.contains("TrustedUserCAKeys"), "{drop_in}");
    assert!(!host.path("dayfly/principals").exists() && !host.path("dayfly/revoked_keys").exists());
    assert_eq!(host.json(&["status"])?["alarms"].as_array().map(Vec::len), Some(0));
    assert_eq!(host.at_the_ca("plain")?["stale"], false);
    // What sshd shows is what the host CA signed.
    let known_hosts = host.path("known_hosts");
    let host_ca = fs::read_to_string(stack.path("DAYFLY_CA_DIR")?.join("keys/host_ca.pub"))?;
    fs::write(&known_hosts, format!("@cert-authority plain.example.org {host_ca}"))?;
    let answer = eventually("sshd does not answer", || {
        let mut ssh = Command::new("ssh");
        ssh.args(["-F", "none", "-o", "BatchMode=yes", "-o", "IdentityAgent=none", "-o", "StrictHostKeyChecking=yes"]);
        ssh.args(["-o", "HostKeyAlias=plain.example.org", "-o", "PubkeyAuthentication=no", "-p", &host.port().to_string()]);
        let ended = run(ssh.arg(format!("-oUserKnownHostsFile={}", known_hosts.display())).args(["127.0.0.1", "true"]), b"")?;
        Ok(Some(ended).filter(|ended| !ended.stderr.contains("Connection refused")))
    })?;
    assert!(answer.stderr.contains("Permission denied"), "{}", answer.stderr);
    Ok(())
}

#[test]
fn the_timer_is_installed_where_there_is_a_systemd_and_refused_where_there_is_none() -> Result<()> {
    let stack = Stack::own()?;
    let host = TargetHost::start(&stack)?;
    host.name("web1", &["--target", "web1"])?;
    let units = host.path("units").display().to_string();
    let before = host.files()?;
    let none = host.enroll(&["--systemctl", "/bin/false", "--systemd-dir", &units])?;
    assert!(none.code() == Some(2) && none.stderr.contains("--no-timer"), "{}", none.stderr);
    assert_eq!(host.files()?, before);

    let asked = host.path("asked");
    let systemctl = host.path("systemctl");
    fs::write(&systemctl, format!("#!/bin/sh\necho \"$@\" >>{}\n", asked.display()))?;
    run(Command::new("chmod").arg("755").arg(&systemctl), b"")?.success()?;
    let systemctl = systemctl.display().to_string();
    host.enroll(&["--systemctl", &systemctl, "--systemd-dir", &units])?.success()?;
    let service = fs::read_to_string(host.path("units/dayfly-host.service"))?;
    assert!(
        service.contains(&format!("host renew --sshd-config-dir {}\n", host.path("").display().to_string().trim_end_matches('/'))),
        "{service}"
    );
    assert!(host.path("units/dayfly-host.timer").exists());
    let asked = fs::read_to_string(&asked)?;
    assert!(asked.contains("daemon-reload\nenable --now dayfly-host.timer\n"), "{asked}");
    Ok(())
}
