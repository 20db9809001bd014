#![allow(clippy::unwrap_used)]
use super::*;
use dayfly_core::{name::AccountName, name::RoleName, signer::SeedSigner, target::Mode};
use std::process::Command;

fn destinations(address: Option<&str>) -> Destinations {
    let target = |name: &str, mode, accounts: &[&str]| Destination {
        name: TargetName::new(name).unwrap(),
        mode,
        bastions: vec![BastionName::new("gate").unwrap()],
        roles: vec![RoleName::new("db-admin").unwrap()],
        accounts: accounts.iter().map(|name| AccountName::new(*name).unwrap()).collect(),
    };
    Destinations {
        targets: vec![target("db1", Mode::Record, &["root"]), target("web1", Mode::Passthrough, &["deploy", "www"])],
        bastions: vec![BastionAddress { name: BastionName::new("gate").unwrap(), address: address.map(str::to_owned) }],
    }
}

fn places(directory: &Path) -> Places {
    Places { known_hosts: directory.join("known hosts"), keys: Keys::Files(directory.join("certs")) }
}

/// What OpenSSH itself understands, `ssh -G`.
fn understood(config: &str, host: &str) -> String {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("config");
    std::fs::write(&file, config).unwrap();
    let output = Command::new("ssh").arg("-G").arg("-F").arg(&file).arg(host).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn openssh_understands_each_hop() {
    let config = ssh_config(&destinations(Some("gate.example:2222")), "alice", &places(Path::new("/home/alice/.config/day fly"))).unwrap();
    let target = understood(&config, "db1");
    for line in [
        "hostname db1",
        "port 22",
        "user root",
        "hostkeyalias db1",
        "proxyjump gate+db1",
        "stricthostkeychecking true",
        "identitiesonly yes",
        "certificatefile /home/alice/.config/day fly/certs/db1-cert.pub",
        "userknownhostsfile \"/home/alice/.config/day fly/known hosts\"",
    ] {
        let (name, value) = line.split_once(' ').unwrap();
        let said = target.lines().find(|said| said.split(' ').next() == Some(name)).unwrap();
        assert_eq!(said.split_once(' ').unwrap().1.replace('"', ""), value.replace('"', ""), "{name}");
    }
    let hop = understood(&config, "gate+db1");
    for line in ["hostname gate.example", "port 2222", "hostkeyalias gate", "user alice", "stricthostkeychecking true"] {
        assert!(hop.lines().any(|said| said == line), "{line} in {hop}");
    }
    assert!(!config.contains("User deploy"), "of two accounts none is chosen");
}

#[test]
fn a_key_in_the_agent_is_told_by_its_certificate() {
    let places = Places { known_hosts: PathBuf::from("/h/known_hosts"), keys: Keys::Agent(PathBuf::from("/h/agent")) };
    let config = ssh_config(&destinations(None), "alice", &places).unwrap();
    for host in ["db1", "gate+db1"] {
        let said = understood(&config, host);
        assert!(said.contains("identityfile /h/agent/db1-cert.pub\n") && !said.contains("certificatefile"), "{said}");
    }
}

#[test]
fn addresses_of_every_form() {
    for (address, host, port) in [
        ("127.0.0.1:2222", "127.0.0.1", 2222),
        ("gate.example:22", "gate.example", 22),
        ("[2001:db8::1]:2200", "2001:db8::1", 2200),
        ("gate", "gate", 22),
    ] {
        assert_eq!(host_and_port(address), Some((host.to_owned(), port)), "{address}");
    }
    assert!(ssh_config(&destinations(None), "alice", &places(Path::new("/h"))).unwrap().contains("HostName gate\n    Port 22\n"));
}

#[test]
fn row_23_an_address_cannot_become_an_option_a_token_or_a_line() {
    for address in [
        "-oProxyCommand=id:22",
        "%h:22",
        "gate:22\n    ProxyCommand id",
        "gate\" x:22",
        "$(id):22",
        "gate;id:22",
        "[::1]x:22",
        "[gate]:22",
        "gate:0",
        "gate:-1",
        "gate:",
        ":22",
        "",
        "ga te:22",
    ] {
        assert!(ssh_config(&destinations(Some(address)), "alice", &places(Path::new("/h"))).is_err(), "{address:?}");
    }
}

#[test]
fn row_23_a_path_cannot_become_a_token_or_a_line() {
    for path in ["/a\"b", "/a%h", "/a\nProxyCommand id", "~/x", "/a${HOME}", "/a\\b", ""] {
        let places = Places { known_hosts: PathBuf::from(path), keys: Keys::Files(PathBuf::from("/h")) };
        assert!(ssh_config(&destinations(None), "alice", &places).is_err(), "{path:?}");
    }
}

#[test]
fn row_23_known_hosts_name_hosts_one_by_one() {
    let key = SeedSigner::new(1).private_key().public_key().to_openssh().unwrap();
    let good = [
        format!("@cert-authority gate,127.0.0.1,[127.0.0.1]:2222 {key} a comment"),
        format!("@cert-authority db1 {key}"),
        format!("web1 {key}"),
    ];
    let text = known_hosts(&good).unwrap();
    assert_eq!(text.lines().count(), 4, "{text}");
    assert!(!text.contains("a comment"));
    for bad in [
        format!("@cert-authority * {key}"),
        format!("@cert-authority db* {key}"),
        format!("@cert-authority !db1,db2 {key}"),
        format!("@cert-authority db1,?b2 {key}"),
        format!("@revoked db1 {key}"),
        format!("|1|abc= {key}"),
        format!("db1 {key}\n* {key}"),
        format!("@cert-authority -db1 {key}"),
        format!("@cert-authority  {key}"),
        "db1 ssh-ed25519 AAAA".to_owned(),
        "db1".to_owned(),
        String::new(),
    ] {
        assert!(known_hosts(std::slice::from_ref(&bad)).is_err(), "{bad:?}");
    }
}
