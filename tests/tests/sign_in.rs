//! Signing in with a real browser at a certified provider, and workloads by tokens that another library made.

use anyhow::{Context, Result, ensure};
use dayfly_tests::{
    client::Client,
    command::{Ended, run},
    peers::{Chromium, Provider, peer},
    stack::Stack,
    terminal::Terminal,
};
use serde_json::{Value, json};
use std::{
    fs,
    io::{BufRead, BufReader},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};
use tempfile::TempDir;

/// A system with a provider, and a browser to sign in with.
struct World {
    stack: Stack,
    chromium: Chromium,
    _provider: Provider,
}

impl World {
    /// `None` where provider or browser cannot be had.
    fn new(algorithm: &str) -> Result<Option<Self>> {
        Self::with(Provider::certified()?, algorithm)
    }

    fn with(provider: Option<Provider>, algorithm: &str) -> Result<Option<Self>> {
        let (Some(mut provider), Some(chromium)) = (provider, Chromium::find()?) else { return Ok(None) };
        let stack = Stack::own_with(&["--provider", &provider.argument()])?;
        provider.serve(stack.get("DAYFLY_OIDC_CALLBACK")?, algorithm)?;
        Ok(Some(Self { stack, chromium, _provider: provider }))
    }
}

/// Somebody who was never here.
struct Person<'a> {
    stack: &'a Stack,
    place: TempDir,
}

impl<'a> Person<'a> {
    fn new(stack: &'a Stack) -> Result<Self> {
        Ok(Self { stack, place: tempfile::Builder::new().prefix("dayfly-person").tempdir()? })
    }

    fn home(&self) -> PathBuf {
        self.place.path().join("dayfly")
    }

    /// `dayfly` with a home of its own and no agent, desktop or browser.
    fn dayfly(&self, arguments: &[&str]) -> Result<Command> {
        let mut command = self.stack.program("dayfly")?;
        for name in ["SSH_AUTH_SOCK", "DISPLAY", "WAYLAND_DISPLAY", "BROWSER"] {
            command.env_remove(name);
        }
        command.args(arguments).env("DAYFLY_HOME", self.home()).env("HOME", self.place.path());
        Ok(command)
    }

    /// Begins `dayfly login`; `browse` is given the page and the code, and the login's result comes back as JSON.
    fn login(&self, arguments: &[&str], browse: impl FnOnce(&str, Option<&str>) -> Result<()>) -> Result<Value> {
        let (url, pin) = (self.stack.get("DAYFLY_CA_URL")?, self.stack.get("DAYFLY_CA_PIN")?);
        let mut command = self.dayfly(&["--json", "login", url, "--pin", pin])?;
        let mut login = command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        let mut said = BufReader::new(login.stderr.take().context("no error output")?);
        let mut line = String::new();
        said.read_line(&mut line)?;
        let invitation: Value = serde_json::from_str(&line).with_context(|| format!("not JSON: {line}"))?;
        let page = invitation.pointer("/sign_in/page").and_then(Value::as_str).with_context(|| format!("no page in {invitation}"))?;
        browse(page, invitation.pointer("/sign_in/code").and_then(Value::as_str))?;
        let ended = login.wait_with_output()?;
        ensure!(ended.status.success(), "{}", ended.status);
        Ok(serde_json::from_slice(&ended.stdout)?)
    }

    fn whoami(&self) -> Result<Value> {
        Ok(serde_json::from_str(&run(&mut self.dayfly(&["--json", "whoami"])?, b"")?.success()?)?)
    }
}

#[test]
fn row_17_somebody_signs_in_with_chromium_gets_a_certificate_and_logs_in() -> Result<()> {
    let Some(World { stack, chromium, .. }) = &World::new("ES256")? else { return Ok(()) };
    let person = Person::new(stack)?;
    let login = person.login(&["--no-browser"], |page, code| {
        ensure!(code.is_none(), "there is nothing to type on the same machine");
        let seen = chromium.sign_in(page, "dora-dba", None)?;
        ensure!(seen.url.starts_with("http://127.0.0.1:") && seen.text.contains("You are signed in"), "{seen:?}");
        ensure!(seen.complaints.is_empty(), "{seen:?}");
        Ok(())
    })?;
    assert_eq!((login["subject"].as_str(), login["method"].as_str()), (Some("idp.dora-dba"), Some("sign_in")));
    assert_eq!(login["groups"], json!(["dba"]));
    assert!(login["lives_seconds"].as_u64() > Some(11 * 3600), "{login}");
    let key = person.home().join("sign-in-key");
    assert_eq!(fs::metadata(&key)?.permissions().mode() & 0o777, 0o600);

    // The certificate is as good as anybody's: a recorded session at db1.
    let client = Client::new(stack, "ALICE")?;
    let out = client.directory().join("db1").display().to_string();
    run(&mut person.dayfly(&["cert", "db-admin", "--target", "db1", "--out", &out])?, b"")?.success()?;
    assert_eq!(client.ssh(&["db1", "echo it is me"])?.success()?, "it is me\n");
    let refused = run(&mut person.dayfly(&["cert", "web", "--target", "web1", "--out", &out])?, b"")?;
    assert_eq!(refused.code(), Some(3), "{}", refused.stderr);

    // A copy of what is kept is of no use once the sign-in is ended.
    let thief = Person::new(stack)?;
    run(Command::new("cp").arg("-a").arg(person.home()).arg(thief.home()), b"")?.success()?;
    let login = thief.home().join("login.json");
    let own = fs::read_to_string(&login)?.replace(&person.home().display().to_string(), &thief.home().display().to_string());
    fs::write(&login, own)?;
    assert_eq!(person.whoami()?["subject"], "idp.dora-dba");
    let out = run(&mut person.dayfly(&["--json", "logout"])?, b"")?.success()?;
    let out: Value = serde_json::from_str(&out)?;
    assert!(out["end_session"].as_str().is_some_and(|page| page.contains("/session/end?client_id=dayfly")), "{out}");
    assert!(!key.exists() && !person.home().join("login.json").exists());
    let ended = run(&mut thief.dayfly(&["whoami"])?, b"")?;
    assert_eq!(ended.code(), Some(7), "{}", ended.stderr);
    assert!(ended.stderr.contains("sign_in_ended") && ended.stderr.contains("dayfly login"), "{}", ended.stderr);

    let carol = Client::carol(stack)?;
    let events = carol.log(|row| row["subject"] == "idp.dora-dba")?;
    let names: Vec<&str> = events.iter().filter_map(|row| row["event"].as_str()).collect();
    assert_eq!(names[..4], ["signin.proven", "signin.completed", "certificate.intended", "certificate.issued"]);
    assert!(names.contains(&"session.started") && names.contains(&"signin.ended"), "{names:?}");
    Ok(())
}

#[test]
fn somebody_signs_in_at_a_provider_that_others_wrote() -> Result<()> {
    let Some(World { stack, chromium, .. }) = &World::with(Provider::glewlwyd()?, "ES256")? else { return Ok(()) };
    let person = Person::new(stack)?;
    let login = person.login(&["--no-browser"], |page, _| {
        let seen = chromium.sign_in(page, "dora", None)?;
        ensure!(seen.text.contains("You are signed in"), "{seen:?}");
        Ok(())
    })?;
    // Its subjects are no names, and not what people call themselves there.
    let subject = login["subject"].as_str().context("no subject")?;
    assert!(subject.starts_with("idp.") && subject != "idp.dora", "{login}");
    assert_eq!(login["groups"], json!(["dba", "people"]));
    let out = person.place.path().join("db1").display().to_string();
    run(&mut person.dayfly(&["cert", "db-admin", "--target", "db1", "--out", &out])?, b"")?.success()?;
    let ended = run(&mut person.dayfly(&["--json", "logout"])?, b"")?.success()?;
    assert!(ended.contains("/api/oidc/end_session?client_id=dayfly"), "{ended}");
    let proven = Client::carol(stack)?.log(|row| row["event"] == "signin.proven")?;
    let facts = proven.first().context("the sign-in is in the log")?;
    // It does not say whether it has verified the address, so that the name is shown.
    assert_eq!(facts["facts"]["shown"], "Dora", "{facts}");
    Ok(())
}

#[test]
fn row_17_a_browser_elsewhere_types_the_code_and_sees_who_asks() -> Result<()> {
    for algorithm in ["RS256", "EdDSA"] {
        let Some(World { stack, chromium, .. }) = &World::new(algorithm)? else { return Ok(()) };
        let person = Person::new(stack)?;
        // There is no browser here, so that a code is what it comes to by itself.
        let login = person.login(&["--provider", "idp"], |page, code| {
            let code = code.context("a code to type")?;
            let seen = chromium.sign_in(page, "dora", Some(code))?;
            ensure!(seen.asked.contains("127.0.0.1") && seen.asked.contains("SHA256:"), "{seen:?}");
            ensure!(seen.text.contains("idp.dora") && seen.complaints.is_empty(), "{seen:?}");
            Ok(())
        })?;
        assert_eq!((login["subject"].as_str(), &login["groups"]), (Some("idp.dora"), &json!([])), "{algorithm}");
    }
    Ok(())
}

#[test]
fn row_24_a_hundred_at_once_open_one_browser_and_none_without_a_terminal() -> Result<()> {
    let Some(World { stack, chromium, .. }) = &World::new("ES256")? else { return Ok(()) };
    let person = Person::new(stack)?;
    person.login(&["--no-browser"], |page, _| chromium.sign_in(page, "dora-dba", None).map(drop))?;
    let login = person.home().join("login.json");
    expire(&login)?;

    // In a session of its own, so that no terminal of whoever runs the tests is its.
    let mut lone = Command::new("setsid");
    lone.args(["--wait", "env"]).args(environment(&person)?).arg(stack.path("DAYFLY_BIN")?.join("dayfly"));
    let lone = run(lone.args(["cert", "db-admin", "--target", "db1", "--out", "x"]), b"")?;
    assert_eq!(lone.code(), Some(7), "{}", lone.stderr);
    assert!(lone.stderr.contains("dayfly login"), "{}", lone.stderr);

    let (browser, opened) = (person.place.path().join("browser"), person.place.path().join("opened"));
    let script =
        format!("#!/bin/sh\necho opened >>'{}'\nexec node '{}' \"$1\" dora-dba\n", opened.display(), peers("browser.mjs").display());
    fs::write(&browser, script)?;
    fs::set_permissions(&browser, fs::Permissions::from_mode(0o700))?;
    let shell =
        "for n in $(seq 100); do \"$0\" cert db-admin --target db1 --out \"$1/cert$n\" >\"$1/said$n\" 2>&1 & done; wait; echo all of them";
    let mut command = Command::new("env");
    command.args(environment(&person)?).arg(format!("BROWSER={}", browser.display()));
    command.arg(format!("DAYFLY_NODE_MODULES={}", peer("node")?.context("node")?.display()));
    command.arg(format!("DAYFLY_CHROMIUM={}", peer("chromium")?.context("chromium")?.display()));
    command.args(["sh", "-c", shell]).arg(stack.path("DAYFLY_BIN")?.join("dayfly")).arg(person.place.path());
    let mut terminal = Terminal::open(&command, 24, 80)?;
    terminal.expect_within("all of them", Duration::from_secs(240))?;
    terminal.end()?;
    assert_eq!(fs::read_to_string(&opened)?.lines().count(), 1);
    for n in 1..=100 {
        let file = person.place.path().join(format!("cert{n}-cert.pub"));
        let said = fs::read_to_string(person.place.path().join(format!("said{n}")))?;
        assert!(file.exists(), "{n}: {said}");
    }
    Ok(())
}

/// Somebody's environment, as arguments of `env`.
fn environment(person: &Person<'_>) -> Result<Vec<String>> {
    let command = person.dayfly(&[])?;
    let argument = |(name, value): (&std::ffi::OsStr, Option<&std::ffi::OsStr>)| match value {
        Some(value) => format!("{}={}", name.to_string_lossy(), value.to_string_lossy()),
        None => format!("--unset={}", name.to_string_lossy()),
    };
    let (set, unset): (Vec<_>, Vec<_>) = command.get_envs().partition(|(_, value)| value.is_some());
    Ok(unset.into_iter().chain(set).map(argument).collect())
}

/// Lets the sign-in have ended a while ago, as far as the tool knows.
fn expire(login: &Path) -> Result<()> {
    let mut kept: Value = serde_json::from_str(&fs::read_to_string(login)?)?;
    *kept.pointer_mut("/identity/sign_in/ends_at").context("a sign-in")? = json!(1);
    Ok(fs::write(login, kept.to_string())?)
}

#[test]
fn row_16_a_ci_job_gets_a_certificate_by_its_token_once_and_only_as_itself() -> Result<()> {
    let Some(modules) = peer("node")? else { return Ok(()) };
    let mut stack = Stack::own()?;
    let keys = stack.directory().join("ci-key");
    let audience = stack.get("DAYFLY_CA_URL")?.to_owned();
    let token = |repository: &str, jti: &str| -> Result<String> {
        let claims = json!({"iss": "https://ci.example", "aud": audience, "sub": "repo:octo/x", "jti": jti, "repository_id": repository});
        let mut command = Command::new("node");
        command.arg(peers("token.mjs")).arg(&keys).arg(claims.to_string()).env("DAYFLY_NODE_MODULES", &modules);
        Ok(run(&mut command, b"")?.success()?.trim().to_owned())
    };
    let first = token("74", "1")?;
    let config = stack.path("DAYFLY_CA_CONFIG")?.to_owned();
    let entry = format!(
        "\n[[federation]]\nissuer = \"https://ci.example\"\naudience = \"{audience}\"\nclaims = {{ repository_id = \"74\" }}\nmachine = \"ci\"\njwks_file = \"{}.jwks\"\n",
        keys.display()
    );
    fs::write(&config, fs::read_to_string(&config)? + &entry)?;
    stack.restart("ca")?;

    let job = Person::new(&stack)?;
    let out = job.place.path().join("key").display().to_string();
    let powerless = ask(&stack, &job, &out, &first)?;
    assert_eq!(powerless.code(), Some(3), "a machine may have nothing until a policy says so: {}", powerless.stderr);
    let policy = "@id(\"ci\") permit (principal == Machine::\"ci\", action in [Action::\"request\", Action::\"connect\"], resource == Role::\"db-admin\");";
    fs::write(stack.path("DAYFLY_POLICY_DIR")?.join("ci.cedar"), policy)?;
    drop(job);
    stack.restart("ca")?;

    let job = Person::new(&stack)?;
    let out = job.place.path().join("key").display().to_string();
    for (token, code, says) in [
        (first.as_str(), 8, "token_replayed"),
        (&token("75", "2")?, 8, "unknown_workload"),
        ("a.b.c", 8, "bad_token"),
        (&token("74", "3")?, 0, ""),
    ] {
        let ended = ask(&stack, &job, &out, token)?;
        assert_eq!(ended.code(), Some(code), "{says}: {}", ended.stderr);
        assert!(ended.stderr.contains(says) && !ended.stderr.contains(token), "{}", ended.stderr);
    }
    Ok(())
}

/// Asks for a certificate with this token in the environment.
fn ask(stack: &Stack, job: &Person<'_>, out: &str, token: &str) -> Result<Ended> {
    let mut command = job.dayfly(&["cert", "db-admin", "--target", "db1", "--out", out, "--token-env", "CI_TOKEN"])?;
    command.env("CI_TOKEN", token).env("DAYFLY_CA_URL", stack.get("DAYFLY_CA_URL")?).env("DAYFLY_CA_PIN", stack.get("DAYFLY_CA_PIN")?);
    run(&mut command, b"")
}

fn peers(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("peers").join(name)
}
