use super::*;
use std::fs;
use tempfile::TempDir;

const EXAMPLE: &str = include_str!("../../../../ca-config.example.toml");

/// A directory with a configuration and policies beside it.
fn written(config: &str, policies: &[(&str, &str)]) -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    fs::create_dir(directory.path().join("policy")).unwrap();
    for (name, text) in policies {
        fs::write(directory.path().join("policy").join(name), text).unwrap();
    }
    let path = directory.path().join("ca.toml");
    fs::write(&path, config).unwrap();
    (directory, path)
}

/// The mistakes of a configuration, as `file:line: cause: remedy` with the file's name alone.
fn mistakes(config: &str, policies: &[(&str, &str)]) -> Vec<String> {
    let (directory, path) = written(config, policies);
    let place = format!("{}/", directory.path().display());
    let mistakes = Config::load(&path).expect_err("mistakes");
    mistakes.0.iter().map(|mistake| mistake.to_string().replace(&place, "")).collect()
}

const PERMITS_NOTHING: (&str, &str) = ("default.cedar", dayfly_core::policy::DEFAULT_POLICY);

/// The example with one text in it replaced.
fn example_with(old: &str, new: &str) -> String {
    assert_eq!(EXAMPLE.matches(old).count(), 1, "{old:?}");
    EXAMPLE.replace(old, new)
}

#[test]
fn the_example_is_a_good_configuration_beside_the_policies_that_it_is_shipped_with() {
    // The default policy's examples speak of the example's roles and targets: with the slashes taken away they still do.
    let examples: String = dayfly_core::policy::DEFAULT_POLICY
        .lines()
        .map(|line| line.strip_prefix("//").filter(|rest| !rest.starts_with(' ') || rest.starts_with("  ")).unwrap_or(line))
        .fold(String::new(), |text, line| text + line + "\n");
    assert!(examples.contains("\npermit ("), "{examples}");
    let (directory, path) = written(EXAMPLE, &[PERMITS_NOTHING]);
    let config = Config::load(&path).unwrap_or_else(|mistakes| panic!("{mistakes}"));
    assert_eq!(config.origin, "https://ca.example.org:8443");
    assert_eq!(config.store, directory.path().join("ca.db"));
    assert_eq!(config.keys.log.custody, Custody::File(directory.path().join("keys/log_key")));
    assert_eq!(config.limits, Limits::default());
    assert_eq!(config.rules.roles.iter().count(), 2);
    assert_eq!(config.rules.inventory.iter().count(), 2);
    assert_eq!(config.rules.policy.ids().count(), 0);

    fs::write(directory.path().join("policy/default.cedar"), examples).unwrap();
    let rules = RuleBook::load(&path).unwrap_or_else(|mistakes| panic!("{mistakes}")).0;
    assert!(rules.policy.ids().count() >= 4);
}

/// What the example does not show is no key: whoever adds one explains it there.
#[test]
fn the_example_shows_every_limit() {
    let shown: toml::Table = toml::from_str(EXAMPLE).unwrap();
    assert_eq!(shown["limits"].as_table().unwrap().len(), 7);
    assert_eq!(shown["proxies"].as_table().unwrap().len(), 2);
    let (_directory, path) = written(&example_with("request_timeout = \"10s\"", "request_timeout = \"7s\""), &[PERMITS_NOTHING]);
    assert_eq!(Config::load(&path).unwrap().limits.request_timeout, Duration::from_secs(7));
}

/// The example with its user CA kept otherwise.
fn user_ca(written: &str) -> String {
    example_with("\nuser_ca = \"keys/user_ca\"", &format!("\nuser_ca = {written}"))
}

#[test]
fn a_key_is_in_a_file_in_an_agent_or_on_a_token() {
    let custody = |written: &str| {
        let (directory, path) = written_with(written);
        let config = Config::load(&path).unwrap_or_else(|mistakes| panic!("{mistakes}"));
        (config.keys.user_ca.custody, directory)
    };
    let (file, directory) = custody("{ file = \"keys/user_ca\" }");
    assert_eq!(file, Custody::File(directory.path().join("keys/user_ca")));

    let (agent, directory) = custody("{ agent = \"agent.sock\", key = \"SHA256:x\", timeout = \"700ms\", sessions = 2 }");
    let calls = Calls { timeout: Duration::from_millis(700), sessions: 2 };
    assert_eq!(agent, Custody::Agent(AgentKey { socket: directory.path().join("agent.sock"), key: "SHA256:x".to_owned(), calls }));

    let (token, directory) = custody("{ pkcs11 = \"/lib/p.so\", token = \"t\", id = \"0a:1B\", pin_file = \"pin\" }");
    let expected = TokenKey {
        module: "/lib/p.so".into(),
        token: "t".to_owned(),
        label: None,
        id: Some(vec![0x0a, 0x1b]),
        pin_file: Some(directory.path().join("pin")),
        calls: Calls { timeout: Duration::from_secs(5), sessions: 4 },
    };
    assert_eq!(token, Custody::Token(expected));
}

fn written_with(custody: &str) -> (TempDir, PathBuf) {
    written(&user_ca(custody), &[PERMITS_NOTHING])
}

#[test]
fn mistakes_of_a_keys_custody_have_its_line_and_a_remedy() {
    let line = EXAMPLE.lines().position(|line| line == "user_ca = \"keys/user_ca\"").unwrap() + 1;
    for (custody, cause, remedy) in [
        ("{}", "user_ca: the key has not exactly one of file, agent and pkcs11", "one of the three"),
        ("{ file = \"a\", agent = \"b\" }", "not exactly one", "one of the three"),
        ("{ agent = \"b\" }", "there is no `key`", "ssh-add -L"),
        ("{ file = \"a\", sessions = 3 }", "`sessions` means nothing", "remove it"),
        ("{ pkcs11 = \"m\", label = \"l\" }", "there is no `token`", "--list-token-slots"),
        ("{ pkcs11 = \"m\", token = \"t\" }", "there is no `label`", "--list-objects"),
        ("{ pkcs11 = \"m\", token = \"t\", id = \"0\" }", "the id \"0\" is not hexadecimal", "--list-objects"),
        ("{ agent = \"b\", key = \"k\", timeout = \"soon\" }", "timeout \"soon\"", "between 100ms and 2m"),
        ("{ agent = \"b\", key = \"k\", timeout = \"1h\" }", "too short or too long", "between 100ms and 2m"),
        ("{ agent = \"b\", key = \"k\", sessions = 0 }", "0 sessions", "1 to 64"),
        ("{ agnet = \"b\" }", "unknown key `agnet`", "agent"),
    ] {
        let found = mistakes(&user_ca(custody), &[PERMITS_NOTHING]);
        let [told] = found.as_slice() else { panic!("{custody}: {found:?}") };
        assert!(told.starts_with(&format!("ca.toml:{line}: ")) && told.contains(cause) && told.contains(remedy), "{custody}: {told}");
    }
}

#[test]
fn the_example_shows_what_is_asked_of_hosts() {
    let shown: toml::Table = toml::from_str(EXAMPLE).unwrap();
    assert_eq!(shown["hosts"].as_table().unwrap().len(), 2);
    let load = |ttl: &str| {
        let (_directory, path) = written(&example_with("certificate_ttl = \"30d\"", ttl), &[PERMITS_NOTHING]);
        Config::load(&path).map(|config| config.hosts.certificate_ttl.as_secs()).map_err(|mistakes| mistakes.to_string())
    };
    assert_eq!(load("certificate_ttl = \"12h\""), Ok(12 * 3600));
    for bad in ["certificate_ttl = \"59m\"", "certificate_ttl = \"91d\"", "certificate_ttl = \"long\"", "certificate_tll = \"1d\""] {
        assert!(load(bad).unwrap_err().contains("ca.toml:"), "{bad}");
    }
}

#[test]
fn limits_may_be_left_out() {
    let start = EXAMPLE.find("[limits]").unwrap();
    let end = EXAMPLE.find("# The targets:").unwrap();
    let without = EXAMPLE.replace(&EXAMPLE[start..end], "");
    let (_directory, path) = written(&without, &[PERMITS_NOTHING]);
    assert_eq!(Config::load(&path).unwrap().limits, Limits::default());
}

#[test]
fn every_mistake_of_every_kind_is_told_at_once_with_its_line() {
    let config = r#"url = "http://ca.example.org"
listen = "8443"
store = "ca.db"
policy = "policy"
polcy = "policy"

[tls]
certificate = "tls/cert.pem"

[keys]
user_ca = "keys/user_ca"
session_ca = 3
host_ca = "keys/host_ca"
inner_host_ca = "keys/inner_host_ca"
log = "keys/log_key"

[limits]
connections = 0
request_timeout = "soon"

[[target]]
name = "DB1"
addres = "192.0.2.1"
mode = "recorded"

[[role]]
name = "db-admin"
principals = ["deploy@{target}", "root,deploy@{target}"]
max_ttl = "25h"
extensions = ["permit-everything"]
"#;
    let policy = "permit (principal, action, resource);\n\n@id(\"a\") permit (principal == Persn::\"alice\", action, resource);\n";
    let found = mistakes(config, &[("a.cedar", policy)]);
    let expected = [
        ("ca.toml:1: \"http://ca.example.org\" is not the CA's URL", "https://"),
        ("ca.toml:2: \"8443\" is not an address and port", "0.0.0.0:8443"),
        ("ca.toml:5: unknown key `polcy`", "policy"),
        ("ca.toml:7: [tls] has no `key`", "add it"),
        ("ca.toml:12: invalid type: integer `3`", "expected a path, or a table"),
        ("ca.toml:18: 0 is out of bounds", "write a number from 1"),
        ("ca.toml:19: \"soon\" is not a duration", "write 5m"),
        ("ca.toml:21: [[target]] has no `address`", "add it"),
        ("ca.toml:22: target \"DB1\" is not a name", "a-z"),
        ("ca.toml:23: unknown key `addres`", "`address`"),
        ("ca.toml:24: unknown variant `recorded`", "`record`"),
        ("ca.toml:26: [[role]] has no `targets`", "add it"),
        ("ca.toml:28: principal \"root,deploy@{target}\" is not allowed", "account@scope"),
        ("ca.toml:29: a lifetime must be between 1s and 24h", "ca-config.example.toml"),
        ("ca.toml:30: unknown variant `permit-everything`", "`permit-pty`"),
        ("policy/a.cedar:1: the statement has no @id", "write @id"),
        ("policy/a.cedar:3: unrecognized entity type `Persn`", "`Person`"),
    ];
    let (ours, cedars) = found.split_at(expected.len());
    for (mistake, (start, part)) in ours.iter().zip(expected) {
        assert!(mistake.starts_with(start) && mistake.contains(part), "{mistake}\nis not {start:?} … {part:?}");
    }
    assert!(cedars.iter().all(|mistake| mistake.starts_with("policy/a.cedar:3: ")), "{cedars:?}");
}

#[test]
fn what_clashes_is_told_where_it_has_to_be_corrected() {
    let line_of = |text: &str, config: &str| config[..config.find(text).unwrap()].matches('\n').count() + 1;
    let cases = [
        ("address = \"192.0.2.21\"", "address = \"::ffff:192.0.2.11\"", "different modes"),
        ("name = \"web1\"", "name = \"db\"", "is the name of a target and of a target group"),
        ("groups = [\"web\"]", "groups = [\"all\"]", "reserved"),
        ("targets = [\"db\"]", "targets = [\"dbb\"]", "neither a target nor a target group"),
        ("principals = [\"deploy@{target}\"]\n# The targets", "principals = [\"nobody\"]\n# The targets", "admits nowhere"),
        ("name = \"web-deploy\"", "name = \"db-admin\"", "defined twice"),
    ];
    for (old, new, cause) in cases {
        let config = example_with(old, new);
        let found = mistakes(&config, &[PERMITS_NOTHING]);
        let expected = if cause == "defined twice" {
            config.rfind(new).map(|at| config[..at].matches('\n').count() + 1).unwrap()
        } else {
            line_of(new, &config)
        };
        assert!(
            found.iter().any(|one| one.starts_with(&format!("ca.toml:{expected}: ")) && one.contains(cause)),
            "{cause:?} at line {expected}:\n{}",
            found.join("\n")
        );
    }
}

#[test]
fn several_mistakes_of_syntax_are_told_and_nothing_else() {
    let found = mistakes("url = \nlisten = \"[::]:8443\"\n[tls\n", &[]);
    let lines: Vec<_> = found.iter().map(|mistake| mistake.split(": ").next().unwrap()).collect();
    assert_eq!(lines, ["ca.toml:1", "ca.toml:3"], "{}", found.join("\n"));
}

#[test]
fn a_policy_that_names_what_is_not_there_is_a_mistake() {
    let policy = "@id(\"a\")\npermit (principal, action == Action::\"request\", resource == Role::\"db-admn\");\n";
    let found = mistakes(EXAMPLE, &[("a.cedar", policy)]);
    assert_eq!(found.len(), 1, "{}", found.join("\n"));
    assert!(found[0].starts_with("policy/a.cedar:2: Role::\"db-admn\" does not exist"), "{}", found[0]);
}

#[test]
fn the_policy_directory_must_be_there_and_hold_a_policy() {
    assert!(mistakes(EXAMPLE, &[])[0].starts_with("policy: holds no *.cedar file"));
    let elsewhere = mistakes(&example_with("policy = \"policy\"", "policy = \"policies\""), &[PERMITS_NOTHING]);
    assert!(elsewhere[0].starts_with("ca.toml:15: the policy directory policies does not exist"), "{}", elsewhere[0]);
}

#[test]
fn an_origin_has_one_spelling() {
    for good in ["https://ca.example.org", "https://ca.example.org:8443", "https://127.0.0.1:8443", "https://[2001:db8::1]:8443"] {
        assert!(settings::Origin::try_from(good.to_owned()).is_ok(), "{good}");
    }
    for bad in [
        "",
        "ca.example.org",
        "http://ca.example.org",
        "https://ca.example.org/",
        "https://ca.example.org:443",
        "https://CA.example.org",
        "https://ca.example.org/v1",
        "https://alice@ca.example.org",
        "https://ca.example.org?x",
        "https://[2001:DB8::1]",
    ] {
        assert!(settings::Origin::try_from(bad.to_owned()).is_err(), "{bad}");
    }
}

#[test]
fn the_store_is_found_whatever_is_wrong_elsewhere() {
    let (directory, path) = written("store = \"db/ca.db\"\nurl = 3\n[[role]]\n", &[]);
    assert_eq!(Config::store_path(&path).unwrap(), directory.path().join("db/ca.db"));
    assert!(Config::load(&path).is_err());
}

#[test]
fn networks_are_named_and_hold_addresses() {
    let book = |text: &str| {
        let (_directory, path) = written(&example_with("[networks]\n", &format!("[networks]\n{text}\n")), &[PERMITS_NOTHING]);
        RuleBook::load(&path).unwrap_or_else(|mistakes| panic!("{mistakes}")).0
    };
    let context = book("home = [\"198.51.100.7\"]").context(OffsetDateTime::UNIX_EPOCH, "198.51.100.7".parse().unwrap());
    assert_eq!(context.networks.iter().map(ToString::to_string).collect::<Vec<_>>(), ["home"]);
    assert_eq!((context.country, context.asn), (None, None));
    for (bad, says) in [
        ("home = []", "holds nobody"),
        ("home = [\"198.51.100.7/24\"]", "is not an address or a network"),
        ("Home = [\"198.51.100.7\"]", "is not a name"),
        ("home = \"198.51.100.7\"", "sequence"),
    ] {
        let found = mistakes(&example_with("[networks]\n", &format!("[networks]\n{bad}\n")), &[PERMITS_NOTHING]);
        assert!(matches!(found.as_slice(), [one] if one.contains(says) && one.starts_with("ca.toml:")), "{bad}: {found:?}");
    }
}

#[test]
fn a_policy_that_names_no_network_of_ours_is_a_mistake() {
    let text =
        "@id(\"a\")\nforbid(principal, action == Action::\"request\", resource)\nunless { context.networks.contains(Network::\"ofice\") };";
    let found = mistakes(EXAMPLE, &[("a.cedar", text)]);
    assert!(
        matches!(found.as_slice(), [one] if one.starts_with("policy/a.cedar:4: Network::\"ofice\" does not exist") || one.starts_with("policy/a.cedar:3: Network::\"ofice\" does not exist")),
        "{found:?}"
    );
}

#[test]
fn databases_tell_where_an_address_is_and_a_broken_one_is_a_mistake() {
    let with = |file: &str| example_with("# country_database = \"geo/country.mmdb\"", &format!("country_database = {file:?}"));
    let database = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/geo/mmdb/databases/flat.mmdb");
    let (directory, path) = written(&with("where.mmdb"), &[PERMITS_NOTHING]);
    let here = directory.path().join("where.mmdb");
    let country = |book: &RuleBook| book.context(OffsetDateTime::UNIX_EPOCH, "192.0.2.7".parse().unwrap()).country;

    fs::copy(&database, &here).unwrap();
    assert_eq!(country(&RuleBook::load(&path).unwrap().0).unwrap().as_str(), "DE");

    fs::write(&here, "nonsense").unwrap();
    let mistakes = Config::load(&path).unwrap_err();
    assert!(
        matches!(mistakes.0.as_slice(), [one] if one.file == here && one.cause.contains("broken") && one.remedy.contains("fetch")),
        "{mistakes}"
    );
    fs::remove_file(&here).unwrap();
    assert!(Config::load(&path).unwrap_err().to_string().contains("cannot be read"));
}

/// The example with what it shows of providers and workloads in force.
fn example_with_sign_in() -> String {
    EXAMPLE.replace("\n#: ", "\n")
}

#[test]
fn the_example_shows_a_provider_a_workload_and_a_device_rule() {
    let (_directory, path) = written(EXAMPLE, &[PERMITS_NOTHING]);
    let config = Config::load(&path).unwrap();
    assert_eq!((config.sign_in, config.federation), (SignInSettings::default(), Vec::new()));
    let (directory, path) = written(&example_with_sign_in(), &[PERMITS_NOTHING]);
    let config = Config::load(&path).unwrap_or_else(|mistakes| panic!("{mistakes}"));
    let provider = &config.sign_in.providers[0];
    assert_eq!((provider.name.as_str(), provider.issuer.as_str()), ("corp", "https://idp.example.org"));
    assert_eq!(provider.client_secret_file, Some(directory.path().join("keys/corp.secret")));
    assert_eq!(provider.groups.as_ref().unwrap()["Database Admins"].as_str(), "dba");
    let workload = &config.federation[0];
    assert_eq!((workload.machine.to_string().as_str(), workload.claims["repository_id"].as_str()), ("machine:ci", "74"));
    assert!(workload.warnings().is_empty());
    let rule = &config.rules.device_rules[0];
    assert!(rule.groups.len() == 1 && rule.networks.len() == 1 && rule.second_factor_within == Some(600));
    let shown: toml::Table = toml::from_str(&example_with_sign_in()).unwrap();
    assert_eq!(shown["sign_in"].as_table().unwrap().len(), 3);
    assert_eq!(shown["sign_in"]["provider"][0].as_table().unwrap().len(), 8);
    assert_eq!(shown["federation"][0].as_table().unwrap().len(), 7);
    assert_eq!(shown["device_rule"][0].as_table().unwrap().len(), 3);
}

#[test]
fn row_15_and_16_what_no_provider_workload_or_device_rule_may_be() {
    for (old, new, says) in [
        ("issuer = \"https://idp.example.org\"", "issuer = \"http://idp.example.org\"", "https://"),
        ("issuer = \"https://idp.example.org\"", "issuer = \"idp.example.org\"", "is not the URL of an issuer"),
        ("name = \"corp\"", "name = \"corp.x\"", "no name of a provider"),
        ("name = \"corp\"", "name = \"machine:\"", "no name of a provider"),
        ("[\"ES256\", \"RS256\", \"EdDSA\"]", "[\"HS256\"]", "HS256"),
        ("[\"ES256\", \"RS256\", \"EdDSA\"]", "[\"none\"]", "none"),
        ("[\"ES256\", \"RS256\", \"EdDSA\"]", "[]", "no algorithm is allowed"),
        ("lifetime = \"12h\"", "lifetime = \"13h\"", "out of bounds"),
        ("{ repository_id = \"74\", repository_owner_id = \"9919\", ref = \"refs/heads/main\" }", "{}", "no claim is asked for"),
        ("audience = \"https://ca.example.org:8443\"", "audience = \"\"", "the audience is empty"),
        ("audience = \"https://ca.example.org:8443\"", "", "has no `audience`"),
        ("machine = \"ci\"", "machine = \"CI\"", "is not a name"),
        ("max_lifetime = \"1h\"", "max_lifetime = \"30d\"", "out of bounds"),
        ("groups = [\"staff\"]", "groups = []", "approves nothing"),
        ("groups = [\"staff\"]", "", "has no `groups`"),
        ("networks = [\"office\"]", "networks = [\"moon\"]", "no network moon"),
        ("second_factor_within = \"10m\"", "second_factor_within = \"25h\"", "out of bounds"),
        ("client_id = \"dayfly\"", "client_id = \"dayfly\"\nclient_secret = \"x\"", "client_secret"),
    ] {
        let example = example_with_sign_in();
        assert_eq!(example.matches(old).count(), 1, "{old}");
        let found = mistakes(&example.replace(old, new), &[PERMITS_NOTHING]);
        assert!(found.len() == 1 && found[0].contains(says), "{new}: {found:?}");
    }
    let twice = example_with_sign_in().replace(
        "\n[[sign_in.provider]]\n",
        "\n[[sign_in.provider]]\nname = \"corp\"\nissuer = \"https://x.example\"\nclient_id = \"x\"\n[[sign_in.provider]]\n",
    );
    assert!(mistakes(&twice, &[PERMITS_NOTHING])[0].contains("two providers have this name"));
}

#[test]
fn the_example_shows_both_kinds_of_source_and_every_key_of_them() {
    let (directory, path) = written(&example_with_sign_in(), &[PERMITS_NOTHING]);
    let config = Config::load(&path).unwrap_or_else(|mistakes| panic!("{mistakes}"));
    let [fleet, cloud] = config.sources.as_slice() else { panic!("{:?}", config.sources) };
    assert_eq!(fleet.place, Place::Directory(directory.path().join("targets.d")));
    let arguments = ["--zone", "eu"].map(str::to_owned).to_vec();
    assert_eq!(cloud.place, Place::Command("/usr/local/bin/cloud-inventory".into(), arguments));
    // What is left out is what the example shows, but for what a source may say.
    let defaults = SourceSettings { name: fleet.name.clone(), place: fleet.place.clone(), permits: fleet.permits.clone(), ..cloud.clone() };
    assert_eq!((&defaults, &cloud.permits), (fleet, &Permits::default()));
    let shown: toml::Table = toml::from_str(&example_with_sign_in()).unwrap();
    assert_eq!(shown["inventory"][0].as_table().unwrap().len(), 10);
}

#[test]
fn what_no_source_may_be() {
    let in_command = "command = [\"/usr/local/bin/cloud-inventory\", \"--zone\", \"eu\"]";
    for (old, new, says) in [
        (in_command, "", "exactly one of directory and command"),
        (in_command, "command = [\"x\"]\ndirectory = \"y\"", "exactly one of directory and command"),
        (in_command, "command = [\"cloud-inventory\"]", "whole path"),
        (in_command, "command = []", "whole path"),
        (in_command, "command = \"/bin/cloud inventory\"", "sequence"),
        ("name = \"cloud\"", "name = \"fleet\"", "defined twice"),
        ("name = \"cloud\"", "", "has no `name`"),
        ("refresh = \"5m\"", "refresh = \"100ms\"", "out of bounds"),
        ("timeout = \"30s\"", "timeout = \"1h\"", "out of bounds"),
        ("max_bytes = 16777216", "max_bytes = 0", "out of bounds"),
        ("groups = [\"fleet\"]", "groups = [\"all\"]", "every target is in the group"),
        ("may_passthrough = false", "may_record = false", "unknown key `may_record`"),
    ] {
        let example = example_with_sign_in();
        assert_eq!(example.matches(old).count(), 1, "{old}");
        let found = mistakes(&example.replace(old, new), &[PERMITS_NOTHING]);
        assert!(found.len() == 1 && found[0].contains(says) && found[0].starts_with("ca.toml:"), "{new}: {found:?}");
    }
}

#[test]
fn where_targets_come_and_go_what_roles_and_policies_name_may_be_away() {
    let policy = "@id(\"a\")\npermit(principal, action == Action::\"review\", resource in TargetGroup::\"absent\");";
    let config = example_with("targets = [\"db\"]", "targets = [\"absent\"]");
    assert_eq!(mistakes(&config, &[("a.cedar", policy)]).len(), 1, "without a source the role is told first");
    let (_directory, path) = written(&format!("{config}\n[[inventory]]\nname = \"x\"\ndirectory = \"x\"\n"), &[("a.cedar", policy)]);
    assert!(Config::load(&path).is_ok());
}
