use super::*;
use crate::store::suite::{event, store_suite, verified_rows};
use dayfly_core::audit::Event;
use std::{
    io::{BufRead, BufReader},
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::PathBuf,
    process::{Command, Stdio},
    sync::Arc,
};
use tempfile::TempDir;

/// Tells the test process that is started below which store to write to.
const STORE_VARIABLE: &str = "DAYFLY_TEST_STORE";

fn empty_store() -> (TempDir, SqliteStore) {
    let directory = tempfile::tempdir().unwrap();
    let store = SqliteStore::create(&path(&directory)).unwrap();
    (directory, store)
}

fn path(directory: &TempDir) -> PathBuf {
    directory.path().join("ca.db")
}

store_suite!(empty_store);

#[tokio::test]
async fn what_is_acknowledged_outlives_the_process() {
    let (directory, store) = empty_store();
    let position = store.commit(Change::None, event(Event::CaStarted)).await.unwrap();
    drop(store);
    let store = SqliteStore::open(&path(&directory)).unwrap();
    assert_eq!(store.head().await.unwrap(), Some(position));
}

/// `kill -9` in the middle of writing: every number that was acknowledged is there afterwards, and the links hold.
#[tokio::test]
async fn row_13_a_killed_writer_loses_nothing_that_it_acknowledged() {
    let (directory, store) = empty_store();
    drop(store);
    for _ in 0..3 {
        let mut child = other_process(&path(&directory));
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut numbers = lines.by_ref().filter_map(|line| acknowledged(&line.unwrap()));
        let mut last = numbers.by_ref().take(200).last().unwrap();
        child.kill().unwrap();
        // What it had acknowledged before the signal reached it.
        last = numbers.last().unwrap_or(last);
        child.wait().unwrap();
        let store = SqliteStore::open(&path(&directory)).unwrap();
        let rows = verified_rows(&store).await;
        assert!(rows >= last, "{rows} rows are there and {last} was acknowledged");
        store.commit(Change::None, event(Event::CaStarted)).await.unwrap();
    }
}

/// Two processes append at once, as when somebody is enrolled while the CA serves.
#[tokio::test]
async fn two_processes_append_to_one_chain() {
    let (directory, store) = empty_store();
    let mut child = other_process(&path(&directory));
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut theirs = lines.by_ref().filter_map(|line| acknowledged(&line.unwrap()));
    assert!(theirs.next().is_some());
    let mut own = Vec::new();
    for n in 0..50 {
        own.push(store.commit(Change::None, event(Event::LogRead).fact("n", n)).await.unwrap().seq);
    }
    let between = theirs.by_ref().find(|seq| *seq > own[0]);
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(between.is_some());
    assert!(own.windows(2).all(|pair| pair[0] < pair[1]));
    assert!(verified_rows(&store).await > 50);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_handles_append_to_one_chain() {
    let (directory, first) = empty_store();
    let handles = [Arc::new(first), Arc::new(SqliteStore::open(&path(&directory)).unwrap())];
    let tasks = (0..100).map(|n| {
        let store = Arc::clone(&handles[n % 2]);
        tokio::spawn(async move { store.commit(Change::None, event(Event::LogRead).fact("n", n)).await })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.unwrap().unwrap();
    }
    assert_eq!(verified_rows(handles[0].as_ref()).await, 100);
    assert_eq!(verified_rows(handles[1].as_ref()).await, 100);
}

fn other_process(path: &Path) -> std::process::Child {
    let test = "store::sqlite::tests::writes_until_it_is_killed";
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--ignored", "--nocapture"])
        .env(STORE_VARIABLE, path)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

fn acknowledged(line: &str) -> Option<u64> {
    line.strip_prefix("acknowledged ").and_then(|seq| seq.parse().ok())
}

#[tokio::test]
#[ignore = "started by the tests above, in a process of its own"]
#[allow(clippy::print_stdout)]
async fn writes_until_it_is_killed() {
    let store = SqliteStore::open(Path::new(&std::env::var_os(STORE_VARIABLE).unwrap())).unwrap();
    loop {
        let batch = (0..7).map(|n| store.commit(Change::None, event(Event::LogRead).fact("n", n)));
        for position in futures_util::future::join_all(batch).await {
            println!("acknowledged {}", position.unwrap().seq);
        }
    }
}

#[tokio::test]
async fn row_27_the_log_is_append_only_for_every_program() {
    let (directory, store) = empty_store();
    store.commit(Change::None, event(Event::CaStarted)).await.unwrap();
    let other = Connection::open(path(&directory)).unwrap();
    for sql in [
        "UPDATE log SET event = '{}'",
        "DELETE FROM log",
        "INSERT INTO log (seq, event, hash) VALUES (3, '{}', zeroblob(32))",
        "INSERT OR REPLACE INTO log (seq, event, hash) VALUES (1, '{}', zeroblob(32))",
    ] {
        assert!(other.execute(sql, []).is_err(), "{sql}");
    }
    assert_eq!(verified_rows(&store).await, 1);
}

#[tokio::test]
async fn row_13_a_full_disk_stores_nothing_and_says_so() {
    let (directory, connection) = migrated();
    let pages: i64 = connection.query_row("PRAGMA page_count", [], |row| row.get(0)).unwrap();
    connection.pragma_update(None, "max_page_count", pages + 2).unwrap();
    let writer = Writer::start(connection).unwrap();
    let mut stored = 0;
    let error = loop {
        match writer.commit(Change::None, event(Event::LogRead).fact("filling", "x".repeat(4000))).await {
            Ok(position) => stored = position.seq,
            Err(error) => break error,
        }
    };
    assert!(matches!(&error, StoreError::Unavailable(text) if text.contains("the disk is full: make room")), "{error}");
    drop(writer);
    let store = SqliteStore::open(&path(&directory)).unwrap();
    assert_eq!(verified_rows(&store).await, stored);
}

fn migrated() -> (TempDir, Connection) {
    let directory = tempfile::tempdir().unwrap();
    connection::create(&path(&directory)).unwrap();
    let mut connection = connection::open_for_writing(&path(&directory)).unwrap();
    schema::migrate(&mut connection).unwrap();
    (directory, connection)
}

#[test]
fn a_newer_schema_another_programs_file_and_garbage_are_refused() {
    let (directory, connection) = migrated();
    connection.execute("UPDATE schema_version SET version = version + 1", []).unwrap();
    drop(connection);
    let refused = |path: &Path| SqliteStore::open(path).err().unwrap().to_string();
    assert!(refused(&path(&directory)).contains("use the program that wrote it"));

    let foreign = directory.path().join("foreign.db");
    connection::create(&foreign).unwrap();
    Connection::open(&foreign).unwrap().execute_batch("CREATE TABLE t (a)").unwrap();
    assert!(refused(&foreign).contains("another program's database"));

    let garbage = directory.path().join("garbage.db");
    crate::private_file::create(&garbage, &[0x55; 8192]).unwrap();
    assert!(refused(&garbage).contains("damaged or no store"));
}

#[test]
fn the_file_is_its_owners_alone_and_never_made_by_opening() {
    let (directory, store) = empty_store();
    for entry in std::fs::read_dir(directory.path()).unwrap() {
        let entry = entry.unwrap();
        assert_eq!(entry.metadata().unwrap().mode() & 0o777, 0o600, "{:?}", entry.file_name());
    }
    drop(store);
    assert!(SqliteStore::create(&path(&directory)).is_err());
    let absent = directory.path().join("absent.db");
    assert!(SqliteStore::open(&absent).is_err() && !absent.exists());
    std::fs::set_permissions(path(&directory), std::fs::Permissions::from_mode(0o644)).unwrap();
    assert!(SqliteStore::open(&path(&directory)).err().unwrap().to_string().contains("chmod 600"));
}
