//! Conditions as people meet them: asked about, lacking something that could be brought, and looked at again when a session starts.

use anyhow::{Context, Result};
use dayfly_tests::{
    client::Client,
    command::{eventually, run},
    peers::peer,
    stack::Stack,
    terminal::Terminal,
};
use serde_json::Value;
use totp_rs::Totp;

/// One may be had after a second factor; the other by everybody, and used from elsewhere only.
const POLICY: &str = r#"
@id("fresh-factor")
@title("This one wants a second factor")
permit (principal in Group::"dba", action == Action::"request", resource == Role::"careful")
when { context has second_factor && context.second_factor.age_seconds < 300 };

@id("ask-for-elsewhere")
permit (principal in Group::"dba", action == Action::"request", resource == Role::"elsewhere");

@id("use-elsewhere")
permit (principal in Group::"dba", action == Action::"connect", resource == Role::"elsewhere")
when { context.source.isInRange(ip("192.0.2.0/24")) };
"#;

fn stack() -> Result<Stack> {
    let stack = Stack::own()?;
    let account = stack.get("DAYFLY_ACCOUNT")?;
    let role = |name: &str| {
        format!(
            "\n[[role]]\nname = \"{name}\"\nprincipals = [\"{account}@{{target}}\"]\ntargets = [\"db1\"]\ntime_zone = \"Europe/Berlin\"\n"
        )
    };
    stack.add_role("conditions", &(role("careful") + &role("elsewhere")), POLICY)?;
    let known = || Ok(Some(why(&Client::new(&stack, "ALICE")?, "elsewhere")?).filter(|decision| decision["code"] != "unknown_role"));
    eventually("the CA does not know the new roles", known)?;
    Ok(stack)
}

fn why(client: &Client<'_>, role: &str) -> Result<Value> {
    Ok(serde_json::from_str(&client.dayfly(&["--json", "why", role, "db1"])?.success()?)?)
}

#[test]
fn a_no_says_what_is_missing_and_a_session_is_judged_by_where_it_comes_from() -> Result<()> {
    let stack = stack()?;
    let alice = Client::new(&stack, "ALICE")?;

    let targets: Value = serde_json::from_str(&alice.dayfly(&["--json", "targets"])?.success()?)?;
    let db1 = targets["targets"].as_array().into_iter().flatten().find(|target| target["name"] == "db1").context("db1 is reached")?;
    assert_eq!(db1["mode"], "record", "{db1}");
    assert!(alice.dayfly(&["targets"])?.success()?.lines().any(|line| line.starts_with("db1 ")));
    let bobs = Client::new(&stack, "BOB")?.dayfly(&["targets"])?.success()?;
    assert!(bobs.contains("You may reach no target"), "{bobs}");

    let careful = why(&alice, "careful")?;
    assert_eq!((&careful["decision"], &careful["missing"][0]), (&"missing".into(), &"second_factor".into()), "{careful}");
    assert_eq!(careful["targets"][0]["policies"][0]["condition"], "context has second_factor");
    let text = alice.dayfly(&["why", "careful", "db1"])?.success()?;
    assert!(text.contains("permit fresh-factor (This one wants a second factor): does not apply"), "{text}");

    let refused = alice.dayfly(&["--json", "cert", "careful", "--target", "db1", "--out", "careful"])?;
    assert_eq!(refused.code(), Some(3));
    let error: Value = serde_json::from_str(refused.stderr.lines().last().context("a failure in JSON")?)?;
    assert_eq!((&error["error"]["code"], &error["error"]["missing"][0]), (&"second_factor_required".into(), &"second_factor".into()));
    assert_eq!(error["error"]["methods"].as_array().map(Vec::len), Some(3));

    assert_eq!(why(&alice, "elsewhere")?["decision"], "granted");
    alice.certificate("elsewhere", "db1")?.success()?;
    let session = alice.ssh(&["db1", "echo in"])?;
    assert!(session.code() != Some(0) && !session.text().contains("in"), "{}", session.text());
    let carol = Client::new(&stack, "CAROL")?;
    let refused = carol.log_eventually(|row| row["event"] == "session.refused" && row["role"] == "elsewhere")?;
    assert_eq!(refused[0]["facts"]["policies"], "use-elsewhere", "{refused:?}");
    Ok(())
}

#[test]
fn a_database_that_others_give_out_tells_the_country() -> Result<()> {
    let Some(database) = peer("geo")? else { return Ok(()) };
    let directory = tempfile::tempdir()?;
    let config = directory.path().join("ca/ca.toml");
    let stack = Stack::shared()?;
    let ca = |arguments: &[&str]| run(stack.program("dayfly-ca")?.args(arguments), b"")?.success();
    ca(&["init", config.parent().context("a directory")?.to_str().context("UTF-8")?])?;
    let text = std::fs::read_to_string(&config)?;
    let named = text.replace("# country_database = \"geo/country.mmdb\"", &format!("country_database = {database:?}"));
    assert_ne!(text, named);
    std::fs::write(&config, named)?;
    let policy = "@id(\"us\") permit (principal, action == Action::\"request\", resource) when { context has country && context.country == \"US\" };";
    std::fs::write(config.with_file_name("policy/us.cedar"), policy)?;
    for (from, decision) in [("8.8.8.8", "granted"), ("2001:4860:4860::8888", "granted"), ("192.0.2.1", "refused"), ("10.0.0.1", "refused")]
    {
        let config = config.to_str().context("UTF-8")?;
        let told =
            ca(&["policy", "why", "--as", "alice", "--role", "db-admin", "--target", "db1", "--from", from, "--json", "--config", config])?;
        assert_eq!(serde_json::from_str::<Value>(&told)?["decision"], decision, "{from}: {told}");
    }
    Ok(())
}

#[test]
fn a_code_opens_what_wants_a_second_factor_for_this_key_and_once() -> Result<()> {
    let stack = stack()?;
    let alice = Client::new(&stack, "ALICE")?;
    // Nobody sits at a terminal here, so that nothing is asked.
    assert_eq!(alice.certificate("careful", "db1")?.code(), Some(3));
    assert!(alice.dayfly(&["factor", "list"])?.success()?.contains("none; enrol one"));

    let enrolled: Value = serde_json::from_str(&alice.dayfly(&["--json", "factor", "add"])?.success()?)?;
    let totp = Totp::from_url(enrolled["uri"].as_str().context("no address for an app")?)?;
    let wrong = alice.dayfly(&["factor", "prove", "--code", "12345"])?;
    assert!(wrong.code() == Some(3) && wrong.stderr.contains("wrong_code"), "{}", wrong.stderr);
    let code = totp.generate_current().to_string();
    alice.dayfly(&["factor", "prove", "--code", &format!("{} {}", &code[..3], &code[3..])])?.success()?;
    alice.certificate("careful", "db1")?.success()?;
    let again = alice.dayfly(&["factor", "prove", "--code", &code])?;
    assert!(again.code() == Some(3) && again.stderr.contains("used before"), "{}", again.stderr);

    // Taken away, it has proven nothing.
    let config = stack.path("DAYFLY_CA_CONFIG")?;
    run(stack.program("dayfly-ca")?.args(["user", "reset-factors", "alice", "--config"]).arg(config), b"")?.success()?;
    assert_eq!(alice.certificate("careful", "db1")?.code(), Some(3));
    Ok(())
}

#[test]
fn a_continuous_session_ends_when_policy_says_no_and_another_goes_on() -> Result<()> {
    let stack = Stack::own()?;
    let account = stack.get("DAYFLY_ACCOUNT")?;
    let role = |name: &str, rules: &str| {
        format!(
            "\n[[role]]\nname = \"{name}\"\nprincipals = [\"{account}@{{target}}\"]\ntargets = [\"db1\"]\nextensions = [\"permit-pty\"]\n{rules}"
        )
    };
    let permit = "@id(\"both\") permit (principal in Group::\"dba\", action in [Action::\"request\", Action::\"connect\"], resource) when { resource in [Role::\"watched\", Role::\"let-be\"] };";
    stack.add_role("both", &(role("watched", "session = { continuous = true }\n") + &role("let-be", "")), permit)?;
    let alice = Client::new(&stack, "ALICE")?;
    eventually("the CA does not know the new roles", || {
        Ok(Some(why(&alice, "watched")?).filter(|decision| decision["code"] != "unknown_role"))
    })?;
    let open = |role: &str| -> Result<Terminal> {
        alice.certificate(role, "db1")?.success()?;
        let mut terminal = Terminal::open(alice.openssh("ssh").args(["-tt", "db1", "echo up; cat"]), 24, 80)?;
        terminal.expect("up")?;
        Ok(terminal)
    };
    let mut other = open("let-be")?;
    let mut watched = open("watched")?;
    stack.add_role("no-more", "", "@id(\"no-more\") forbid (principal, action == Action::\"connect\", resource);")?;
    watched.expect("the session may not go on")?;
    watched.end()?;
    let carol = Client::new(&stack, "CAROL")?;
    let withdrawn = carol.log_eventually(|row| row["event"] == "session.withdrawn")?;
    assert_eq!(withdrawn[0]["facts"]["policies"], "no-more", "{withdrawn:?}");
    let ended = carol.log_eventually(|row| row["event"] == "session.ended" && row["session"] == withdrawn[0]["session"])?;
    assert_eq!((&ended[0]["reason"], &ended[0]["facts"]["withdrawn"]), (&"policy_forbidden".into(), &"true".into()));
    other.send("still here\n")?;
    other.expect("still here")?;
    other.send("\u{4}")?;
    other.end()?;
    Ok(())
}
