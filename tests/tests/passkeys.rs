//! Passkeys and security keys as second factors: with a real browser and its virtual authenticator, and with an ssh-agent.

use anyhow::{Context, Result, ensure};
use dayfly_tests::{
    client::Client,
    command::run,
    peers::{Browsed, Chromium, Passkeys, peer},
    stack::Stack,
    terminal::Terminal,
};
use serde_json::Value;
use std::{
    fs,
    io::{BufRead, BufReader},
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

const ROLE: &str = r#"
[[role]]
name = "guarded"
description = "For whoever has a passkey at hand"
principals = ["root@{target}"]
targets = ["db1"]
extensions = ["permit-pty"]
"#;

const POLICY: &str = r#"
@id("guarded-with-a-passkey")
permit (principal in Group::"dba", action in [Action::"request", Action::"connect"], resource == Role::"guarded")
when { context has second_factor && context.second_factor has webauthn && context.second_factor.webauthn.age_seconds < 3600 };
"#;

/// Runs `dayfly factor …` for alice; the passkey answers on the page that it names, and the result comes back as JSON.
fn ceremony(stack: &Stack, passkeys: &Passkeys, arguments: &[&str]) -> Result<(Browsed, Value)> {
    let mut command = stack.program("dayfly")?;
    command.args(["--json", "factor"]).args(arguments).env("DAYFLY_HOME", stack.get("DAYFLY_ALICE_HOME")?);
    let mut tool = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let mut said = BufReader::new(tool.stderr.take().context("no error output")?);
    let mut line = String::new();
    said.read_line(&mut line)?;
    let invitation: Value = serde_json::from_str(&line).with_context(|| format!("not JSON: {line}"))?;
    let page = invitation.pointer("/second_factor/page").and_then(Value::as_str).with_context(|| format!("no page in {invitation}"))?;
    let seen = passkeys.answer(page, invitation.pointer("/second_factor/code").and_then(Value::as_str))?;
    let ended = tool.wait_with_output()?;
    ensure!(ended.status.success(), "{}: {seen:?}", ended.status);
    Ok((seen, serde_json::from_slice(&ended.stdout)?))
}

#[test]
fn row_17_a_passkey_in_chromium_opens_what_policy_keeps_shut_without_one() -> Result<()> {
    let Some(chromium) = Chromium::find()? else { return Ok(()) };
    let stack = &Stack::own_named("localhost")?;
    stack.add_role("guarded", ROLE, POLICY)?;
    let client = Client::new(stack, "ALICE")?;
    let passkeys = Passkeys::new(chromium, client.directory().join("passkeys"), stack.get("DAYFLY_CA_PIN")?);
    let home = stack.get("DAYFLY_ALICE_HOME")?;
    let out = client.directory().join("guarded").display().to_string();
    let cert = || -> Result<Command> {
        let mut command = stack.program("dayfly")?;
        command.args(["cert", "guarded", "--target", "db1", "--out", &out]).env("DAYFLY_HOME", home).stdin(Stdio::null());
        Ok(command)
    };
    let alone = |mut command: Command| -> Result<_> {
        let mut lone = Command::new("setsid");
        lone.args(["--wait", "env", &format!("DAYFLY_HOME={home}")]).arg(command.get_program()).args(command.get_args());
        command = lone;
        run(&mut command, b"")
    };
    let refused = alone(cert()?)?;
    ensure!(refused.code() == Some(3) && refused.stderr.contains("second_factor_required"), "{}", refused.stderr);

    let (seen, added) = ceremony(stack, &passkeys, &["add", "--webauthn", "--name", "laptop", "--no-browser"])?;
    ensure!(seen.url.starts_with("http://127.0.0.1:") && seen.text.contains("Your answer is taken"), "{seen:?}");
    ensure!(seen.asked.contains("laptop") && seen.asked.contains("alice") && seen.asked.contains("SHA256:"), "{seen:?}");
    ensure!(seen.complaints.is_empty(), "{seen:?}");
    assert_eq!((added["name"].as_str(), added["method"].as_str()), (Some("laptop"), Some("webauthn")));
    let still = alone(cert()?)?;
    assert_eq!(still.code(), Some(3), "having one proves nothing: {}", still.stderr);

    // From a browser on another machine, the code is typed.
    let (seen, proven) = ceremony(stack, &passkeys, &["prove", "--webauthn", "--device-code"])?;
    ensure!(seen.text.contains("goes on by itself") && seen.complaints.is_empty(), "{seen:?}");
    assert_eq!(proven["method"], "webauthn");
    alone(cert()?)?.success()?;

    // What is proven counts for the key that asked: as nothing was, once it is removed, the tool opens the browser by itself.
    let mut remove = stack.program("dayfly")?;
    run(remove.args(["factor", "remove", "laptop"]).env("DAYFLY_HOME", home), b"")?.success()?;
    let (seen, _) = ceremony(stack, &passkeys, &["add", "--webauthn", "--no-browser"])?;
    ensure!(seen.text.contains("Your answer is taken"), "{seen:?}");
    let browser = client.directory().join("browser");
    let command = passkeys.command();
    let quoted = |text: &std::ffi::OsStr| format!("'{}'", text.to_string_lossy());
    let variables = command.get_envs().filter_map(|(name, value)| Some(format!("{}={}", name.to_string_lossy(), quoted(value?))));
    let words: Vec<String> = variables.chain(std::iter::once("node".to_owned())).chain(command.get_args().map(quoted)).collect();
    fs::write(&browser, format!("#!/bin/sh\nexec env {} \"$1\"\n", words.join(" ")))?;
    fs::set_permissions(&browser, fs::Permissions::from_mode(0o700))?;
    let mut shell = Command::new("env");
    shell.arg(format!("BROWSER={}", browser.display())).arg(format!("DAYFLY_HOME={home}"));
    shell.args(["sh", "-c", "\"$@\" && echo it is issued", "sh"]).arg(stack.path("DAYFLY_BIN")?.join("dayfly"));
    shell.args(["cert", "guarded", "--target", "db1", "--out", &out]);
    let mut terminal = Terminal::open(&shell, 24, 80)?;
    terminal.expect_within("it is issued", Duration::from_secs(60))?;
    terminal.end()?;

    let carol = Client::carol(stack)?;
    let events = carol.log(|row| row["subject"] == "alice" && row["event"].as_str().is_some_and(|name| name.starts_with("factor.")))?;
    let names: Vec<&str> = events.iter().filter_map(|row| row["event"].as_str()).collect();
    let once = ["factor.answered", "factor.added", "factor.answered", "factor.proven"];
    assert_eq!(names, [&once[..], &["factor.removed"], &once[..]].concat());
    assert_eq!(events[3]["facts"]["name"], "laptop");
    assert_eq!((&events[2]["facts"]["way"], &events[2]["facts"]["user_verified"]), (&"device_code".into(), &"true".into()));
    Ok(())
}

const TOUCH_POLICY: &str = r#"
@id("guarded-with-a-touch")
permit (principal in Group::"dba", action in [Action::"request", Action::"connect"], resource == Role::"guarded")
when { context has second_factor && context.second_factor has touch && context.second_factor.touch.age_seconds < 3600 };
"#;

#[test]
fn row_35_a_touched_security_key_opens_what_policy_keeps_shut_without_one() -> Result<()> {
    if peer("node")?.is_none() {
        return Ok(());
    }
    let stack = &Stack::own()?;
    stack.add_role("guarded", ROLE, TOUCH_POLICY)?;
    let client = Client::new(stack, "ALICE")?;
    let (socket, key) = (client.directory().join("agent"), client.directory().join("key.pub"));
    let mut agent = Command::new("node");
    agent.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("peers/security-key.mjs")).args([&socket, &key]);
    let mut agent = agent.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
    let mut ready = String::new();
    BufReader::new(agent.stdout.take().context("no output")?).read_line(&mut ready)?;
    let (key, out) = (key.display().to_string(), client.directory().join("guarded").display().to_string());
    let dayfly = |arguments: &[&str]| {
        let mut command = Command::new("setsid");
        command.args(["--wait", "env"]).arg(format!("DAYFLY_HOME={}", stack.get("DAYFLY_ALICE_HOME")?));
        command.arg(format!("SSH_AUTH_SOCK={}", socket.display()));
        run(command.arg(stack.path("DAYFLY_BIN")?.join("dayfly")).args(arguments), b"")
    };
    let tried = (|| {
        let cert = ["cert", "guarded", "--target", "db1", "--out", &out];
        let nothing_yet = dayfly(&["factor", "prove", "--touch"])?;
        ensure!(nothing_yet.code() == Some(1) && nothing_yet.stderr.contains("factor add --touch"), "{}", nothing_yet.stderr);
        let added = dayfly(&["factor", "add", "--touch", "--key", &key, "--name", "yubi"])?;
        ensure!(added.stderr.contains("Touch your security key"), "{}", added.stderr);
        ensure!(added.success()?.contains("yubi"), "it has that name");
        let refused = dayfly(&cert)?;
        ensure!(refused.code() == Some(3) && refused.stderr.contains("(by touch)"), "{}", refused.stderr);
        dayfly(&["factor", "prove"])?.success()?;
        dayfly(&cert)?.success()?;
        let listed = dayfly(&["factor", "list"])?.success()?;
        ensure!(listed.starts_with("touch  yubi"), "{listed}");
        dayfly(&["factor", "remove", "yubi"])?.success()?;
        ensure!(dayfly(&cert)?.code() == Some(3), "what it has proven goes with it");
        Ok(())
    })();
    agent.kill()?;
    agent.wait()?;
    tried
}
