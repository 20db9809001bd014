//! Messages in an order that nobody thought of, whole or damaged: every session that begins ends once, sealed, and nothing is left of it.

use super::{
    raw::{about, channel_request, exec_request, forwarding_channel, forwarding_request, kexinit, message, numbers, push, session_channel},
    *,
};
use proptest::{prelude::*, test_runner::TestRunner};
use std::path::Path;

/// The longest that all sessions of a client that left may take to end: what a client sent before it left still arrives, and commands may end by themselves.
const PATIENCE: Duration = Duration::from_secs(60);

/// How many random clients there are.
const CASES: u32 = 96;

/// Something that a client does.
#[derive(Debug, Clone)]
enum Deed {
    /// It sends a message.
    Say(Vec<u8>),
    /// It sends a message that was cut short.
    SayHalf(Vec<u8>, prop::sample::Index),
    /// It sends a message with one byte changed.
    SayWrong(Vec<u8>, prop::sample::Index, u8),
    /// It takes what came.
    Read,
}

fn field(kind: &'static str, channel: u32, field: impl AsRef<[u8]>) -> Vec<u8> {
    let mut request = channel_request(channel, kind, true);
    push(&mut request, field);
    request
}

fn a_message() -> impl Strategy<Value = Vec<u8>> {
    // The first that are opened get 2 and on.
    let channel = 1..6u32;
    let command = prop_oneof![Just("cat"), Just("say 3"), Just("source 100000"), Just("unheard of")];
    let data = (channel.clone(), 0..5000usize).prop_map(|(channel, bytes)| {
        let mut data = about(message::CHANNEL_DATA, channel);
        push(&mut data, vec![b'x'; bytes]);
        data
    });
    let terminal = channel.clone().prop_map(|channel| {
        let mut request = field("pty-req", channel, "xterm");
        request.extend([0; 16]);
        push(&mut request, [53, 0, 0, 0, 1, 0]);
        request
    });
    let window = channel.clone().prop_map(|channel| {
        let mut request = channel_request(channel, "window-change", false);
        request.extend([0, 0, 0, 99].repeat(4));
        request
    });
    prop_oneof![
        4 => Just(session_channel()),
        4 => (channel.clone(), command).prop_map(|(channel, command)| exec_request(channel, command)),
        3 => data,
        2 => channel.clone().prop_map(|channel| about(message::CHANNEL_EOF, channel)),
        2 => channel.clone().prop_map(|channel| about(message::CHANNEL_CLOSE, channel)),
        2 => (channel.clone(), any::<u32>()).prop_map(|(channel, more)| numbers(message::CHANNEL_WINDOW_ADJUST, &[channel, more])),
        1 => terminal,
        1 => window,
        1 => channel.clone().prop_map(|channel| channel_request(channel, "shell", true)),
        1 => channel.clone().prop_map(|channel| field("subsystem", channel, "sftp")),
        1 => channel.clone().prop_map(|channel| field("signal", channel, "TERM")),
        1 => channel.clone().prop_map(|channel| channel_request(channel, "auth-agent-req@openssh.com", true)),
        1 => prop_oneof![Just(forwarding_channel("db1")), Just(forwarding_channel("web1")), Just(forwarding_request())],
        1 => Just(kexinit("none", "ssh-ed25519", "none")),
        1 => (any::<u8>(), prop::collection::vec(any::<u8>(), 0..40)).prop_map(|(kind, rest)| [vec![kind], rest].concat()),
    ]
}

fn a_deed() -> impl Strategy<Value = Deed> {
    prop_oneof![
        12 => a_message().prop_map(Deed::Say),
        1 => (a_message(), any::<prop::sample::Index>()).prop_map(|(message, end)| Deed::SayHalf(message, end)),
        1 => (a_message(), any::<prop::sample::Index>(), any::<u8>()).prop_map(|(message, at, byte)| Deed::SayWrong(message, at, byte)),
        2 => Just(Deed::Read),
    ]
}

async fn act(house: &House, alice: &Person, deeds: Vec<Deed>) {
    let mut client = house.ready().await;
    assert_eq!(client.log_in("deploy@db1", &alice.certificate, &alice.key).await, message::USERAUTH_SUCCESS);
    for deed in deeds {
        let message = match deed {
            Deed::Say(message) => message,
            Deed::SayHalf(message, end) => message[..1 + end.index(message.len())].to_vec(),
            Deed::SayWrong(mut message, at, byte) => {
                let at = at.index(message.len());
                message[at] = byte;
                message
            }
            Deed::Read => {
                let _ = tokio::time::timeout(Duration::from_millis(5), client.receive()).await;
                continue;
            }
        };
        if client.press(&message, 1).await {
            break;
        }
    }
}

/// How many recordings there are, and how many of them are sealed.
fn recordings(directory: &Path) -> (usize, usize) {
    // The first session makes the directory.
    let Ok(entries) = std::fs::read_dir(directory) else { return (0, 0) };
    let entries = entries.map(|entry| entry.unwrap().path());
    entries.fold((0, 0), |(all, sealed), path| match path.file_name().unwrap().to_str().unwrap() {
        _ if path.is_dir() => {
            let (below, sealed_below) = recordings(&path);
            (all + below, sealed + sealed_below)
        }
        "events.ndjson" => (all + 1, sealed),
        "manifest.json" => (all, sealed + 1),
        _ => (all, sealed),
    })
}

/// What has ended, and how much of it was recorded.
fn ended(house: &House) -> (Vec<audit::AuditEvent>, usize) {
    let mut events = house.journal.events();
    events.retain(|event| event.event == audit::Event::SessionEnded);
    let recorded = events.iter().filter(|event| event.facts.contains_key("manifest_sha256")).count();
    (events, recorded)
}

/// Whether nothing runs, and every recording that was begun is sealed and told of.
fn is_settled(house: &House) -> bool {
    let (_, recorded) = ended(house);
    house.bastion.live.sessions().is_empty() && recordings(&house.recordings) == (recorded, recorded)
}

#[test]
fn row_12_whatever_a_client_sends_its_sessions_end_once_and_sealed() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let house = runtime.block_on(House::open());
    let alice = Person::certified(&house.authority, "alice", &["deploy@db1", "deploy@web1"]);
    let mut runner =
        TestRunner::new(ProptestConfig { cases: CASES, max_shrink_iters: 64, failure_persistence: None, ..ProptestConfig::default() });
    let outcome = runner.run(&prop::collection::vec(a_deed(), 1..40), |deeds| {
        runtime.block_on(async {
            act(&house, &alice, deeds).await;
            // The client is gone, and what it sent may still be on its way.
            let settled = async {
                while !is_settled(&house) {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
            };
            let is_settled = tokio::time::timeout(PATIENCE, settled).await.is_ok();
            let (ended, recorded) = ended(&house);
            prop_assert!(
                is_settled,
                "{:?} of {recorded} recordings, live: {:?}",
                recordings(&house.recordings),
                house.bastion.live.sessions().len()
            );
            let mut sessions: Vec<_> = ended.iter().filter_map(|event| event.session).collect();
            sessions.sort_unstable();
            sessions.dedup();
            prop_assert_eq!(sessions.len(), ended.len(), "a session ended twice");
            Ok(())
        })
    });
    if let Err(error) = outcome {
        panic!("{error}");
    }
    let ended = house.journal.events().iter().filter(|event| event.event == audit::Event::SessionEnded).count();
    assert!(ended > CASES as usize / 4, "hardly a session began: {ended}");
}
