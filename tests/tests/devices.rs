//! Devices as people meet them: enrolled, approved, asked for by a policy, and lost.

use anyhow::{Context, Result};
use dayfly_tests::{
    client::Client,
    command::{eventually, run},
    stack::Stack,
};
use serde_json::Value;

const POLICY: &str = r#"
@id("on-own-device")
permit (principal in Group::"dba", action in [Action::"request", Action::"connect"], resource == Role::"at-the-desk")
when {
  context has device && context.device.enrolled && context.device has owner && context.device.owner == principal
  && context.device has self_reported && context.device.self_reported has os && context.device.self_reported.os == "linux"
  && context has client_version
};
"#;

fn stack() -> Result<Stack> {
    let stack = Stack::own()?;
    let account = stack.get("DAYFLY_ACCOUNT")?;
    let role = format!("\n[[role]]\nname = \"at-the-desk\"\nprincipals = [\"{account}@{{target}}\"]\ntargets = [\"db1\"]\n");
    stack.add_role("devices", &role, POLICY)?;
    let known = || {
        let told = Client::new(&stack, "ALICE")?.dayfly(&["--json", "why", "at-the-desk", "db1"])?.success()?;
        Ok(Some(serde_json::from_str::<Value>(&told)?).filter(|decision| decision["code"] != "unknown_role"))
    };
    eventually("the CA does not know the new role", known)?;
    Ok(stack)
}

fn ca(stack: &Stack, arguments: &[&str]) -> Result<String> {
    run(stack.program("dayfly-ca")?.args(arguments).arg("--config").arg(stack.path("DAYFLY_CA_CONFIG")?), b"")?.success()
}

#[test]
fn a_certificate_is_had_on_an_approved_device_and_a_lost_one_ends_at_once() -> Result<()> {
    let stack = stack()?;
    let alice = Client::new(&stack, "ALICE")?;
    assert_eq!(alice.certificate("at-the-desk", "db1")?.code(), Some(3), "no device");

    let enrolled: Value = serde_json::from_str(&alice.dayfly(&["--json", "device", "enroll", "alice-desk"])?.success()?)?;
    assert_eq!((&enrolled["state"], &enrolled["this"]), (&"waiting".into(), &true.into()));
    let again = alice.dayfly(&["device", "enroll", "other"])?;
    assert!(again.code() == Some(1) && again.stderr.contains("device already"), "{}", again.stderr);
    assert_eq!(alice.certificate("at-the-desk", "db1")?.code(), Some(3), "it waits");
    let waiting: Value = serde_json::from_str(&ca(&stack, &["device", "list", "--waiting", "--json"])?)?;
    assert_eq!((&waiting[0]["id"], &waiting[0]["key"], &waiting[0]["owner"]), (&"alice-desk".into(), &enrolled["key"], &"alice".into()));
    assert_eq!(waiting[0]["self_reported"]["os"], "linux");
    assert!(ca(&stack, &["device", "approve", "alice-desk", "--key", "SHA256:another"]).is_err());
    ca(&stack, &["device", "approve", "alice-desk", "--key", enrolled["key"].as_str().context("a key")?])?;
    alice.certificate("at-the-desk", "db1")?.success()?;
    assert_eq!(alice.ssh(&["db1", "echo in"])?.success()?, "in\n");

    // The same person with the same key from another machine.
    let elsewhere = alice.elsewhere()?;
    let refused = elsewhere.certificate("at-the-desk", "db1")?;
    assert!(refused.code() == Some(3) && refused.stderr.contains("on-own-device"), "{}", refused.stderr);
    let listed = elsewhere.dayfly(&["device", "list"])?.success()?;
    assert!(listed.contains("alice-desk") && !listed.contains("this one"), "{listed}");

    // Bob cannot take its name, nor end it.
    let bob = Client::new(&stack, "BOB")?;
    assert_eq!(bob.dayfly(&["device", "enroll", "alice-desk"])?.code(), Some(3));
    assert_eq!(bob.dayfly(&["device", "remove", "alice-desk"])?.code(), Some(3));

    // Lost: ended from elsewhere, and the certificate that is out opens nothing more.
    elsewhere.dayfly(&["device", "remove", "alice-desk"])?.success()?;
    let session = alice.ssh(&["db1", "echo in"])?;
    assert!(session.code() != Some(0) && !session.text().contains("in\n"), "{}", session.text());
    let refused = alice.certificate("at-the-desk", "db1")?;
    assert_eq!(refused.code(), Some(3), "{}", refused.stderr);
    let events = Client::new(&stack, "CAROL")?.log(|row| row["event"].as_str().is_some_and(|event| event.starts_with("device.")))?;
    let told: Vec<_> = events.iter().filter_map(|row| Some((row["event"].as_str()?, row["outcome"].as_str()?))).collect();
    assert_eq!(
        told,
        [("device.added", "done"), ("device.approved", "done"), ("device.added", "refused"), ("device.disabled", "done")],
        "{events:?}"
    );
    Ok(())
}

#[test]
fn what_is_told_of_a_machine_is_shown_first() -> Result<()> {
    let stack = Stack::shared()?;
    let bob = Client::new(stack, "BOB")?;
    let told: Value = serde_json::from_str(&bob.dayfly(&["--json", "device", "report", "--dry-run"])?.success()?)?;
    assert_eq!(told["posture"]["os"].as_str().context("an operating system")?, "linux");
    let nowhere = bob.dayfly(&["device", "report"])?;
    assert!(nowhere.code() == Some(1) && nowhere.stderr.contains("dayfly device enroll"), "{}", nowhere.stderr);
    Ok(())
}
