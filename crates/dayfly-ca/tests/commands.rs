//! The commands as a shell runs them: a new CA, its people and bastions, and what is wrong with its files.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]

use serde_json::Value;
use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
    process::{Command, Output},
};
use tempfile::TempDir;

/// A new CA in a directory of its own.
struct Ca {
    directory: TempDir,
}

impl Ca {
    fn new() -> Self {
        let ca = Self { directory: tempfile::tempdir().unwrap() };
        ca.succeeds(&["init", "ca", "--url", "https://127.0.0.1:8443"]);
        ca
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_dayfly-ca"));
        command.current_dir(self.directory.path()).args(arguments);
        command.env_clear().env("DAYFLY_CA_CONFIG", "ca/ca.toml");
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    fn succeeds(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(output.status.success(), "{arguments:?}: {}{}", text(&output.stdout), text(&output.stderr));
        text(&output.stdout)
    }

    /// The exit code, and what stands on either stream.
    fn fails(&self, arguments: &[&str]) -> (i32, String) {
        let output = self.run(arguments);
        (output.status.code().unwrap(), text(&output.stdout) + &text(&output.stderr))
    }

    /// A key made by `ssh-keygen`; gives the name of its public half.
    fn key(&self, name: &str, options: &[&str]) -> String {
        let arguments = [&["-q", "-N", "", "-C", "mail@example.org", "-f", name], options].concat();
        assert!(Command::new("ssh-keygen").current_dir(self.directory.path()).args(arguments).status().unwrap().success());
        format!("{name}.pub")
    }

    fn json(&self, arguments: &[&str]) -> Value {
        serde_json::from_str(&self.succeeds(arguments)).unwrap()
    }

    /// The log's events, in order.
    fn events(&self) -> Vec<Value> {
        let export = self.succeeds(&["log", "export"]);
        let rows = export.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()).filter(|row| row.get("event").is_some());
        rows.map(|row| serde_json::from_str(row["event"].as_str().unwrap()).unwrap()).collect()
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn files(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { [files(&path), vec![path]].concat() } else { vec![path] }).collect()
}

#[test]
fn a_new_ca_checks_out_and_everything_is_its_owners_alone() {
    let ca = Ca::new();
    let told = ca.succeeds(&["check"]);
    assert!(told.starts_with("warning: ") && told.contains("take no passkey to https://127.0.0.1:8443"), "{told}");
    assert!(told.lines().count() == 2 && told.ends_with("\nno mistakes\n"), "{told}");
    let made = files(&ca.path("ca"));
    for path in &made {
        let mode = fs::metadata(path).unwrap().mode() & 0o7777;
        assert_eq!(mode, if path.is_dir() { 0o700 } else { 0o600 }, "{}", path.display());
    }
    for name in ["user_ca", "session_ca", "host_ca", "inner_host_ca", "log_key"] {
        assert!(made.contains(&ca.path("ca/keys").join(name)) && made.contains(&ca.path("ca/keys").join(format!("{name}.pub"))));
        // OpenSSH reads what was made.
        let read = Command::new("ssh-keygen").args(["-y", "-f"]).arg(ca.path("ca/keys").join(name)).output().unwrap();
        assert!(read.status.success(), "{}", text(&read.stderr));
    }
    let config = fs::read_to_string(ca.path("ca/ca.toml")).unwrap();
    assert!(config.contains("url = \"https://127.0.0.1:8443\"\n") && config.contains("listen = \"127.0.0.1:8443\"\n"));
    let host_ca = fs::read_to_string(ca.path("ca/keys/host_ca.pub")).unwrap();
    let own = host_ca.split_whitespace().nth(1).unwrap();
    assert_eq!(config.matches(own).count(), 2, "the examples' hosts are known by this CA's host CA");
}

#[test]
fn init_never_overwrites() {
    let ca = Ca::new();
    let before = fs::read(ca.path("ca/keys/user_ca")).unwrap();
    let (code, text) = ca.fails(&["init", "ca"]);
    assert!(code == 1 && text.contains("is not empty"), "{text}");
    assert_eq!(fs::read(ca.path("ca/keys/user_ca")).unwrap(), before);
    assert_eq!(ca.fails(&["init", "other", "--url", "http://ca.example.org"]).0, 2);
    assert!(!ca.path("other").exists());
}

#[test]
fn init_tells_the_pin_and_listens_where_the_url_leads() {
    let ca = Ca::new();
    let told = ca.succeeds(&["init", "named", "--url", "https://ca.example.org"]);
    let pin = ca.succeeds(&["pin", "--config", "named/ca.toml"]);
    assert!(pin.starts_with("sha256//") && told.contains(pin.trim()), "{told}");
    assert!(fs::read_to_string(ca.path("named/ca.toml")).unwrap().contains("listen = \"[::]:443\"\n"));
    ca.succeeds(&["init", "elsewhere", "--url", "https://ca.example.org", "--listen", "127.0.0.1:9443"]);
    assert!(fs::read_to_string(ca.path("elsewhere/ca.toml")).unwrap().contains("listen = \"127.0.0.1:9443\"\n"));
}

#[test]
fn init_encrypts_the_keys_where_there_is_a_passphrase() {
    let ca = Ca { directory: tempfile::tempdir().unwrap() };
    let with = |arguments: &[&str]| ca.command(arguments).env("DAYFLY_CA_PASSPHRASE", "correct horse").output().unwrap();
    assert!(with(&["init", "ca"]).status.success());
    assert!(with(&["check"]).status.success());
    let (code, text) = ca.fails(&["check"]);
    assert!(code == 1 && text.contains("is encrypted, and there is no passphrase"), "{text}");
    let wrong = ca.command(&["check"]).env("DAYFLY_CA_PASSPHRASE", "battery staple").output().unwrap();
    assert!(self::text(&wrong.stdout).contains("cannot be decrypted with the passphrase"));
    for path in files(&ca.path("ca")).iter().filter(|path| path.is_file()) {
        assert!(!self::text(&fs::read(path).unwrap()).contains("correct horse"), "{}", path.display());
    }
}

#[test]
fn people_are_enrolled_listed_and_disabled_and_the_log_knows() {
    let ca = Ca::new();
    let (alice, ci) = (ca.key("alice", &["-t", "ed25519"]), ca.key("ci", &["-t", "ecdsa"]));
    ca.succeeds(&["user", "add", "alice", "--key", &alice, "--group", "dba", "--group", "reviewers"]);
    ca.succeeds(&["user", "add", "ci", "--machine", "--key", &ci]);
    let listed = ca.json(&["user", "list", "--json"]);
    assert_eq!(listed[0]["subject"], "alice");
    assert_eq!(listed[0]["groups"], serde_json::json!(["dba", "reviewers"]));
    assert_eq!(listed[1]["subject"], "machine:ci");
    // The key's comment is nobody's business.
    assert!(!listed.to_string().contains("mail@example.org"));

    assert!(ca.succeeds(&["user", "disable", "alice"]).contains("alice is disabled"));
    assert!(ca.succeeds(&["user", "disable", "alice"]).contains("disabled already"));
    assert_eq!(ca.json(&["user", "list", "--json"])[0]["disabled"], true);
    let (code, text) = ca.fails(&["user", "disable", "mallory"]);
    assert!(code == 1 && text.contains("there is no mallory"), "{text}");

    let events = ca.events();
    let kinds: Vec<_> = events.iter().map(|event| event["event"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["user.added", "user.added", "user.disabled"]);
    assert_eq!((&events[0]["reporter"], &events[0]["subject"]), (&"administrator".into(), &"alice".into()));
    assert_eq!(events[0]["facts"]["groups"], "dba, reviewers");
}

#[test]
fn what_cannot_be_enrolled_is_refused_with_the_cause_and_leaves_no_trace() {
    let ca = Ca::new();
    let alice = ca.key("alice", &["-t", "ed25519"]);
    let weak = ca.key("weak", &["-t", "rsa", "-b", "2048"]);
    ca.succeeds(&["user", "add", "alice", "--key", &alice]);
    fs::write(ca.path("garbage.pub"), "ssh-ed25519 AAAA\n").unwrap();
    fs::write(ca.path("two.pub"), fs::read_to_string(ca.path("alice.pub")).unwrap().repeat(2)).unwrap();
    for (arguments, code, cause) in [
        (["user", "add", "alice", "--key", &weak], 1, "too weak"),
        (["user", "add", "bob", "--key", &alice], 1, "an enrolment of this key exists already"),
        (["user", "add", "bob", "--key", "alice"], 1, "is a private key"),
        (["user", "add", "bob", "--key", "garbage.pub"], 1, "is not a public key"),
        (["user", "add", "bob", "--key", "two.pub"], 1, "exactly one line"),
        (["user", "add", "bob", "--key", "absent.pub"], 1, "cannot be read"),
        (["user", "add", "Bob", "--key", &alice], 2, "is not a name"),
        (["user", "add", "bob,root", "--key", &alice], 2, "is not a name"),
        (["user", "add", "-bob", "--key", &alice], 2, "unexpected argument"),
    ] {
        let (got, text) = ca.fails(&arguments);
        assert!(got == code && text.contains(cause), "{arguments:?}: {got} {text}");
    }
    let other = ca.key("other", &["-t", "ed25519"]);
    assert!(ca.fails(&["user", "add", "alice", "--key", &other]).1.contains("a person of this name exists already"));
    assert_eq!(ca.events().len(), 1);
}

#[test]
fn bastions_are_enrolled_for_targets_that_exist() {
    let ca = Ca::new();
    let key = ca.key("b1", &["-t", "ed25519"]);
    let add = ["bastion", "add", "b1", "--key", &key, "--targets", "db", "web1", "--dials-from", "192.0.2.1,2001:db8::/32"];
    let names = ["--host-name", "jump.example.org", "--address", "bastion.example.org:22"];
    ca.succeeds(&[add.as_slice(), &names].concat());
    let listed = &ca.json(&["bastion", "list", "--json"])[0];
    assert_eq!(listed["targets"], serde_json::json!(["db", "web1"]));
    assert_eq!(listed["dials_from"], serde_json::json!(["192.0.2.1/32", "2001:db8::/32"]));
    assert_eq!(listed["host_names"], serde_json::json!(["bastion.example.org", "jump.example.org"]));
    assert_eq!(ca.events()[0]["event"], "bastion.added");

    let other = ca.key("b2", &["-t", "ed25519"]);
    let refused = |key: &str, targets: &str, dials_from: &str| {
        ca.fails(&["bastion", "add", "b2", "--key", key, "--targets", targets, "--dials-from", dials_from])
    };
    assert!(refused(&other, "dbb", "192.0.2.1").1.contains("no target and no target group dbb"));
    assert_eq!(refused(&other, "db", "192.0.2.1/24").0, 2);
    assert_eq!(refused(&other, "db", "anywhere").0, 2);
    assert!(refused(&key, "db", "192.0.2.1").1.contains("an enrolment of this key exists already"));
    let named = ["bastion", "add", "b2", "--key", &other, "--targets", "db", "--dials-from", "192.0.2.1", "--host-name", "web1"];
    assert!(ca.fails(&named).1.contains("web1 is a target"));
    assert_eq!(ca.fails(&["bastion", "add", "b2", "--key", &other, "--targets", "db"]).0, 2);
    assert_eq!(ca.events().len(), 1);

    // A target that a bastion serves and that is gone is noticed.
    let config = fs::read_to_string(ca.path("ca/ca.toml")).unwrap();
    fs::write(ca.path("ca/ca.toml"), config.replace("name = \"web1\"", "name = \"web2\"")).unwrap();
    assert!(ca.fails(&["check"]).1.contains("bastion b1 may serve web1, which is neither"));
}

#[test]
fn check_tells_every_mistake_in_every_file() {
    let ca = Ca::new();
    let config = fs::read_to_string(ca.path("ca/ca.toml")).unwrap();
    fs::write(ca.path("ca/ca.toml"), config.replace("max_ttl = \"5m\"", "max_ttl = \"25h\"")).unwrap();
    fs::write(ca.path("ca/policy/default.cedar"), "permit (principal, action, resource);\n").unwrap();
    fs::set_permissions(ca.path("ca/keys/user_ca"), fs::Permissions::from_mode(0o644)).unwrap();
    fs::copy(ca.path("ca/keys/host_ca"), ca.path("ca/keys/session_ca")).unwrap();
    fs::copy(ca.path("ca/keys/user_ca"), ca.path("ca/tls/key.pem")).unwrap();
    fs::set_permissions(ca.path("ca/ca.db"), fs::Permissions::from_mode(0o640)).unwrap();
    let (code, text) = ca.fails(&["check"]);
    assert_eq!(code, 1);
    for part in [
        "ca/ca.toml:",
        "a lifetime must be between 1s and 24h",
        "default.cedar:1: the statement has no @id",
        "keys/user_ca: can be used by others (mode 0644): chmod 600 ",
        "host_ca: it is the same key as session_ca",
        "tls/key.pem: ",
        "ca.db: ",
        "error: ",
    ] {
        assert!(text.contains(part), "no {part:?} in\n{text}");
    }
    let output = ca.run(&["check", "--json"]);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1));
    let mistake = &report["mistakes"][0];
    assert!(mistake["file"].as_str().unwrap().ends_with("ca.toml") && mistake["line"].is_u64() && mistake["remedy"].is_string());
}

#[test]
fn row_27_check_notices_a_log_that_was_edited() {
    let ca = Ca::new();
    let alice = ca.key("alice", &["-t", "ed25519"]);
    ca.succeeds(&["user", "add", "alice", "--key", &alice]);
    ca.succeeds(&["user", "disable", "alice"]);
    // As somebody with root would: in the file itself, where no trigger sees it.
    let mut file = fs::read(ca.path("ca/ca.db")).unwrap();
    let places: Vec<usize> = file.windows(17).enumerate().filter(|(_, part)| part == b"\"subject\":\"alice\"").map(|(at, _)| at).collect();
    assert_eq!(places.len(), 2);
    for at in places {
        file[at + 11..at + 16].copy_from_slice(b"carol");
    }
    fs::write(ca.path("ca/ca.db"), file).unwrap();
    let (code, text) = ca.fails(&["check"]);
    assert!(code == 1 && text.contains("the log does not verify: row 1 was changed"), "{text}");
}

#[test]
fn a_wrong_configuration_has_an_exit_code_of_its_own() {
    let ca = Ca::new();
    assert_eq!(ca.fails(&["pin", "--config", "absent.toml"]).0, 3);
    let config = fs::read_to_string(ca.path("ca/ca.toml")).unwrap();
    fs::write(ca.path("ca/ca.toml"), config.replace("[tls]", "[tsl]")).unwrap();
    let (code, text) = ca.fails(&["pin"]);
    assert!(code == 3 && text.contains("unknown key `tsl`"), "{text}");
    // Nobody is kept from disabling somebody by a mistake elsewhere.
    let alice = ca.key("alice", &["-t", "ed25519"]);
    ca.succeeds(&["user", "add", "alice", "--key", &alice]);
    ca.succeeds(&["user", "disable", "alice"]);
}

#[test]
fn the_log_is_exported_to_a_new_file_too() {
    let ca = Ca::new();
    let alice = ca.key("alice", &["-t", "ed25519"]);
    ca.succeeds(&["user", "add", "alice", "--key", &alice]);
    ca.succeeds(&["log", "export", "--out", "log.ndjson"]);
    let lines = fs::read_to_string(ca.path("log.ndjson")).unwrap();
    let head: Value = serde_json::from_str(lines.lines().last().unwrap()).unwrap();
    assert_eq!((lines.lines().count(), &head["seq"]), (2, &1.into()));
    assert!(head["signature"].as_str().unwrap().starts_with("-----BEGIN SSH SIGNATURE-----"));
    assert_eq!(ca.fails(&["log", "export", "--out", "log.ndjson"]).0, 1, "a file is never replaced");
}

#[test]
fn every_command_explains_itself_and_its_exit_codes() {
    let ca = Ca { directory: tempfile::tempdir().unwrap() };
    for arguments in
        [&["--help"][..], &["init", "--help"], &["check", "--help"], &["user", "--help"], &["bastion", "--help"], &["log", "--help"]]
    {
        assert!(ca.succeeds(arguments).contains("Exit codes:"), "{arguments:?}");
    }
    for shell in ["bash", "zsh", "fish"] {
        assert!(ca.succeeds(&["completions", shell]).contains("dayfly-ca"));
    }
}

#[test]
fn a_host_is_named_given_a_token_watched_and_disabled() {
    let ca = Ca::new();
    let added = ca.json(&["host", "add", "db1", "--target", "db1", "--names", "db1.example.org,2001:DB8::11", "--json"]);
    assert_eq!(added["names"], serde_json::json!(["2001:db8::11", "db1", "db1.example.org"]));
    let token = added["token"].as_str().unwrap().to_owned();
    assert!(token.starts_with("dayfly-host-") && token.len() > 50);
    let listed = ca.json(&["hosts", "--json"]);
    assert_eq!(
        (listed[0]["name"].as_str(), listed[0]["state"].as_str(), &listed[0]["stale"]),
        (Some("db1"), Some("waiting"), &Value::Bool(false))
    );
    assert_eq!(ca.succeeds(&["hosts"]), ca.succeeds(&["host", "list"]));

    let again = ca.json(&["host", "token", "db1", "--expires", "2d", "--json"]);
    assert_ne!(again["token"].as_str(), Some(token.as_str()));
    ca.succeeds(&["host", "disable", "db1"]);
    assert!(ca.succeeds(&["host", "disable", "db1"]).contains("already"));
    assert!(ca.succeeds(&["hosts"]).contains("disabled"));
    let kinds: Vec<String> = ca.events().iter().map(|event| event["event"].as_str().unwrap().to_owned()).collect();
    assert_eq!(kinds, ["host.added", "host.token_issued", "host.disabled"]);
    // Nothing but the printed line holds the token.
    for path in files(&ca.path("ca")).iter().filter(|path| path.is_file()) {
        let bytes = fs::read(path).unwrap();
        assert!(!bytes.windows(token.len()).any(|window| window == token.as_bytes()), "{}", path.display());
    }
}

#[test]
fn row_41_a_host_is_not_named_after_somebody_else() {
    let ca = Ca::new();
    let key = ca.key("b1", &["-t", "ed25519"]);
    ca.succeeds(&[
        "bastion",
        "add",
        "b1",
        "--key",
        &key,
        "--targets",
        "all",
        "--dials-from",
        "192.0.2.1",
        "--address",
        "gate.example.org:22",
    ]);
    ca.succeeds(&["host", "add", "one", "--names", "one.example.org"]);
    for (arguments, says) in [
        (&["host", "add", "two", "--names", "b1"][..], "bastion b1"),
        (&["host", "add", "two", "--names", "gate.example.org"], "bastion b1"),
        (&["host", "add", "two", "--names", "web1"], "is a target"),
        (&["host", "add", "two", "--target", "web1", "--names", "db1"], "is a target"),
        (&["host", "add", "two", "--names", "one.example.org"], "host one"),
        (&["host", "add", "one", "--names", "other.example.org"], "exists already"),
        (&["host", "add", "two", "--target", "db9"], "no target db9"),
        (&["host", "add", "two", "--names", "*.example.org"], "wildcard"),
        (&["host", "add", "two", "--names", "a", "--expires", "8d"], "7d"),
        (&["host", "add", "two"], "--names"),
        (&["host", "token", "nine"], "no host nine"),
        (
            &["bastion", "add", "b2", "--key", &key, "--targets", "all", "--dials-from", "192.0.2.1", "--host-name", "one.example.org"],
            "host one",
        ),
    ] {
        let (code, said) = ca.fails(arguments);
        assert!(code != 0 && said.contains(says), "{arguments:?}: {said}");
    }
}

#[test]
fn a_rotation_is_prepared_with_a_file_of_its_own_and_tells_what_it_waits_for() {
    let ca = Ca::new();
    assert!(ca.succeeds(&["rotate", "status"]).contains("no rotation is under way"));
    let told = ca.succeeds(&["rotate", "user"]);
    let status = |options: &[&str]| ca.json(&[["rotate", "status", "--json"].as_slice(), options].concat());
    let file = status(&[])[0]["new_key_place"].as_str().unwrap().to_owned();
    assert!(told.contains(&file) && file.contains("keys/user_ca-"), "{told}");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o7777, 0o600);
    assert_eq!((&status(&[])[0]["stage"], &status(&[])[0]["next"]["step"]), (&"prepared".into(), &"publish".into()));
    // Again is no second rotation.
    assert!(ca.succeeds(&["rotate", "user"]).contains("user: prepared"));
    assert_eq!(ca.events().iter().filter(|event| event["event"] == "rotation.prepared").count(), 1);
    // A name that nobody has is found out.
    assert!(ca.fails(&["rotate", "user", "--despite", "target:db9"]).1.contains("there is no target:db9: name one of people, target:db1"));
    ca.succeeds(&["rotate", "user", "--despite", "target:web1"]);
    assert_eq!(status(&[])[0]["despite"], serde_json::json!(["target:web1"]));
    // Given up; the next one has a file of its own, and the one that is of no use stays where it was.
    ca.succeeds(&["rotate", "user", "--abandon"]);
    assert!(ca.fails(&["rotate", "user", "--abandon"]).1.contains("no rotation of the user CA is under way"));
    assert_eq!(status(&[]), serde_json::json!([]));
    ca.succeeds(&["rotate", "user"]);
    assert_ne!(status(&[])[0]["new_key_place"], file.as_str());
    assert_eq!(status(&["--all"]).as_array().unwrap().len(), 2);
    ca.succeeds(&["check"]);
}

#[test]
fn a_key_that_the_configuration_names_is_the_next_one_and_never_one_that_is_in_use() {
    let ca = Ca::new();
    let config = fs::read_to_string(ca.path("ca/ca.toml")).unwrap();
    let name = |key: &str| fs::write(ca.path("ca/ca.toml"), format!("{config}\n[keys.next]\nsession_ca = \"{key}\"\n")).unwrap();
    name("keys/absent");
    assert_eq!(ca.fails(&["rotate", "session"]).0, 3);
    name("keys/user_ca");
    assert!(ca.fails(&["rotate", "session"]).1.contains("the new key is one that the CA has, or had"));
    ca.key("next", &["-t", "ecdsa", "-b", "384"]);
    fs::rename(ca.path("next"), ca.path("ca/keys/next")).unwrap();
    name("keys/next");
    let told = ca.succeeds(&["rotate", "session"]);
    assert!(told.contains("[keys.next] session_ca of "), "{told}");
    // Without it the rotation could not go on; the old key still signs, so the CA starts.
    fs::write(ca.path("ca/ca.toml"), &config).unwrap();
    ca.succeeds(&["check"]);
    assert_eq!(ca.json(&["rotate", "status", "--json"])[0]["new_key_place"], "nowhere in the configuration");
}

#[test]
fn a_key_that_is_lost_is_replaced_and_another_authoritys_is_not_taken_for_it() {
    let ca = Ca::new();
    // Before there was a rotation nothing is remembered: ca.toml says which key it is.
    assert!(ca.fails(&["rotate", "user", "--without-old-key"]).1.contains("no rotation remembers the user CA's key"));
    ca.succeeds(&["rotate", "user"]);
    assert!(ca.fails(&["rotate", "user", "--without-old-key"]).1.contains("abandon it first"));
    fs::remove_file(ca.path("ca/keys/user_ca")).unwrap();
    assert!(ca.fails(&["check"]).1.contains("keys/user_ca"));
    ca.succeeds(&["rotate", "user", "--abandon"]);

    let config = fs::read_to_string(ca.path("ca/ca.toml")).unwrap();
    fs::write(ca.path("ca/ca.toml"), format!("{config}\n[keys.next]\nuser_ca = \"keys/session_ca\"\n")).unwrap();
    let taken = ca.fails(&["rotate", "user", "--without-old-key"]).1;
    assert!(taken.contains("the new key is one that the CA has, or had"), "{taken}");
    fs::write(ca.path("ca/ca.toml"), config).unwrap();

    ca.succeeds(&["rotate", "user", "--without-old-key"]);
    let status = &ca.json(&["rotate", "status", "--json"])[0];
    assert_eq!((&status["stage"], &status["waiting"]["waits_for"]), (&"switched".into(), &"last_certificate".into()));
    assert!(ca.events().iter().any(|event| event["event"] == "rotation.switched" && event["facts"]["without_old_key"] == "true"));
    ca.succeeds(&["check"]);
}
