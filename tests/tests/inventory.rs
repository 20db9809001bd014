//! Targets that are listed beside the configuration, and targets that are not what they should be.

use anyhow::{Context, Result};
use dayfly_tests::{
    client::Client,
    command::{eventually, run},
    stack::Stack,
};
use serde_json::{Value, json};
use std::{fs, path::PathBuf};

/// A system whose `db1` is listed in a directory, and whose CA runs a program besides.
struct Listed {
    stack: Stack,
}

impl Listed {
    fn start() -> Result<Self> {
        let listed = Self { stack: Stack::own()? };
        let stack = &listed.stack;
        fs::create_dir(listed.path("targets.d")?)?;
        listed.say("targets.d/db1.toml", &listed.db1(&listed.host_ca()?)?)?;
        listed.say("cloud.json", &json!({"targets": [listed.target("c1", 22)?]}).to_string())?;
        let config = stack.path("DAYFLY_CA_CONFIG")?;
        let text = fs::read_to_string(config)?;
        let (before, after) = text.split_once("[[target]]\nname = \"db1\"").context("the stack's configuration lists db1")?;
        let (_, after) = after.split_once("[[target]]").context("and another target")?;
        let sources = format!(
            "[[inventory]]\nname = \"fleet\"\ndirectory = \"targets.d\"\nrefresh = \"24h\"\nmay_local_addresses = true\n\n\
             [[inventory]]\nname = \"cloud\"\ncommand = [\"/bin/sh\", \"-c\", 'cat \"$0\"', {:?}]\nrefresh = \"1s\"\ngroups = [\"cloud\"]\nmay_local_addresses = true\n\n",
            listed.path("cloud.json")?
        );
        fs::write(config, format!("{before}{sources}[[target]]{after}"))?;
        listed.ca(&["check"])?;
        stack.signal("ca", "HUP")?;
        eventually("the sources are not read", || Ok((listed.origin("db1")?.is_some() && listed.origin("c1")?.is_some()).then_some(())))?;
        Ok(listed)
    }

    fn path(&self, name: &str) -> Result<PathBuf> {
        Ok(self.stack.path("DAYFLY_CA_DIR")?.join(name))
    }

    /// Written beside and moved into place: whoever reads it reads all of it.
    fn say(&self, name: &str, text: &str) -> Result<()> {
        let (path, new) = (self.path(name)?, self.path("new")?);
        fs::write(&new, text)?;
        Ok(fs::rename(new, path)?)
    }

    fn host_ca(&self) -> Result<String> {
        Ok(fs::read_to_string(self.path("keys/host_ca.pub")?)?.trim().to_owned())
    }

    fn db1_port(&self) -> Result<u16> {
        Ok(self.stack.get("DAYFLY_DB1_ADDR")?.rsplit(':').next().context("a port")?.parse()?)
    }

    fn db1(&self, host_ca: &str) -> Result<String> {
        let port = self.db1_port()?;
        Ok(format!("[[target]]\nname = \"db1\"\naddress = \"127.0.0.1\"\nport = {port}\nhost_ca = {host_ca:?}\nmode = \"record\"\n"))
    }

    fn target(&self, name: &str, port: u16) -> Result<Value> {
        let host_ca = self.host_ca()?;
        Ok(json!({"name": name, "address": "127.0.0.1", "port": port, "host_ca": host_ca, "mode": "record", "groups": ["cloud"]}))
    }

    fn ca(&self, arguments: &[&str]) -> Result<String> {
        run(self.stack.program("dayfly-ca")?.args(arguments).env("DAYFLY_CA_CONFIG", self.stack.path("DAYFLY_CA_CONFIG")?), b"")?.success()
    }

    fn inventory(&self) -> Result<Value> {
        Ok(serde_json::from_str(&self.ca(&["inventory", "--json"])?)?)
    }

    /// The source that a target comes from; `None` if there is no such target.
    fn origin(&self, target: &str) -> Result<Option<Value>> {
        Ok(entry(&self.inventory()?, "/targets", target).map(|target| part(&target, "/source")))
    }

    fn cloud(&self) -> Result<Value> {
        entry(&self.inventory()?, "/sources", "cloud").context("the source is listed")
    }

    fn cloud_fails(&self, kind: &str) -> Result<Value> {
        eventually(&format!("the source does not fail with {kind}"), || {
            Ok(Some(self.cloud()?).filter(|cloud| part(cloud, "/failure/kind") == kind))
        })
    }

    /// A target, as the bastion's operators see it.
    fn at_the_bastion(&self, target: &str) -> Result<Value> {
        let mut command = self.stack.program("dayfly-bastion")?;
        command.args(["--config", self.stack.get("DAYFLY_BASTION_CONFIG")?, "targets", "--json"]);
        let told = serde_json::from_str(&run(&mut command, b"")?.success()?)?;
        entry(&told, "/targets", target).context("the bastion serves it")
    }
}

/// The entry of this name in the list at `pointer`.
fn entry(told: &Value, pointer: &str, name: &str) -> Option<Value> {
    told.pointer(pointer)?.as_array()?.iter().find(|entry| part(entry, "/name") == name).cloned()
}

/// What is at `pointer`; null if nothing is.
fn part(told: &Value, pointer: &str) -> Value {
    told.pointer(pointer).cloned().unwrap_or_default()
}

#[test]
fn row_38_what_sources_list_is_served_and_a_bad_or_double_answer_changes_nothing() -> Result<()> {
    let mut listed = Listed::start()?;
    assert_eq!((listed.origin("db1")?, listed.origin("c1")?), (Some("fleet".into()), Some("cloud".into())));
    assert_eq!(listed.origin("web1")?, Some(Value::Null), "the configuration's own");
    let alice = Client::alice(&listed.stack)?;
    eventually("nobody gets to db1", || Ok(Some(alice.ssh(&["db1", "echo in"])?).filter(|ended| ended.text() == "in\n")))?;

    // Nonsense, again and again: what was said last stays, and the log tells of it once.
    listed.say("cloud.json", "nonsense")?;
    let failing = listed.cloud_fails("bad")?;
    eventually("it is not tried again", || Ok((listed.cloud()?["tried_at"] != failing["tried_at"]).then_some(())))?;
    assert_eq!(listed.origin("c1")?, Some("cloud".into()));
    // db1 under another name, in the clothes of a target of the cloud's.
    let double = json!({"targets": [listed.target("c2", listed.db1_port()?)?]}).to_string();
    listed.say("cloud.json", &double)?;
    let failing = listed.cloud_fails("double")?;
    assert!(failing["failure"]["detail"].as_str().is_some_and(|detail| detail.contains("db1 and c2 are one host")), "{failing}");
    assert_eq!((listed.origin("c1")?, listed.origin("c2")?), (Some("cloud".into()), None));
    let told = listed.ca(&["check"])?;
    assert!(told.contains("warning: ") && told.contains("db1 and c2 are one host"), "{told}");
    {
        let carol = Client::carol(&listed.stack)?;
        let failed = carol.log(|row| row["event"] == "inventory.failed")?;
        let kinds: Vec<&Value> = failed.iter().map(|row| &row["facts"]["kind"]).collect();
        assert_eq!(kinds, ["bad", "double"], "{failed:?}");
    }

    // A CA that is started again knows it, although nobody says it any more.
    listed.stack.restart("ca")?;
    assert_eq!(listed.origin("c1")?, Some("cloud".into()));
    let list = Client::carol(&listed.stack)?.dayfly(&["log", "tail", "--json"])?.success()?;
    assert!(list.contains("inventory.refreshed"), "{list}");
    listed.say("cloud.json", &json!({"targets": [listed.target("c3", 23)?]}).to_string())?;
    eventually("it does not recover", || Ok((listed.origin("c3")?.is_some() && listed.cloud()?["failure"].is_null()).then_some(())))?;
    assert_eq!(listed.origin("c1")?, None);

    // A directory that is read once a day is read at SIGHUP.
    let host_ca = listed.host_ca()?;
    listed.say(
        "targets.d/more.toml",
        &listed.db1(&host_ca)?.replace("\"db1\"", "\"db2\"").replace(&format!("port = {}", listed.db1_port()?), "port = 24"),
    )?;
    listed.stack.signal("ca", "HUP")?;
    eventually("the directory is not read anew", || listed.origin("db2"))?;
    // A mistake in it has its line.
    listed.say("targets.d/more.toml", "[[target]]\nname = \"DB2\"\n")?;
    let error = listed.ca(&["check", "--strict"]).expect_err("a bad name").to_string();
    assert!(error.contains("targets.d/more.toml:2:"), "{error}");
    listed.ca(&["check"])?;
    Ok(())
}

#[test]
fn a_changed_host_key_is_refused_reported_once_and_shown() -> Result<()> {
    let listed = Listed::start()?;
    let alice = Client::alice(&listed.stack)?;
    let carol = Client::carol(&listed.stack)?;
    let db1 = || listed.at_the_bastion("db1");
    eventually("nobody gets to db1", || Ok(Some(alice.ssh(&["db1", "echo in"])?).filter(|ended| ended.text() == "in\n")))?;
    assert_eq!(db1()?["last"]["outcome"], "reachable");
    // The inventory names another authority: what answers there is not db1 any more.
    let another = fs::read_to_string(listed.path("keys/user_ca.pub")?)?;
    listed.say("targets.d/db1.toml", &listed.db1(another.trim())?)?;
    listed.stack.signal("ca", "HUP")?;
    let refused =
        eventually(
            "it is let in",
            || Ok(Some(alice.ssh(&["db1", "echo in"])?).filter(|ended| ended.stderr.contains("host_key_mismatch"))),
        )?;
    assert!(!refused.text().contains("in\n"), "{refused:?}");
    alice.ssh(&["db1", "echo in"])?;
    let told = |row: &Value| row["event"] == "target.host_key_refused" && row["target"] == "db1";
    let events = carol.log_eventually(told)?;
    carol.log_eventually(|row| row["event"] == "session.ended" && row["reason"] == "host_key_mismatch")?;
    let facts = events.first().map(|row| row["facts"].clone()).context("an event")?;
    let shown = db1()?["last"].clone();
    assert_eq!((&shown["outcome"], &facts["seen"]), (&"host_key_wrong".into(), &shown["host_key"]["seen"]));
    assert!(facts["expected"].as_str().is_some_and(|text| text.starts_with("a certificate by SHA256:")), "{facts}");
    let ended = |row: &Value| row["event"] == "session.ended" && row["reason"] == "host_key_mismatch";
    eventually("the second session does not end", || Ok((carol.log(ended)?.len() >= 2).then_some(())))?;
    assert_eq!(carol.log(told)?.len(), 1, "once for each key that shows");
    Ok(())
}
