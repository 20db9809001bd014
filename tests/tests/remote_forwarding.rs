//! What comes from a target to the client with stock OpenSSH: connections to ports that it listens at (`ssh -R`), and questions to the agent (`ssh -A`).
//! Where the role says so, on record, and nowhere else.

use anyhow::{Context, Result, ensure};
use dayfly_tests::{
    client::Client,
    command::{Ended, eventually, run},
    stack::Stack,
    traffic::{BULK, Background, closed, connected, echo_service, echoes, free_port},
};
use serde_json::Value;
use std::{
    fs,
    io::{BufRead, BufReader},
    net::{SocketAddr, TcpListener},
    process::{Command, Stdio},
};

/// A system with a role at both targets, and what its certificates and sessions may do.
fn stack_with(extensions: &str, session: &str) -> Result<Stack> {
    let stack = Stack::own()?;
    let account = stack.get("DAYFLY_ACCOUNT")?;
    let role = format!(
        "\n[[role]]\nname = \"publish\"\nprincipals = [\"{account}@{{target}}\"]\ntargets = [\"all\"]\nextensions = [{extensions}]\nsession = {{ {session} }}\n"
    );
    let policy = "@id(\"dba-may-publish\")\npermit (\n  principal in Group::\"dba\",\n  action in [Action::\"request\", Action::\"connect\"],\n  resource == Role::\"publish\"\n);\n";
    stack.add_role("publish", &role, policy)?;
    let alice = Client::new(&stack, "ALICE")?;
    let issued = || Ok(Some(alice.certificate("publish", "db1")?).filter(|ended| ended.code() == Some(0)));
    eventually("the CA does not know the new role", issued)?;
    Ok(stack)
}

/// alice with certificates of that role.
fn alice(stack: &Stack) -> Result<Client<'_>> {
    let alice = Client::new(stack, "ALICE")?;
    alice.certificate("publish", "db1")?.success()?;
    alice.certificate("publish", "web1")?.success()?;
    Ok(alice)
}

/// `ssh -N -R` in the background.
fn remote(client: &Client<'_>, forward: &str, target: &str) -> Result<Background> {
    let mut ssh = client.openssh("ssh");
    ssh.args(["-N", "-o", "ExitOnForwardFailure=yes", "-R", forward, target]).stdin(Stdio::null());
    Ok(Background(ssh.spawn()?))
}

#[test]
fn a_port_of_the_target_leads_to_the_client_and_is_on_record() -> Result<()> {
    let stack = stack_with("\"permit-port-forwarding\"", "allow = [], listen_on = [\"localhost:*\"]")?;
    let (alice, service) = (alice(&stack)?, echo_service()?);
    let by_name = format!("{}@db1@bastion", stack.get("DAYFLY_ACCOUNT")?);
    for target in ["db1", by_name.as_str()] {
        let port = free_port()?;
        let ssh = remote(&alice, &format!("{}:{service}", port.port()), target)?;
        echoes(connected(port)?)?;
        drop(ssh);
        closed(port).with_context(|| format!("after the connection's end: {target}"))?;
    }
    let carol = Client::carol(&stack)?;
    let bulk = BULK.to_string();
    let arrived = |row: &Value| row["event"] == "session.ended" && row["facts"]["from"].is_string() && row["facts"]["bytes_in"] == *bulk;
    let rows = eventually("the log does not tell of both", || Ok(Some(carol.log(arrived)?).filter(|rows| rows.len() == 2)))?;
    ensure!(rows.iter().all(|row| row["facts"]["bytes_out"] == *bulk && row["facts"]["listener"].is_string()), "{rows:?}");
    let listened = |row: &Value| row["event"] == "session.ended" && row["facts"]["listen"].is_string() && row["facts"]["from"].is_null();
    eventually("the log does not tell of their ends", || Ok(Some(carol.log(listened)?).filter(|rows| rows.len() == 2)))?;
    let started = carol.log(|row| row["event"] == "session.started" && row["facts"]["listen"].is_string())?;
    ensure!(started.iter().all(|row| row["subject"] == "alice" && row["target"] == "db1"), "{started:?}");
    let told: Vec<String> =
        stack.recordings("manifest.json")?.iter().map(|path| Ok(fs::read_to_string(path.join("events.ndjson"))?)).collect::<Result<_>>()?;
    for (event, count) in [("\"event\":\"listen\"", 2), ("\"event\":\"arrival\"", 2), ("\"event\":\"stdout\"", 0)] {
        let found = told.iter().filter(|events| events.contains(event)).count();
        ensure!(found >= count && (count > 0 || found == 0), "{event}: {found} in {told:?}");
    }
    Ok(())
}

#[test]
fn a_port_of_the_targets_choice_is_told_and_can_be_given_up() -> Result<()> {
    let stack = stack_with("\"permit-port-forwarding\"", "listen_on = [\"localhost:*\"]")?;
    let (alice, service) = (alice(&stack)?, echo_service()?);
    let control = format!("ControlPath={}", alice.directory().join("mux").display());
    let mut master = alice.openssh("ssh");
    master.args(["-N", "-o", &control, "-o", "ControlMaster=yes", "-R", &format!("0:{service}"), "db1"]);
    let mut master = Background(master.stdin(Stdio::null()).stderr(Stdio::piped()).spawn()?);
    let mut said = String::new();
    BufReader::new(master.0.stderr.take().context("it has one")?).read_line(&mut said)?;
    let port: u16 =
        said.trim().strip_prefix("Allocated port ").and_then(|rest| rest.split(' ').next()).with_context(|| said.clone())?.parse()?;
    let port = SocketAddr::from(([127, 0, 0, 1], port));
    echoes(connected(port)?)?;
    // Given up, while the connection goes on.
    run(alice.openssh("ssh").args(["-o", &control, "-O", "cancel", "-R", &format!("0:{service}"), "db1"]), b"")?.success()?;
    closed(port)?;
    let ended = run(alice.openssh("ssh").args(["-o", &control, "db1", "echo still there"]), b"")?;
    ensure!(ended.text() == "still there\n", "{}{}", ended.text(), ended.stderr);
    Ok(())
}

#[test]
fn row_11_a_target_listens_nowhere_else_and_the_person_is_told() -> Result<()> {
    let stack = stack_with("\"permit-port-forwarding\"", "listen_on = [\"localhost:1\"]")?;
    let (alice, port) = (alice(&stack)?, free_port()?.port());
    for asked in [format!("{port}"), format!("127.0.0.1:{port}"), format!("*:{port}"), "0".to_owned()] {
        let ended = alice.ssh(&["-R", &format!("{asked}:127.0.0.1:1"), "db1", "echo in"])?;
        ensure!(ended.text() == "in\n", "{asked}: {}{}", ended.text(), ended.stderr);
        ensure!(
            ended.stderr.contains("does not let this target listen at") && ended.stderr.contains("(not_allowed)"),
            "{asked}: {}",
            ended.stderr
        );
    }
    let carol = Client::carol(&stack)?;
    let at = format!("*:{port}");
    let refused = carol.log_eventually(|row| row["event"] == "session.refused" && row["facts"]["listen"] == at.as_str())?;
    ensure!(refused.iter().all(|row| row["reason"] == "not_allowed" && row["subject"] == "alice"), "{refused:?}");
    // One that its own sshd does not give, since somebody has it.
    let taken = TcpListener::bind("127.0.0.1:0")?;
    let port = taken.local_addr()?.port();
    let _also = TcpListener::bind(("::1", port));
    let config = stack.path("DAYFLY_CA_CONFIG")?;
    fs::write(config, fs::read_to_string(config)?.replace("localhost:1\"", &format!("localhost:{port}\"")))?;
    stack.signal("ca", "HUP")?;
    let forward = format!("{port}:127.0.0.1:1");
    let told = || Ok(Some(alice.ssh(&["-R", &forward, "db1", "echo in"])?).filter(|ended| ended.stderr.contains("does not listen at")));
    eventually("the target's own refusal is not told", told)?;
    Ok(())
}

#[test]
fn a_passthrough_targets_own_sshd_judges_what_its_certificate_permits() -> Result<()> {
    let stack = stack_with("\"permit-port-forwarding\"", "allow = []")?;
    let (alice, service, port) = (alice(&stack)?, echo_service()?, free_port()?);
    let forward = format!("{}:{service}", port.port());
    let ssh = remote(&alice, &forward, "web1")?;
    echoes(connected(port)?)?;
    drop(ssh);
    closed(port)?;
    // Without the extension.
    alice.certificate("web", "web1")?.success()?;
    let ended = alice.ssh(&["-N", "-o", "ExitOnForwardFailure=yes", "-R", &forward, "web1"])?;
    ensure!(ended.code() == Some(255) && ended.stderr.contains("remote port forwarding failed"), "{}", ended.stderr);
    Ok(())
}

/// `ssh` in an agent of its own, which holds one key. What `command` says at the target, and that key's fingerprint.
fn with_agent(client: &Client<'_>, options: &[&str], command: &str) -> Result<(Ended, String)> {
    let key = client.directory().join("lent").display().to_string();
    if !fs::exists(&key)? {
        run(Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f", &key]), b"")?.success()?;
    }
    let fingerprint = run(Command::new("ssh-keygen").args(["-lf", &key]), b"")?.success()?;
    let fingerprint = fingerprint.split_whitespace().nth(1).context("the second word")?.to_owned();
    let config = client.directory().join("ssh_config").display().to_string();
    let script = "ssh-add -q \"$0\" && exec ssh \"$@\"";
    let mut agent = Command::new("ssh-agent");
    agent.args(["bash", "-c", script, &key, "-F", &config, "-o", "IdentityAgent=SSH_AUTH_SOCK"]).args(options).args(["db1", command]);
    Ok((run(&mut agent, b"")?, fingerprint))
}

#[test]
fn row_12_an_agent_is_lent_where_the_role_says_so_and_its_use_is_on_record() -> Result<()> {
    let stack = stack_with("\"permit-agent-forwarding\"", "forward_agent = true")?;
    let alice = alice(&stack)?;
    let (ended, fingerprint) = with_agent(&alice, &["-A"], "ssh-add -l; ssh-add -l")?;
    ensure!(ended.text().matches(&fingerprint).count() == 2, "{}{}", ended.text(), ended.stderr);
    // Whoever does not ask gets none.
    let (ended, fingerprint) = with_agent(&alice, &["-a"], "echo \"<$SSH_AUTH_SOCK>\"; ssh-add -l")?;
    ensure!(ended.text().starts_with("<>\n") && !ended.text().contains(&fingerprint), "{}", ended.text());
    let carol = Client::carol(&stack)?;
    let rows = carol.log_eventually(|row| row["event"] == "session.ended" && row["facts"]["agent_connections"] == "2")?;
    let count = |name: &str| rows[0]["facts"][name].as_str().and_then(|count| count.parse::<u64>().ok());
    ensure!(count("agent_asked").is_some_and(|bytes| bytes > 0) && count("agent_answered").is_some_and(|bytes| bytes > 50), "{rows:?}");
    Ok(())
}

#[test]
fn row_12_what_no_session_gives_is_refused_in_words_and_on_record() -> Result<()> {
    let stack = Stack::own()?;
    let alice = Client::alice(&stack)?;
    let socket = alice.directory().join("socket").display().to_string();
    // X11.
    let mut x11 = alice.openssh("ssh");
    let ended =
        run(x11.args(["-Y", "-o", "XAuthLocation=/bin/false", "-tt", "db1", "echo \"<$DISPLAY>\""]).env("DISPLAY", "127.0.0.1:9"), b"")?;
    ensure!(ended.text().contains("<>") && ended.stderr.contains("X11 forwarding request failed"), "{}{}", ended.text(), ended.stderr);
    ensure!(
        format!("{}{}", ended.text(), ended.stderr).contains("does not give x11-req (not_allowed)"),
        "{}{}",
        ended.text(),
        ended.stderr
    );
    // Sockets of the target and of the client.
    let ended = alice.ssh(&["-R", &format!("{socket}.far:127.0.0.1:1"), "db1", "echo in"])?;
    ensure!(ended.text() == "in\n" && ended.stderr.contains("no remote Unix socket forwarding (not_allowed)"), "{}", ended.stderr);
    let port = free_port()?;
    let mut local = alice.openssh("ssh");
    local.args(["-N", "-L", &format!("{}:/run/x.sock", port.port()), "db1"]).stdin(Stdio::null()).stderr(Stdio::piped());
    let mut local = Background(local.spawn()?);
    drop(connected(port)?);
    let mut said = String::new();
    BufReader::new(local.0.stderr.take().context("it has one")?).read_line(&mut said)?;
    ensure!(said.contains("no Unix socket forwarding (not_allowed)"), "{said}");
    let carol = Client::carol(&stack)?;
    for what in ["X11 forwarding", "remote Unix socket forwarding", "Unix socket forwarding"] {
        carol.log_eventually(|row| row["event"] == "session.refused" && row["facts"]["asked"] == what)?;
    }
    let told = || {
        let recordings = stack.recordings("manifest.json")?;
        let all = recordings.iter().map(|path| Ok(fs::read_to_string(path.join("events.ndjson"))?)).collect::<Result<String>>()?;
        Ok((all.contains("\"what\":\"x11-req\"") && all.contains("\"what\":\"streamlocal-forward@openssh.com\"")).then_some(()))
    };
    eventually("no recording tells of it", told)
}

#[test]
fn row_18_a_target_narrows_what_the_role_allows() -> Result<()> {
    let session = "environment = [\"LC_*\"], forward_to = [\"localhost:*\"], listen_on = [\"localhost:*\"]";
    let stack = stack_with("\"permit-port-forwarding\"", session)?;
    let (alice, service) = (alice(&stack)?, echo_service()?);
    let onwards = ["-W", &format!("localhost:{}", service.port()), "db1"];
    run(alice.openssh("ssh").args(onwards), b"there")?.success()?;
    let set = ["-o", "SetEnv=LC_ALL=C.UTF-8", "db1", "echo \"<$LC_ALL>\""];
    ensure!(alice.ssh(&set)?.text() == "<C.UTF-8>\n", "the role allows it");
    let config = stack.path("DAYFLY_CA_CONFIG")?;
    let narrow = "mode = \"record\"\nsession = { environment = [], forward_to = [\"localhost:1\"], listen_on = [] }\n";
    fs::write(config, fs::read_to_string(config)?.replace("mode = \"record\"\n", narrow))?;
    stack.signal("ca", "HUP")?;
    let refused = || Ok(Some(run(alice.openssh("ssh").args(onwards), b"there")?).filter(|ended| ended.code() != Some(0)));
    let ended = eventually("the target narrows nothing", refused)?;
    ensure!(ended.stderr.contains("does not forward to") && ended.stderr.contains("from this target (not_allowed)"), "{}", ended.stderr);
    ensure!(alice.ssh(&set)?.text() == "<>\n", "the target does not");
    let ended = alice.ssh(&["-R", "0:127.0.0.1:1", "db1", "echo in"])?;
    ensure!(ended.stderr.contains("does not let this target listen at localhost:0 (not_allowed)"), "{}", ended.stderr);
    Ok(())
}
