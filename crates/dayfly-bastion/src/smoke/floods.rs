//! Clients that send more than anybody can take, or what cannot be read, behind their key exchange: before and after a login.

use super::{
    client::run,
    raw::{
        RawClient, about, channel_open_with, channel_request, exec_request, forwarding_channel, forwarding_request, message, numbers, push,
        session_channel,
    },
    *,
};
use crate::live::{Order, OrderedBy};
use tokio::task::JoinSet;

/// The number that the bastion gives to a connection's first channel.
const FIRST: u32 = 2;

/// The longest that a test waits for what must happen.
const PATIENCE: Duration = Duration::from_secs(60);

/// How much memory one client may take up, whatever it sends, in bytes: more than the windows and queues of all its channels.
const BOUND: usize = 160 * MIB;

const MIB: usize = 1024 * 1024;

/// A session of somebody else, who must not notice.
struct Bystander {
    connection: super::client::Connection,
    memory: usize,
}

impl Bystander {
    async fn of(house: &House) -> Self {
        let bob = Person::certified(&house.authority, "bob", &["deploy@db1"]);
        let connection = house.log_in("deploy@db1", &bob).await.unwrap();
        assert_eq!(run(&connection, "say 7").await.status, Some(7));
        Self { connection, memory: memory_in_use() }
    }

    async fn is_undisturbed(&self, by: &str) {
        let ran = tokio::time::timeout(PATIENCE, run(&self.connection, "say 7")).await;
        assert_eq!(ran.map(|outcome| outcome.status), Ok(Some(7)), "held up by {by}");
        let grown = memory_in_use().saturating_sub(self.memory);
        assert!(grown < BOUND, "{} MiB more after {by}", grown / MIB);
    }
}

impl House {
    /// alice, logged in by a client that sends what it is told.
    async fn raw_alice(&self) -> RawClient {
        let alice = Person::certified(&self.authority, "alice", &["deploy@db1"]);
        let mut client = self.ready().await;
        assert_eq!(client.log_in("deploy@db1", &alice.certificate, &alice.key).await, message::USERAUTH_SUCCESS);
        client
    }
}

fn asked(kind: &str) -> Vec<u8> {
    let mut request = vec![message::GLOBAL_REQUEST];
    push(&mut request, kind);
    request.push(1);
    request
}

fn data(channel: u32, bytes: usize) -> Vec<u8> {
    let mut data = about(message::CHANNEL_DATA, channel);
    push(&mut data, vec![b'x'; bytes]);
    data
}

/// Before a login nothing is kept of what is sent, and the grace ends it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn row_10_a_flood_before_a_login_is_over_with_the_grace() {
    let house = House::open_with_grace(Duration::from_secs(10)).await;
    let bystander = Bystander::of(&house).await;
    let mut service = vec![message::SERVICE_REQUEST];
    push(&mut service, "ssh-userauth");
    let login = |method: &str, rest: &[&[u8]]| {
        let mut request = vec![message::USERAUTH_REQUEST];
        for field in ["whoever", "ssh-connection", method] {
            push(&mut request, field);
        }
        rest.iter().for_each(|part| request.extend_from_slice(part));
        request
    };
    let mut response = vec![message::USERAUTH_INFO_RESPONSE];
    response.extend(u32::MAX.to_be_bytes());
    let floods: [(&str, Vec<u8>); 9] = [
        ("services", service),
        ("questions for methods", login("none", &[])),
        ("interactive logins", login("keyboard-interactive", &[&[0; 8]])),
        ("answers that nobody asked for", response),
        ("logins cut short", login("publickey", &[&[1, 0, 0]])),
        ("signatures without end", login("publickey", &[&[1], &u32::MAX.to_be_bytes()])),
        ("numbers that mean nothing", vec![200, 1, 2, 3]),
        ("extensions", vec![message::EXT_INFO, 0xff, 0xff, 0xff, 0xff]),
        ("the longest messages", vec![message::USERAUTH_REQUEST; 200_000]),
    ];
    let mut pressing = JoinSet::new();
    for (name, flood) in floods {
        let mut client = house.raw().await;
        client.begin_logins().await;
        pressing.spawn(async move {
            client.press(&flood, 10_000).await;
            (name, tokio::time::timeout(PATIENCE, client.ended()).await)
        });
    }
    while let Some(pressed) = pressing.join_next().await {
        let (name, ended) = pressed.unwrap();
        bystander.is_undisturbed(name).await;
        assert!(ended.is_ok(), "{name}: still there after the grace");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn row_10_a_flood_after_a_login_disturbs_nobody_and_leaves_nothing() {
    let house = House::open().await;
    let bystander = Bystander::of(&house).await;
    let mut variable = channel_request(FIRST, "env", true);
    push(&mut variable, "LC_ALL");
    push(&mut variable, "x".repeat(30_000));
    let mut window = channel_request(FIRST, "window-change", false);
    window.extend([0, 0, 0, 80].repeat(4));
    let mut signal = channel_request(FIRST, "signal", false);
    push(&mut signal, "USR1");
    let unknown = channel_open_with("nobody@knows", 1 << 20, 32768);
    // What is asked for over and over, by a client that listens to no answer.
    let floods: [(&str, Vec<u8>); 15] = [
        ("questions", asked("keepalive@openssh.com")),
        ("pings", asked("ping@openssh.com")),
        ("remote forwardings", forwarding_request()),
        ("channels", session_channel()),
        ("channels to a target", forwarding_channel("db1")),
        ("channels to nowhere", forwarding_channel("nowhere")),
        ("channels without window", channel_open_with("session", 0, 1)),
        ("channels of another kind", unknown),
        ("new keys", super::raw::kexinit("none", "ssh-ed25519", "none")),
        ("logins", vec![message::USERAUTH_REQUEST; 100]),
        ("variables", variable),
        ("sizes", window),
        ("signals", signal),
        ("ends", about(message::CHANNEL_EOF, FIRST)),
        ("windows", numbers(message::CHANNEL_WINDOW_ADJUST, &[FIRST, u32::MAX])),
    ];
    for (name, flood) in floods {
        let mut client = house.raw_alice().await;
        assert_eq!(client.start("cat").await, FIRST);
        client.press(&flood, 5000).await;
        bystander.is_undisturbed(name).await;
        drop(client);
    }
    drop(bystander);
    tokio::time::timeout(PATIENCE, house.life.idle()).await.expect("a session does not end");
    assert!(house.bastion.live.sessions().is_empty());
}

/// What comes past every window cannot be kept, and is not.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn row_10_whoever_does_not_heed_the_window_is_cut_off() {
    let house = House::open().await;
    let bystander = Bystander::of(&house).await;
    let mut client = house.raw_alice().await;
    // A command that reads nothing: all that is sent waits here.
    let channel = client.start("hang").await;
    assert!(client.press(&data(channel, 200_000), 2000).await, "400 MB were taken");
    bystander.is_undisturbed("a flood past the window").await;
    tokio::time::timeout(PATIENCE, house.ended_after(2)).await.expect("its session goes on");
}

/// Data, requests and ends for a channel that was closed, or never was.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn row_12_nothing_comes_of_what_is_sent_to_a_channel_that_is_not_there() {
    let house = House::open().await;
    let mut client = house.raw_alice().await;
    assert_eq!(client.run("say 0").await, "err\n");
    for channel in [0, 1, FIRST, 31, u32::MAX] {
        for late in [
            data(channel, 100),
            exec_request(channel, "say 3"),
            about(message::CHANNEL_EOF, channel),
            about(message::CHANNEL_CLOSE, channel),
            numbers(message::CHANNEL_WINDOW_ADJUST, &[channel, 1]),
        ] {
            client.send(&late).await;
        }
    }
    assert_eq!(client.run("say 0").await, "err\n", "the connection is as good as before");
    drop(client);
    tokio::time::timeout(PATIENCE, house.life.idle()).await.expect("a session does not end");
    let ended = house.journal.events().iter().filter(|event| event.event == audit::Event::SessionEnded).count();
    assert_eq!(ended, 2, "nothing else was started");
}

/// Answers that say that the bastion opened a channel, or did not.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn row_10_an_answer_to_no_question_ends_the_connection() {
    let house = House::open().await;
    let opened = numbers(message::CHANNEL_OPEN_CONFIRMATION, &[7, 7, 1 << 20, 32768]);
    // Its own channel, which would be counted no more.
    let opened_again = numbers(message::CHANNEL_OPEN_CONFIRMATION, &[FIRST, 7, 1 << 20, 32768]);
    let failed = numbers(message::CHANNEL_OPEN_FAILURE, &[FIRST, 1, 0, 0]);
    for answer in [opened, opened_again, failed] {
        let mut client = house.raw_alice().await;
        assert_eq!(client.start("cat").await, FIRST);
        client.send(&answer).await;
        assert!(tokio::time::timeout(PATIENCE, client.ended()).await.is_ok(), "{answer:?}");
    }
    tokio::time::timeout(PATIENCE, house.life.idle()).await.expect("a session does not end");
}

/// A client that reads nothing can be written to no more. Its session ends all the same when it must, and is on record.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn row_14_a_client_that_never_reads_keeps_no_session_from_its_end() {
    let house = House::open().await;
    let bystander = Bystander::of(&house).await;
    for window in [0, 1 << 20, u32::MAX] {
        let mut client = house.raw_alice().await;
        client.send(&channel_open_with("session", window, 32768)).await;
        let confirmation = client.receive().await.unwrap();
        client.send(&exec_request(u32::from_be_bytes(confirmation[5..9].try_into().unwrap()), "source 300000000")).await;
        while house.bastion.live.sessions().is_empty() {
            tokio::task::yield_now().await;
        }
        bystander.is_undisturbed("a client that never reads").await;
        let before = house.journal.events().len();
        let running = house.bastion.live.sessions();
        for live in &running {
            live.end(Order { message: "enough".into(), by: OrderedBy::Operator(7) });
        }
        drop(running);
        let told = async {
            while house.journal.events().len() == before {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(PATIENCE, told).await.unwrap_or_else(|_| panic!("window {window}: the session goes on"));
        let ended = house.journal.events().pop().unwrap();
        assert_eq!(ended.reason, Some(Reason::EndedByOperator));
        assert!(ended.facts.contains_key("manifest_sha256"));
        drop(client);
    }
}

/// Each message cut short at each of its bytes: what cannot be read ends its own connection or is passed over, and is nobody else's affair.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn row_10_messages_cut_short_anywhere_end_their_own_connection_at_most() {
    let house = House::open().await;
    let bystander = Bystander::of(&house).await;
    let mut terminal = channel_request(FIRST, "pty-req", true);
    push(&mut terminal, "xterm");
    terminal.extend([0; 16]);
    push(&mut terminal, [53, 0, 0, 0, 1, 0]);
    let mut variable = channel_request(FIRST, "env", true);
    push(&mut variable, "LANG");
    push(&mut variable, "C");
    let mut subsystem = channel_request(FIRST, "subsystem", true);
    push(&mut subsystem, "sftp");
    let whole = [
        session_channel(),
        forwarding_channel("db1"),
        forwarding_request(),
        exec_request(FIRST, "say 0"),
        terminal,
        variable,
        subsystem,
        data(FIRST, 5),
        numbers(message::CHANNEL_WINDOW_ADJUST, &[FIRST, 1]),
        about(message::CHANNEL_CLOSE, FIRST),
    ];
    let with_a_channel = async || {
        let mut client = house.raw_alice().await;
        assert_eq!(client.start("cat").await, FIRST);
        client
    };
    let mut client = with_a_channel().await;
    let mut cut_off = 0;
    for message in &whole {
        for end in 1..message.len() {
            if client.press(&message[..end], 1).await || client.press(&asked("are you there"), 1).await {
                cut_off += 1;
                client = with_a_channel().await;
            }
            // Whatever is answered is not what this is about.
            if end % 8 == 0 {
                drop(client);
                client = with_a_channel().await;
            }
        }
        bystander.is_undisturbed("messages cut short").await;
    }
    assert!(cut_off > 0, "nothing that cannot be read ends a connection");
    drop((client, bystander));
    tokio::time::timeout(PATIENCE, house.life.idle()).await.expect("a session does not end");
}
