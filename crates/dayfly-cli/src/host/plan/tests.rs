//! Plans: what differs, what is written, and what is put back.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use super::{File, Plan};
use crate::error::{Failure, Kind};
use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
};

/// Everything below a directory: contents and permissions.
fn tree(directory: &Path) -> BTreeMap<PathBuf, (Vec<u8>, u32)> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let mode = fs::metadata(&path).unwrap().mode();
        if path.is_dir() {
            found.extend(tree(&path));
            found.insert(path, (Vec::new(), mode));
        } else {
            found.insert(path.clone(), (fs::read(path).unwrap(), mode));
        }
    }
    found
}

#[test]
fn what_is_as_it_should_be_is_left_alone_and_the_rest_is_shown_first() {
    let place = tempfile::tempdir().unwrap();
    let path = |name: &str| place.path().join(name);
    fs::write(path("same"), "1\n").unwrap();
    fs::set_permissions(path("same"), fs::Permissions::from_mode(0o644)).unwrap();
    fs::write(path("other"), "a\nb\n").unwrap();
    fs::create_dir(path("own")).unwrap();
    fs::write(path("own/stale"), "gone\n").unwrap();
    let wanted = || {
        vec![
            File::public(path("same"), "1\n"),
            File::public(path("other"), "a\nc\n"),
            File::public(path("own/new"), "n\n"),
            File::public(path("deep/down/binary"), b"\0\xff".to_vec()),
        ]
    };
    let before = tree(place.path());
    let plan = Plan::new(wanted(), &[path("own")]).unwrap();
    let told: Vec<_> =
        plan.changes().iter().map(|change| (change.action(), change.path().file_name().unwrap().to_str().unwrap())).collect();
    assert_eq!(told, [("remove", "stale"), ("replace", "other"), ("create", "new"), ("create", "binary")]);
    let shown = plan.changes()[1].diff();
    assert!(shown.contains("\n a\n-b\n+c\n") && shown.starts_with("--- "), "{shown}");
    assert!(plan.changes()[2].diff().starts_with("--- /dev/null\n"));
    assert!(plan.changes()[3].diff().contains("not text"));
    assert_eq!(tree(place.path()), before, "looking changes nothing");

    plan.apply(|| Ok(())).unwrap();
    assert_eq!(fs::metadata(path("own/new")).unwrap().mode() & 0o7777, 0o644);
    assert!(!path("own/stale").exists());
    assert!(Plan::new(wanted(), &[path("own")]).unwrap().changes().is_empty());
}

#[test]
fn row_42_a_refusal_puts_everything_back_byte_for_byte() {
    let place = tempfile::tempdir().unwrap();
    let path = |name: &str| place.path().join(name);
    fs::write(path("other"), b"old \xff\n").unwrap();
    fs::set_permissions(path("other"), fs::Permissions::from_mode(0o640)).unwrap();
    fs::create_dir(path("own")).unwrap();
    fs::write(path("own/stale"), "stale\n").unwrap();
    let before = tree(place.path());
    let wanted = vec![File::public(path("other"), "new\n"), File::public(path("deep/down/new"), "n\n")];
    let plan = Plan::new(wanted, &[path("own")]).unwrap();
    let failure = plan.apply(|| Err(Failure::new(Kind::Failed, "sshd does not like it"))).unwrap_err();
    assert!(failure.message.contains("put back"), "{failure}");
    assert_eq!(tree(place.path()), before);
}

#[test]
fn row_42_a_write_that_fails_puts_back_what_was_written_before_it() {
    let place = tempfile::tempdir().unwrap();
    let path = |name: &str| place.path().join(name);
    fs::write(path("first"), "old\n").unwrap();
    fs::write(path("file"), "in the way\n").unwrap();
    let before = tree(place.path());
    // A directory cannot be made where a file is.
    let wanted = vec![File::public(path("first"), "new\n"), File::public(path("file/under"), "n\n")];
    let plan = Plan::new(wanted, &[]).unwrap();
    plan.apply(|| unreachable!("nothing to accept")).unwrap_err();
    assert_eq!(tree(place.path()), before);
}

#[test]
fn row_23_a_link_in_the_place_of_a_file_stops_everything() {
    let place = tempfile::tempdir().unwrap();
    fs::write(place.path().join("victim"), "untouched").unwrap();
    std::os::unix::fs::symlink(place.path().join("victim"), place.path().join("link")).unwrap();
    assert!(Plan::new(vec![File::public(place.path().join("link"), "x")], &[]).is_err());
    assert_eq!(fs::read_to_string(place.path().join("victim")).unwrap(), "untouched");
}
