#![allow(clippy::unwrap_used)]
use super::*;
use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
};

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn what_is_written_reads_back_and_belongs_to_the_person_alone() {
    let place = tempfile::tempdir().unwrap();
    let home = place.path().join("a/b/dayfly");
    assert!(State::open(&home).unwrap().is_none());
    let state = State::create(&home).unwrap();
    assert_eq!(state.read::<String>("x").unwrap(), None);
    state.write("x", &"one").unwrap();
    state.write("x", &"two").unwrap();
    assert_eq!(state.read::<String>("x").unwrap().as_deref(), Some("two"));
    assert_eq!((mode(&home), mode(&home.join("x"))), (0o700, 0o600));
    let names: Vec<_> = fs::read_dir(&home).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["x"], "no temporary file is left");
}

#[test]
fn row_23_a_directory_that_others_can_enter_is_refused() {
    let place = tempfile::tempdir().unwrap();
    let home = place.path().join("dayfly");
    State::create(&home).unwrap();
    for open in [0o701, 0o710, 0o720, 0o755, 0o777] {
        set_mode(&home, open);
        let error = State::open(&home).err().unwrap();
        assert!(error.remedy().unwrap().contains("chmod 700"), "{error}");
        assert!(State::create(&home).is_err());
    }
    set_mode(&home, 0o700);
    assert!(State::open(&home).unwrap().is_some());
}

#[test]
fn row_23_a_linked_directory_is_refused() {
    let place = tempfile::tempdir().unwrap();
    let (real, link) = (place.path().join("real"), place.path().join("link"));
    State::create(&real).unwrap();
    symlink(&real, &link).unwrap();
    assert!(State::open(&link).is_err());
    assert!(State::create(&link).is_err());
    symlink(place.path().join("nowhere"), place.path().join("dangling")).unwrap();
    assert!(State::create(&place.path().join("dangling")).is_err());
}

#[test]
fn row_23_a_readable_linked_or_foreign_file_is_refused_when_read() {
    let place = tempfile::tempdir().unwrap();
    let state = State::create(&place.path().join("dayfly")).unwrap();
    state.write("login.json", &1).unwrap();
    set_mode(&state.path().join("login.json"), 0o644);
    assert!(state.read::<u32>("login.json").is_err());

    let elsewhere = place.path().join("elsewhere");
    fs::write(&elsewhere, "2").unwrap();
    set_mode(&elsewhere, 0o600);
    symlink(&elsewhere, state.path().join("trust.json")).unwrap();
    assert!(state.read::<u32>("trust.json").is_err());

    fs::create_dir(state.path().join("directory")).unwrap();
    assert!(state.read::<u32>("directory").is_err());
    rustix::fs::mkfifoat(rustix::fs::CWD, state.path().join("pipe"), rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR).unwrap();
    assert!(state.read::<u32>("pipe").is_err(), "and it does not wait for a writer");
}

#[test]
fn row_23_writing_replaces_a_link_and_never_follows_it() {
    let place = tempfile::tempdir().unwrap();
    let state = State::create(&place.path().join("dayfly")).unwrap();
    let victim = place.path().join("victim");
    fs::write(&victim, "untouched").unwrap();
    symlink(&victim, state.path().join("login.json")).unwrap();
    assert!(state.write("login.json", &1).is_err());
    assert_eq!(fs::read_to_string(&victim).unwrap(), "untouched");
}

#[test]
fn row_23_names_cannot_leave_the_directory() {
    let place = tempfile::tempdir().unwrap();
    let state = State::create(&place.path().join("dayfly")).unwrap();
    for name in ["", ".", "..", "../x", "a/b", "/etc/passwd"] {
        assert!(state.write(name, &1).is_err(), "{name:?}");
        assert!(state.read::<u32>(name).is_err(), "{name:?}");
    }
}

#[test]
fn row_24_one_at_a_time() {
    let place = tempfile::tempdir().unwrap();
    let state = State::create(&place.path().join("dayfly")).unwrap();
    let first = state.lock(|| unreachable!("nobody else is there")).unwrap();
    let other = State::open(state.path()).unwrap().unwrap();
    let (waits, waited) = std::sync::mpsc::channel();
    let second = std::thread::spawn(move || {
        let lock = other.lock(|| waits.send(()).unwrap()).unwrap();
        other.write("order", &"second").unwrap();
        drop(lock);
    });
    waited.recv().unwrap();
    state.write("order", &"first").unwrap();
    drop(first);
    second.join().unwrap();
    assert_eq!(state.read::<String>("order").unwrap().as_deref(), Some("second"));
}
