//! What whoever runs a bastion sees and does, with real clients going through it.

use anyhow::{Context, Result, ensure};
use dayfly_tests::{
    client::Client,
    command::{PATIENCE, eventually, run},
    stack::Stack,
    terminal::Terminal,
};
use serde_json::Value;
use std::{
    fs,
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    os::{fd::OwnedFd, unix::net::UnixDatagram},
    process::{Child, Command, Stdio},
};

#[test]
fn a_session_is_measured_listed_watched_and_ended_with_a_message() -> Result<()> {
    let mut stack = Stack::own()?;
    add_to_config(&stack, "\n[metrics]\nlisten = \"127.0.0.1:0\"\ninventory_stale_after = \"3s\"\n")?;
    stack.restart("bastion")?;
    let monitor = traced(&stack, "metrics, health and readiness are served")?;
    let monitor = monitor.split("address=").nth(1).context("the trace names the address")?.trim().to_owned();
    assert!(get(&monitor, "/health")?.starts_with("HTTP/1.1 200 "));
    assert!(get(&monitor, "/ready")?.starts_with("HTTP/1.1 200 "), "{}", get(&monitor, "/ready")?);
    let (alice, carol) = (Client::alice(&stack)?, Client::carol(&stack)?);
    let mut terminal = Terminal::open(alice.openssh("ssh").args(["-tt", "db1", "echo up; cat"]), 24, 80)?;
    terminal.expect("up")?;
    let text = operate(&stack, &["sessions", "--json"])?;
    let list: Value = serde_json::from_str(&text)?;
    let session = &list["sessions"][0];
    assert_eq!(
        (session["person"].as_str(), session["target"].as_str(), session["mode"].as_str()),
        (Some("alice"), Some("db1"), Some("record")),
        "{text}"
    );
    let id = session["id"].as_str().context("it has an id")?.to_owned();
    assert!(operate(&stack, &["sessions"])?.contains(&id));
    // The trace tells of the session by the same id.
    let metrics = get(&monitor, "/metrics")?;
    for line in [
        "dayfly_bastion_live_sessions{mode=\"record\"} 1",
        "dayfly_bastion_handshakes_total{way=\"inner\",outcome=\"logged_in\"} 1",
        "dayfly_bastion_ready 1",
    ] {
        assert!(metrics.lines().any(|found| found == line), "{line} in {metrics}");
    }
    assert!(!metrics.contains("alice") && !metrics.contains("127.0.0.1"), "labels are nobody's to choose: {metrics}");

    let mut watching = Command::new(stack.path("DAYFLY_BIN")?.join("dayfly-bastion"));
    watching.args(["--config", stack.get("DAYFLY_BASTION_CONFIG")?, "watch", &id]).stdin(Stdio::null()).stdout(Stdio::piped());
    let mut watching = Running(watching.spawn()?);
    carol.log_eventually(|row| row["event"] == "session.watched" && row["session"] == id.as_str())?;
    terminal.send("seen by two\n")?;
    terminal.expect("seen by two")?;
    assert!(operate(&stack, &["end", &id, "--message", "lunch"])?.contains("is being ended"));
    terminal.expect("ended the session: lunch (ended_by_operator)")?;
    terminal.end()?;
    let mut seen = String::new();
    watching.0.stdout.take().context("it was piped")?.read_to_string(&mut seen)?;
    assert!(seen.contains("seen by two"), "{seen:?}");
    let ended = carol.log_eventually(|row| row["event"] == "session.ended" && row["session"] == id.as_str())?;
    assert_eq!(ended.first().map(|row| row["reason"].clone()), Some("ended_by_operator".into()), "{ended:?}");
    assert!(get(&monitor, "/metrics")?.contains("dayfly_bastion_sessions_total{mode=\"record\",outcome=\"terminated\"} 1"));
    eventually("the session is still listed", || Ok((operate(&stack, &["sessions"])? == "no sessions\n").then_some(())))?;
    assert!(operate(&stack, &["end", &id]).is_err());

    // Without its CA the bastion is not ready, and says so.
    stack.signal("ca", "STOP")?;
    let red = eventually("the bastion still calls itself ready", || {
        Ok(Some(get(&monitor, "/ready")?).filter(|answer| answer.starts_with("HTTP/1.1 503 ")))
    });
    stack.signal("ca", "CONT")?;
    assert!(red?.contains("the CA has not answered for"));
    Ok(())
}

#[test]
fn limits_and_banner_are_read_again_and_a_bad_file_keeps_the_old_ones() -> Result<()> {
    let stack = Stack::own()?;
    let alice = Client::alice(&stack)?;
    let config = stack.path("DAYFLY_BASTION_CONFIG")?;
    let before = fs::read_to_string(config)?;
    fs::write(config.with_file_name("banner.txt"), "nobody but us\n")?;
    let banner = before.replacen("[ca]", "banner = \"banner.txt\"\n\n[ca]", 1);
    fs::write(config, &banner)?;
    stack.signal("bastion", "HUP")?;
    let ended = eventually("the banner is not shown", || {
        Ok(Some(alice.ssh(&["db1", "echo in"])?).filter(|ended| ended.stderr.contains("nobody but us")))
    })?;
    assert_eq!(ended.text(), "in\n");
    fs::write(config, banner.replacen("refresh = \"1s\"", "refresh = \"1s\"\nmax_sessions = 0", 1))?;
    stack.signal("bastion", "HUP")?;
    assert!(traced(&stack, "what was in force stays")?.contains("a limit of 0 would let nobody in"));
    let ended = alice.ssh(&["db1", "echo in"])?;
    assert!(ended.text() == "in\n" && ended.stderr.contains("nobody but us"), "{}", ended.stderr);
    Ok(())
}

#[test]
fn a_bastion_whose_socket_systemd_holds_is_restarted_without_refusing_anybody() -> Result<()> {
    let stack = Stack::own()?;
    let alice = Client::alice(&stack)?;
    stack.signal("bastion", "TERM")?;
    let address = stack.get("DAYFLY_BASTION_ADDR")?;
    let socket = eventually("the bastion's port is not free", || Ok(TcpListener::bind(address).ok()))?;
    let notices = alice.directory().join("notify");
    let manager = UnixDatagram::bind(&notices)?;
    manager.set_read_timeout(Some(PATIENCE))?;
    let serve = || -> Result<Running> {
        // As systemd does: the socket is descriptor 3, and the process is told so.
        let mut bastion = Command::new("bash");
        let script = "exec 3<&0 </dev/null; export LISTEN_FDS=1 LISTEN_PID=$$; exec \"$@\"";
        bastion.args(["-c", script, "bash"]).arg(stack.path("DAYFLY_BIN")?.join("dayfly-bastion"));
        bastion.args(["serve", "--config", stack.get("DAYFLY_BASTION_CONFIG")?]).env("NOTIFY_SOCKET", &notices);
        bastion.stdin(Stdio::from(OwnedFd::from(socket.try_clone()?))).stdout(Stdio::null()).stderr(Stdio::null());
        Ok(Running(bastion.spawn()?))
    };
    let mut first = serve()?;
    assert_eq!(told(&manager)?, "READY=1\n");
    assert_eq!(alice.ssh(&["db1", "echo first"])?.text(), "first\n");
    first.signal("TERM")?;
    assert_eq!(told(&manager)?, "STOPPING=1\n");
    ensure!(first.0.wait()?.success(), "it stopped with an error");
    // Nobody serves now, and nobody is refused: who comes waits in the socket.
    let mut waiting = alice.openssh("ssh");
    waiting.args(["-v", "db1", "echo second"]).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut waiting = Running(waiting.spawn()?);
    let mut error_stream = waiting.0.stderr.take().context("it was piped")?;
    let mut seen = String::new();
    while !seen.contains("Connection established") {
        let mut buffer = [0; 1024];
        let count = error_stream.read(&mut buffer)?;
        ensure!(count > 0, "ssh did not wait: {seen}");
        seen.push_str(&String::from_utf8_lossy(buffer.get(..count).unwrap_or_default()));
    }
    let rest = std::thread::spawn(move || {
        let mut rest = String::new();
        let _ = error_stream.read_to_string(&mut rest);
        rest
    });
    let _second = serve()?;
    let mut text = String::new();
    waiting.0.stdout.take().context("it was piped")?.read_to_string(&mut text)?;
    assert_eq!(text, "second\n", "{}", rest.join().unwrap_or_default());
    Ok(())
}

/// A process that does not outlive its test.
struct Running(Child);

impl Running {
    fn signal(&self, signal: &str) -> Result<()> {
        run(Command::new("kill").args(["-s", signal, &self.0.id().to_string()]), b"")?.success().map(drop)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn told(manager: &UnixDatagram) -> Result<String> {
    let mut buffer = [0; 256];
    let count = manager.recv(&mut buffer).context("the bastion did not say how it is")?;
    Ok(String::from_utf8_lossy(buffer.get(..count).unwrap_or_default()).into_owned())
}

fn operate(stack: &Stack, arguments: &[&str]) -> Result<String> {
    run(stack.program("dayfly-bastion")?.args(["--config", stack.get("DAYFLY_BASTION_CONFIG")?]).args(arguments), b"")?.success()
}

fn add_to_config(stack: &Stack, text: &str) -> Result<()> {
    let config = stack.path("DAYFLY_BASTION_CONFIG")?;
    Ok(fs::write(config, fs::read_to_string(config)? + text)?)
}

/// The last line of the bastion's trace that says so.
fn traced(stack: &Stack, words: &str) -> Result<String> {
    let trace = stack.directory().join("traces/bastion");
    eventually("the trace does not tell of it", || {
        Ok(fs::read_to_string(&trace)?.lines().rfind(|line| line.contains(words)).map(str::to_owned))
    })
}

fn get(address: &str, path: &str) -> Result<String> {
    let mut socket = TcpStream::connect(address)?;
    socket.set_read_timeout(Some(PATIENCE))?;
    write!(socket, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    socket.read_to_string(&mut answer)?;
    Ok(answer)
}
