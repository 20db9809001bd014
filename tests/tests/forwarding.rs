//! Ports forwarded from a recorded target by stock OpenSSH: where the role says so, on record, and nowhere else.

use anyhow::{Context, Result, ensure};
use dayfly_tests::{
    client::Client,
    command::{eventually, run},
    stack::Stack,
    traffic::{BULK, Background, echo_service, echoes, free_port},
};
use std::{
    fs,
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    process::Stdio,
};

/// A system with a role that forwards from `db1` to one port of its own host, and that port.
fn forwarding_stack() -> Result<(Stack, SocketAddr)> {
    let stack = Stack::own()?;
    let service = echo_service()?;
    let account = stack.get("DAYFLY_ACCOUNT")?;
    let role = format!(
        "\n[[role]]\nname = \"tunnel\"\nprincipals = [\"{account}@{{target}}\"]\ntargets = [\"db1\"]\nextensions = [\"permit-port-forwarding\"]\nsession = {{ allow = [], forward_to = [\"localhost:{}\"] }}\n",
        service.port()
    );
    let policy = "@id(\"dba-may-tunnel\")\npermit (\n  principal in Group::\"dba\",\n  action in [Action::\"request\", Action::\"connect\"],\n  resource == Role::\"tunnel\"\n);\n";
    stack.add_role("tunnel", &role, policy)?;
    let alice = Client::new(&stack, "ALICE")?;
    let issued = || Ok(Some(alice.certificate("tunnel", "db1")?).filter(|ended| ended.code() == Some(0)));
    eventually("the CA does not know the new role", issued)?;
    Ok((stack, service))
}

/// alice with the certificate of the role that forwards.
fn alice(stack: &Stack) -> Result<Client<'_>> {
    let alice = Client::new(stack, "ALICE")?;
    alice.certificate("tunnel", "db1")?.success()?;
    Ok(alice)
}

#[test]
fn a_connection_goes_where_the_role_says_and_is_on_record() -> Result<()> {
    let (stack, service) = forwarding_stack()?;
    let alice = alice(&stack)?;
    let to = format!("localhost:{}", service.port());

    // ssh -W: the client's own input and output.
    let words = b"through the target\n";
    let ended = run(alice.openssh("ssh").args(["-W", &to, "db1"]), words)?;
    ensure!(ended.stdout == words, "{}{}", ended.text(), ended.stderr);

    // ssh -L and ssh -D: connections of other programs, in bulk, both ways at once.
    let local = free_port()?;
    let _forward = forward(&alice, &["-L", &format!("{local}:{to}")], local)?;
    echoes(TcpStream::connect(local)?)?;
    let socks = free_port()?;
    let _dynamic = forward(&alice, &["-D", &socks.to_string()], socks)?;
    echoes(through_socks(socks, "localhost", service.port())?)?;

    let account = stack.get("DAYFLY_ACCOUNT")?;
    let ended = run(alice.openssh("ssh").args(["-W", &to, &format!("{account}@db1@bastion")]), words)?;
    ensure!(ended.stdout == words, "by the user name: {}{}", ended.text(), ended.stderr);

    let carol = Client::carol(&stack)?;
    let rows = eventually("the log does not tell of all four", || {
        let rows = carol.log(|row| row["event"] == "session.ended" && row["facts"]["forward"] == to.as_str())?;
        Ok(Some(rows).filter(|rows| rows.len() >= 4))
    })?;
    let counted = |row: &&serde_json::Value, bytes: usize| {
        let bytes = bytes.to_string();
        row["facts"]["bytes_in"] == *bytes && row["facts"]["bytes_out"] == *bytes
    };
    let all = |bytes: usize| rows.iter().filter(|row| counted(row, bytes)).count();
    ensure!((all(BULK), all(words.len())) == (2, 2), "{rows:?}");
    for directory in stack.recordings("manifest.json")? {
        let events = fs::read_to_string(directory.join("events.ndjson"))?;
        ensure!(events.contains("\"event\":\"forward\"") && !events.contains("\"event\":\"stdout\""), "{events}");
    }
    Ok(())
}

#[test]
fn row_11_nothing_is_forwarded_elsewhere_and_nothing_else_is_started() -> Result<()> {
    let (stack, service) = forwarding_stack()?;
    let alice = alice(&stack)?;
    let port = service.port();
    let ca = stack.get("DAYFLY_CA_URL")?.trim_start_matches("https://");
    for elsewhere in [&format!("127.0.0.1:{port}"), "localhost:22", "169.254.169.254:80", ca, stack.get("DAYFLY_DB1_ADDR")?, "[::1]:22"] {
        let ended = run(alice.openssh("ssh").args(["-W", elsewhere, "db1"]), b"")?;
        ensure!(ended.code() != Some(0) && ended.stdout.is_empty(), "{elsewhere}: {}", ended.text());
        ensure!(ended.stderr.contains("does not forward to"), "{elsewhere}: {}", ended.stderr);
    }
    let ended = alice.ssh(&["db1", "echo mine"])?;
    ensure!(ended.code() == Some(255) && ended.stderr.contains("(not_allowed)"), "{}", ended.stderr);
    let carol = Client::carol(&stack)?;
    let refused = carol.log_eventually(|row| row["event"] == "session.refused" && row["facts"]["forward"] == "169.254.169.254:80")?;
    ensure!(refused.iter().all(|row| row["reason"] == "not_allowed" && row["subject"] == "alice"), "{refused:?}");
    // Nobody listens there any more.
    let closed = free_port()?;
    let ended = run(alice.openssh("ssh").args(["-W", &format!("localhost:{}", closed.port()), "db1"]), b"")?;
    ensure!(ended.code() != Some(0), "{}", ended.text());
    Ok(())
}

fn forward(client: &Client<'_>, arguments: &[&str], listens: SocketAddr) -> Result<Background> {
    let mut ssh = client.openssh("ssh");
    let child = ssh.args(["-N", "-o", "ExitOnForwardFailure=yes"]).args(arguments).arg("db1").stdin(Stdio::null()).spawn()?;
    let forward = Background(child);
    eventually("ssh does not listen", || Ok(TcpStream::connect(listens).ok()))?;
    Ok(forward)
}

/// SOCKS5 without authentication, by name (RFC 1928).
fn through_socks(proxy: SocketAddr, host: &str, port: u16) -> Result<TcpStream> {
    let mut connection = TcpStream::connect(proxy)?;
    connection.write_all(&[5, 1, 0])?;
    let mut chosen = [0; 2];
    connection.read_exact(&mut chosen)?;
    let mut request = vec![5, 1, 0, 3, u8::try_from(host.len())?];
    request.extend(host.bytes().chain(port.to_be_bytes()));
    connection.write_all(&request)?;
    let mut answer = [0; 10];
    connection.read_exact(&mut answer)?;
    ensure!(answer.get(1).context("ten bytes")? == &0, "the proxy answers {answer:?}");
    Ok(connection)
}
