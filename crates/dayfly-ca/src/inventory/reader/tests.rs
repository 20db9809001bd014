//! Directories and real programs, with what each may use up.

#![allow(clippy::unwrap_used)]

use super::*;
use crate::config::Permits;
use std::{
    fs,
    io::Read as _,
    net::TcpListener,
    os::unix::fs::PermissionsExt,
    path::PathBuf,
    time::{Duration, Instant},
};
use tempfile::TempDir;

const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ";

fn source(place: Place) -> SourceSettings {
    let permits = Permits::default();
    SourceSettings {
        name: "cloud".parse().unwrap(),
        place,
        refresh: Duration::from_secs(300),
        timeout: Duration::from_secs(60),
        max_bytes: 4096,
        permits,
    }
}

/// A script that a shell runs, since the tests run the shell and no source does.
fn script(text: &str, arguments: &[&str]) -> SourceSettings {
    let arguments = ["-c", text, "sh"].iter().chain(arguments).map(|argument| (*argument).to_owned()).collect();
    source(Place::Command("/bin/sh".into(), arguments))
}

async fn read(source: &SourceSettings) -> Result<Vec<Target>, Trouble> {
    SystemReader::default().read(source).await
}

fn printing(text: &str) -> String {
    format!("printf '%s' '{text}'")
}

#[tokio::test]
async fn a_program_prints_targets_and_has_no_environment_no_input_and_no_shell() {
    let answer =
        format!("{{\"targets\": [{{\"name\": \"c1\", \"address\": \"192.0.2.9\", \"host_keys\": [\"{KEY}\"], \"mode\": \"record\"}}]}}");
    let targets = read(&script(&printing(&answer), &[])).await.unwrap();
    assert_eq!((targets.len(), targets[0].name.as_str(), targets[0].port), (1, "c1", 22));
    // What it sees is told by how it ends.
    let only = "test \"$(env | grep -v '^PWD=\\|^_=\\|^SHLVL=\\|^OLDPWD=')\" = PATH=/usr/local/bin:/usr/bin:/bin || exit 3
        test \"$(cat)\" = '' || exit 4; test \"$1\" = '$HOME; x' || exit 5; test \"$(pwd)\" = / || exit 6; ";
    let told = read(&script(&format!("{only}{}", printing("{\"targets\": []}")), &["$HOME; x"])).await;
    assert_eq!(told, Ok(Vec::new()));
}

#[tokio::test]
async fn what_is_no_answer_is_told_apart() {
    for (text, kind) in [
        ("exit 7", "unreadable"),
        ("kill -KILL $$", "unreadable"),
        ("printf '{\"targets\": []}'; exit 1", "unreadable"),
        ("printf nonsense", "bad"),
        ("printf '{\"targets\": [], \"more\": 1}'", "bad"),
        ("printf '{\"targets\": [{\"name\": \"c1\"}]}'", "bad"),
        ("printf '{\"\\\\u001b]52;\": 1}'", "bad"),
        ("printf '{\"targets\": [{\"name\": \"C1\", \"address\": \"a\", \"mode\": \"record\"}]}'", "bad"),
        ("head -c 4097 /dev/zero", "too_large"),
        ("while :; do printf x; done", "too_large"),
    ] {
        let trouble = read(&script(text, &[])).await.unwrap_err();
        assert_eq!(trouble.kind(), kind, "{text}: {trouble}");
        assert!(!trouble.to_string().contains('\u{1b}'), "row 25: {trouble}");
    }
    let absent = source(Place::Command("/nonexistent/program".into(), Vec::new()));
    assert_eq!(read(&absent).await.unwrap_err().kind(), "unreadable");
}

#[tokio::test]
async fn a_program_that_takes_too_long_is_ended_with_everything_that_it_started() {
    // Whoever holds the connection is alive: what the script starts is told apart from nothing by its end.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let holding = format!("exec 3<>/dev/tcp/127.0.0.1/{port}; sleep 1000 & wait");
    let mut slow = source(Place::Command("/bin/bash".into(), vec!["-c".to_owned(), holding]));
    slow.timeout = Duration::from_secs(1);
    let reading = tokio::spawn(async move { read(&slow).await });
    let held = tokio::task::spawn_blocking(move || listener.accept().unwrap().0);
    assert_eq!(reading.await.unwrap(), Err(Trouble::TimedOut(Duration::from_secs(1))));
    let mut held = held.await.unwrap();
    assert_eq!(held.read(&mut [0]).unwrap(), 0, "the script and its child are gone");
}

#[tokio::test]
async fn a_program_leaves_nothing_running_and_one_that_nobody_waits_for_is_ended() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let bash = |text: String| source(Place::Command("/bin/bash".into(), vec!["-c".to_owned(), text]));
    let began = Instant::now();
    let leaving = format!("exec 3<>/dev/tcp/127.0.0.1/{port}; sleep 1000 >/dev/null 2>&1 & printf '{{\"targets\": []}}'");
    assert_eq!(read(&bash(leaving)).await, Ok(Vec::new()));
    assert!(began.elapsed() < Duration::from_secs(50), "nobody waited for what it left");
    assert_eq!(listener.accept().unwrap().0.read(&mut [0]).unwrap(), 0);

    let holding = format!("exec 3<>/dev/tcp/127.0.0.1/{port}; sleep 1000");
    let reading = tokio::spawn(async move { read(&bash(holding)).await });
    let mut held = tokio::task::spawn_blocking(move || listener.accept().unwrap().0).await.unwrap();
    reading.abort();
    let end = tokio::task::spawn_blocking(move || held.read(&mut [0]).unwrap());
    assert_eq!(end.await.unwrap(), 0, "whoever gives up waiting ends it");
}

#[tokio::test]
async fn what_others_can_write_is_not_believed() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("program");
    fs::write(&path, "#!/bin/sh\n").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o775)).unwrap();
    let trouble = read(&source(Place::Command(path, Vec::new()))).await.unwrap_err();
    assert!(trouble.to_string().contains("can be written by others"), "{trouble}");

    let (listed, listing) = listing(&[("a.toml", &target("c1"))]);
    assert_eq!(read(&listing).await.unwrap().len(), 1);
    fs::set_permissions(listed.path().join("a.toml"), fs::Permissions::from_mode(0o666)).unwrap();
    assert!(read(&listing).await.unwrap_err().to_string().contains("can be written by others"));
    fs::set_permissions(listed.path().join("a.toml"), fs::Permissions::from_mode(0o600)).unwrap();
    fs::set_permissions(listed.path(), fs::Permissions::from_mode(0o777)).unwrap();
    assert!(read(&listing).await.unwrap_err().to_string().contains("can be written by others"));
}

fn target(name: &str) -> String {
    format!("[[target]]\nname = {name:?}\naddress = \"192.0.2.9\"\nmode = \"record\"\nhost_keys = [{KEY:?}]\n")
}

fn listing(files: &[(&str, &str)]) -> (TempDir, SourceSettings) {
    let directory = tempfile::tempdir().unwrap();
    files.iter().for_each(|(name, text)| fs::write(directory.path().join(name), text).unwrap());
    let listing = source(Place::Directory(directory.path().to_owned()));
    (directory, listing)
}

#[tokio::test]
async fn every_toml_of_a_directory_is_read_and_a_mistake_has_its_file_and_line() {
    let files = [("b.toml", target("c2")), ("a.toml", target("c1")), ("note.txt", "x".to_owned()), (".a.toml", "x".to_owned())];
    let (directory, listing) = listing(&files.each_ref().map(|(name, text)| (*name, text.as_str())));
    let names: Vec<String> = read(&listing).await.unwrap().into_iter().map(|target| target.name.to_string()).collect();
    assert_eq!(names, ["c1", "c2"]);
    for (text, says) in [
        ("[[target]]\nname = \"c3\"\naddress = \"192.0.2.9\"\nmode = \"loud\"\n", "c.toml:4:"),
        ("[[target]]\naddress = \"192.0.2.9\"\nmode = \"record\"\n", "has no `name`"),
        ("[[role]]\nname = \"root\"\n", "unknown key `role`"),
        ("nonsense", "c.toml:1:"),
        (&target("c3").replace(KEY, "ssh-ed25519 x"), "is not a public key"),
    ] {
        fs::write(directory.path().join("c.toml"), text).unwrap();
        let trouble = read(&listing).await.unwrap_err();
        assert!(trouble.kind() == "bad" && trouble.to_string().contains(says), "{text}: {trouble}");
    }
    fs::write(directory.path().join("c.toml"), format!("#{}\n", "x".repeat(4096))).unwrap();
    assert!(read(&listing).await.unwrap_err().to_string().contains("larger than max_bytes"));
    fs::remove_file(directory.path().join("c.toml")).unwrap();
    assert!(std::process::Command::new("mkfifo").arg(directory.path().join("c.toml")).status().unwrap().success());
    assert!(read(&listing).await.unwrap_err().to_string().contains("is no file"), "a pipe is not waited for");
    let gone = source(Place::Directory(PathBuf::from("/nonexistent")));
    assert!(read(&gone).await.is_err());
}
