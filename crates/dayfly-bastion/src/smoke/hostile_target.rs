//! Targets that were taken over: whatever they send, their session ends with words, its recording is sealed, and nobody else notices.

mod deeds;

use super::{
    client::{run, start},
    raw::{about, message, numbers, push},
    wire::Wire,
    *,
};
use crate::{
    authority::double,
    live::{Order, OrderedBy},
};
use deeds::{Case, Deed, Outcome, after_the_start, before_the_login, floods};
use ssh_key::PrivateKey;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::{net::TcpListener, task::JoinSet};

/// The longest that a session at such a target may last, with all of them at once on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// How much the bastion's memory may grow while a target sends without end, in bytes.
const BOUND: usize = 160 * MIB;

const MIB: usize = 1024 * 1024;

/// A connection from an identification on.
async fn greeted(socket: tokio::net::TcpStream, deed: Deed, key: PrivateKey) {
    if let Some(wire) = Wire::greet(socket).await {
        deed(wire, key).await;
    }
}

/// A host that does this to every connection, with its key.
async fn host_that(deed: Deed) -> (SocketAddr, PrivateKey) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let key = double::fresh_key();
    let shown = key.clone();
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            tokio::spawn(greeted(socket, deed, shown.clone()));
        }
    });
    (address, key)
}

fn target(number: usize, address: SocketAddr, key: &PrivateKey) -> Target {
    Target {
        name: format!("h{number}").parse().unwrap(),
        address: address.ip().to_string(),
        port: address.port(),
        groups: Default::default(),
        host_keys: vec![key.public_key().to_openssh().unwrap()],
        host_ca: Vec::new(),
        mode: Mode::Record,
        literal_principals: Default::default(),
        session: None,
    }
}

/// Runs a command at a target for each case at once, and looks at what came of it.
async fn try_all(cases: Vec<Case>) {
    let mut targets = Vec::new();
    for (number, case) in cases.iter().enumerate() {
        let (address, key) = host_that(case.deed).await;
        targets.push(target(number, address, &key));
    }
    let names: Vec<String> = targets.iter().map(|target| target.name.to_string()).collect();
    let house = Arc::new(House::build(|authority| authority.targets.extend(targets), Duration::from_secs(60)).await);
    let principals: Vec<String> = names.iter().chain([&"db1".to_owned()]).map(|name| format!("deploy@{name}")).collect();
    let principals: Vec<&str> = principals.iter().map(String::as_str).collect();
    let alice = Person::certified(&house.authority, "alice", &principals);
    let before = house.log_in("deploy@db1", &alice).await.unwrap();
    let memory = memory_in_use();
    let mut running = JoinSet::new();
    for (name, case) in names.into_iter().zip(cases) {
        let (house, alice) = (house.clone(), alice.clone());
        running.spawn(async move {
            let connection = house.log_in(&format!("deploy@{name}"), &alice).await.unwrap();
            let outcome = tokio::time::timeout(PATIENCE, run(&connection, "say 0")).await;
            (case, outcome)
        });
    }
    let count = running.len();
    let mut wrong = Vec::new();
    while let Some(ran) = running.join_next().await {
        let (Case { name, outcome: expected, .. }, outcome) = ran.unwrap();
        let is_right = outcome.as_ref().is_ok_and(|outcome| match expected {
            Outcome::Told => outcome.closed && outcome.status == Some(255) && outcome.stderr.contains("dayfly: "),
            Outcome::Ended => outcome.closed && outcome.status != Some(0),
            Outcome::Completed => outcome.closed && outcome.status == Some(0) && outcome.stderr.is_empty(),
        });
        // Whatever a target says stays in its place: the bastion's own words hold nothing that a terminal would obey.
        let is_plain = outcome.as_ref().is_ok_and(|outcome| !outcome.stderr.contains('\u{1b}'));
        if !is_right || !is_plain {
            wrong.push(format!("a target that {name}: {:?}", outcome.map(|outcome| (outcome.closed, outcome.status, outcome.stderr))));
        }
    }
    assert!(wrong.is_empty(), "{} of {count}:\n{}", wrong.len(), wrong.join("\n"));
    assert_eq!(run(&before, "say 7").await.status, Some(7), "another session noticed");
    tokio::time::timeout(PATIENCE, house.life.idle()).await.expect("a session does not end");
    let grown = memory_in_use().saturating_sub(memory);
    assert!(grown < BOUND, "{} MiB more", grown / MIB);
    let ended: Vec<_> = house.journal.events().into_iter().filter(|event| event.event == audit::Event::SessionEnded).collect();
    assert_eq!(ended.len(), count + 1);
    assert!(ended.iter().all(|event| event.facts.contains_key("manifest_sha256")), "a recording is not sealed");
    assert!(house.bastion.live.sessions().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn row_10_a_hostile_target_ends_its_login_in_words() {
    try_all(before_the_login()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn row_12_a_hostile_target_ends_its_own_session_sealed() {
    try_all(after_the_start()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn row_10_a_target_that_floods_is_ended_in_bounded_memory() {
    try_all(floods()).await;
}

/// How much the target of the next test could send, in bytes.
static SENT: AtomicUsize = AtomicUsize::new(0);

/// Far more than any window, to somebody who reads nothing: it stays with the target, and the session ends when it is told to.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn row_10_a_target_that_does_not_heed_the_window_fills_no_memory() {
    let unheeding: [Deed; 2] = [
        |wire, key| Box::pin(send_past_the_window(wire, key, |channel| about(message::CHANNEL_DATA, channel))),
        |wire, key| Box::pin(send_past_the_window(wire, key, |channel| numbers(message::CHANNEL_EXTENDED_DATA, &[channel, 1]))),
    ];
    for deed in unheeding {
        let (address, key) = host_that(deed).await;
        let unheeding = target(0, address, &key);
        let house = House::build(|authority| authority.targets.push(unheeding), Duration::from_secs(60)).await;
        let alice = Person::certified(&house.authority, "alice", &["deploy@h0", "deploy@db1"]);
        let before = house.log_in("deploy@db1", &alice).await.unwrap();
        let connection = house.log_in("deploy@h0", &alice).await.unwrap();
        let memory = memory_in_use();
        SENT.store(0, Ordering::SeqCst);
        let _unread = start(&connection, "say 0").await;
        let mut sent = 0;
        // Until it can send no more, or has sent it all.
        loop {
            tokio::time::sleep(Duration::from_millis(500)).await;
            let now = SENT.load(Ordering::SeqCst);
            if now > 0 && now == sent {
                break;
            }
            sent = now;
        }
        let grown = memory_in_use().saturating_sub(memory);
        assert!(sent < PAST_THE_WINDOW, "all of it was taken");
        assert!(grown < BOUND, "{} MiB more", grown / MIB);
        assert_eq!(run(&before, "say 7").await.status, Some(7), "another session noticed");
        for live in &house.bastion.live.sessions() {
            live.end(Order { message: "enough".to_owned(), by: OrderedBy::Operator(7) });
        }
        let ended = tokio::time::timeout(PATIENCE, house.ended_after(2)).await.expect("the session goes on");
        assert_eq!(ended.reason, Some(Reason::EndedByOperator));
    }
}

const PAST_THE_WINDOW: usize = 512 * MIB;

async fn send_past_the_window(mut wire: Wire, key: PrivateKey, head: fn(u32) -> Vec<u8>) -> Option<()> {
    let mut message = head(wire.until_started(&key).await?);
    push(&mut message, vec![b'x'; 32 * 1024]);
    while SENT.fetch_add(message.len(), Ordering::SeqCst) < PAST_THE_WINDOW {
        wire.send(&message).await.ok()?;
    }
    None
}

/// A target that says nothing at all holds up nobody who leaves.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_target_that_says_nothing_keeps_nobody_who_leaves() {
    let (address, key) = host_that(|mut wire, _| {
        Box::pin(async move {
            wire.ended().await;
            None
        })
    })
    .await;
    let silent = target(0, address, &key);
    let house = House::build(|authority| authority.targets.push(silent), Duration::from_secs(60)).await;
    let alice = Person::certified(&house.authority, "alice", &["deploy@h0", "deploy@db1"]);
    let connection = house.log_in("deploy@h0", &alice).await.unwrap();
    let channel = connection.channel_open_session().await.unwrap();
    drop((channel, connection));
    tokio::time::timeout(Duration::from_secs(15), house.ended_after(1)).await.expect("the session goes on without anybody");
}
