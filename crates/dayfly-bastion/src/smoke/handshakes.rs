//! Clients that do not keep to the protocol before keys are exchanged: malformed, out of order, oversized, slow, half open. On real sockets, in the clear.

use super::{
    client::{authenticate, run},
    raw::{kexinit, message, packet, push, session_channel},
    *,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
    task::JoinSet,
};

/// How long a client may take to log in where it is waited for: longer than an honest one needs on a busy machine.
const GRACE: Duration = Duration::from_secs(4);

/// The longest that a test waits for what must happen.
const PATIENCE: Duration = Duration::from_secs(60);

const IDENTIFICATION: &[u8] = b"SSH-2.0-mallory\r\n";
const KEX: &str = "curve25519-sha256";
const STRICT: &str = "curve25519-sha256,kex-strict-c-v00@openssh.com";

impl House {
    /// A socket from an address of its own, so that no limit on an address is met.
    async fn socket_from(&self, number: u16) -> TcpStream {
        let [high, low] = number.to_be_bytes();
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(SocketAddr::from(([127, 1, high, low], 0))).unwrap();
        socket.connect(self.address).await.unwrap()
    }

    /// What one gets back who sends these bytes and then waits for the end.
    async fn answer_to(&self, number: u16, bytes: &[u8]) -> Vec<u8> {
        let mut socket = self.socket_from(number).await;
        let mut received = Vec::new();
        let _ = socket.write_all(bytes).await;
        let _ = socket.read_to_end(&mut received).await;
        received
    }
}

/// After an identification, these messages.
fn messages(payloads: &[&[u8]]) -> Vec<u8> {
    payloads.iter().fold(IDENTIFICATION.to_vec(), |mut bytes, payload| {
        bytes.extend(packet(payload));
        bytes
    })
}

fn offer(exchanges: &str) -> Vec<u8> {
    kexinit(exchanges, "ssh-ed25519", "aes128-gcm@openssh.com")
}

fn exchange(point: &[u8]) -> Vec<u8> {
    let mut message = vec![message::KEX_ECDH_INIT];
    push(&mut message, point);
    message
}

/// An identification, and then a packet that says of itself what it likes.
fn raw_packet(length: u32, rest: &[u8]) -> Vec<u8> {
    [IDENTIFICATION, &length.to_be_bytes(), rest].concat()
}

/// What ends a connection at once: there is nothing to wait for.
fn nonsense() -> Vec<(&'static str, Vec<u8>)> {
    let kexinit = offer(KEX);
    let mut endless_names = vec![message::KEXINIT];
    endless_names.extend([0; 16]);
    endless_names.extend(u32::MAX.to_be_bytes());
    let mut follows = offer("diffie-hellman-group1-sha1,curve25519-sha256");
    let at = follows.len() - 5;
    follows[at] = 1;
    vec![
        ("a line that does not end", vec![b'x'; 300]),
        ("bytes", vec![0xff; 65536]),
        ("another protocol", b"GET / HTTP/1.1\r\n\r\n".to_vec()),
        ("the first SSH", b"SSH-1.5-mallory\r\n".to_vec()),
        ("an identification of no letters", b"SSH-2.0-\xff\xfe\r\n".to_vec()),
        ("lines before the identification", [b"hello\r\n".repeat(30), IDENTIFICATION.to_vec()].concat()),
        ("the longest packet", raw_packet(u32::MAX, b"")),
        ("a packet past the longest", raw_packet(512 * 1024, b"")),
        ("a packet with more padding than packet", raw_packet(12, &[255; 12])),
        ("keys that are new before any", messages(&[&[message::NEWKEYS]])),
        ("an exchange before it was agreed on", messages(&[&exchange(&[9; 32])])),
        ("algorithms, and new keys", messages(&[&kexinit, &[message::NEWKEYS]])),
        ("algorithms twice", messages(&[&kexinit, &kexinit])),
        ("algorithms that nobody knows", messages(&[&offer("diffie-hellman-group1-sha1")])),
        ("algorithms cut short", messages(&[&kexinit[..40]])),
        ("algorithms without end", messages(&[&endless_names])),
        ("a point of no bytes", messages(&[&kexinit, &exchange(b"")])),
        ("a point of too few bytes", messages(&[&kexinit, &exchange(&[9; 31])])),
        ("a point of too many bytes", messages(&[&kexinit, &exchange(&[9; 4096])])),
        ("a point that gives everybody the same secret", messages(&[&kexinit, &exchange(&[0; 32])])),
        ("an exchange cut short", messages(&[&kexinit, &[message::KEX_ECDH_INIT, 0, 0, 1]])),
        ("a wrong guess, and nothing better", messages(&[&follows, &exchange(&[9; 32]), &[message::NEWKEYS]])),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn row_10_nonsense_before_the_keys_ends_its_connection_at_once_and_no_other() {
    let house = Arc::new(House::open().await);
    let alice = Person::certified(&house.authority, "alice", &["deploy@db1"]);
    let before = house.log_in("deploy@db1", &alice).await.unwrap();
    let mut talking = JoinSet::new();
    for (number, (name, bytes)) in nonsense().into_iter().enumerate() {
        let house = house.clone();
        talking.spawn(async move {
            let talk = house.answer_to(u16::try_from(number).unwrap() + 1, &bytes);
            // The grace is a minute: whoever is waited for is not let go of by it.
            (name, tokio::time::timeout(PATIENCE / 3, talk).await)
        });
    }
    while let Some(talked) = talking.join_next().await {
        let (name, answer) = talked.unwrap();
        let answer = answer.unwrap_or_else(|_| panic!("{name}: still waited for"));
        assert!(answer.is_empty() || answer.starts_with(b"SSH-2.0-dayfly"), "{name}: {answer:?}");
    }
    assert_eq!(run(&before, "say 7").await.status, Some(7));
    assert_eq!(run(&house.log_in("deploy@db1", &alice).await.unwrap(), "say 7").await.status, Some(7));
    assert_eq!(house.journal.events().iter().filter(|event| event.event != audit::Event::SessionEnded).count(), 0, "nothing to report");
}

/// Terrapin (CVE-2023-48795): whatever is slipped in before the keys are new would later be missing unnoticed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn row_09_nothing_is_slipped_in_before_the_keys_are_new() {
    let house = House::open().await;
    let strict = offer(STRICT);
    let ignored: &[u8] = &[message::IGNORE, 0, 0, 0, 0];
    let unimplemented: &[u8] = &[message::UNIMPLEMENTED, 0, 0, 0, 0];
    let debug: &[u8] = &[message::DEBUG, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let info: &[u8] = &[message::EXT_INFO, 0, 0, 0, 0];
    let login: &[u8] = &[message::USERAUTH_SUCCESS];
    let exchanged = exchange(&[9; 32]);
    let mut number = 1000;
    for slipped in [ignored, unimplemented, debug, info, login] {
        for order in [&[slipped, &strict][..], &[&strict, slipped], &[&strict, &exchanged, slipped]] {
            number += 1;
            let bytes = messages(order);
            let answer = tokio::time::timeout(PATIENCE / 3, house.answer_to(number, &bytes)).await;
            assert!(answer.is_ok(), "{slipped:?} was taken, the algorithms at {:?}", order.iter().position(|sent| *sent == strict));
        }
    }
    // The same messages are nothing to a client that does not know of it, and to whom nothing was promised: it is waited for.
    let waited = tokio::time::timeout(Duration::from_millis(200), house.answer_to(2000, &messages(&[ignored, &offer(KEX)]))).await;
    assert!(waited.is_err());
}

/// What might still become a login: nobody is waited for longer than the grace, whatever they do in it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn row_10_nobody_is_waited_for_past_the_grace() {
    let house = Arc::new(House::open_with_grace(GRACE).await);
    let alice = Person::certified(&house.authority, "alice", &["deploy@db1"]);
    let before = house.log_in("deploy@db1", &alice).await.unwrap();
    let mut talking = JoinSet::new();
    let half: Vec<(&str, Vec<u8>)> = vec![
        ("nothing", Vec::new()),
        ("half an identification", b"SSH-2.0-mall".to_vec()),
        ("an identification", IDENTIFICATION.to_vec()),
        ("half a length", raw_packet(0, b"")[..IDENTIFICATION.len() + 2].to_vec()),
        ("half a packet", raw_packet(200_000, &[4; 1000])),
        ("a length of zero", raw_packet(0, &[0; 64])),
        ("a message of nothing", messages(&[b""])),
        ("algorithms", messages(&[&offer(KEX)])),
        ("an exchange", messages(&[&offer(KEX), &exchange(&[9; 32])])),
        ("a flood of nothing", messages(&vec![&[message::IGNORE, 0, 0, 0, 0][..]; 100_000])),
        ("logins in the clear", messages(&[&[message::SERVICE_REQUEST], &[message::USERAUTH_SUCCESS], &session_channel()])),
        ("a goodbye", messages(&[&[message::DISCONNECT, 0, 0, 0, 11, 0, 0, 0, 0, 0, 0, 0, 0]])),
    ];
    for (number, (name, bytes)) in half.into_iter().enumerate() {
        let house = house.clone();
        talking.spawn(async move {
            (name, tokio::time::timeout(PATIENCE, house.answer_to(u16::try_from(number).unwrap() + 3000, &bytes)).await)
        });
    }
    // A byte now and then, for ever.
    let slow = house.clone();
    talking.spawn(async move {
        let mut socket = slow.socket_from(4000).await;
        let endless = async {
            for byte in messages(&[&offer(KEX)]).iter().cycle() {
                if socket.write_u8(*byte).await.is_err() {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            Vec::new()
        };
        ("a byte now and then", tokio::time::timeout(PATIENCE, endless).await)
    });
    // Nothing more to send, and the other direction left open.
    let halved = house.clone();
    talking.spawn(async move {
        let mut socket = halved.socket_from(4001).await;
        let mut received = Vec::new();
        socket.write_all(IDENTIFICATION).await.unwrap();
        socket.shutdown().await.unwrap();
        let read = tokio::time::timeout(PATIENCE, socket.read_to_end(&mut received)).await;
        ("half a connection", read.map(|_| received))
    });
    while let Some(talked) = talking.join_next().await {
        let (name, answer) = talked.unwrap();
        assert!(answer.is_ok(), "{name}: still waited for");
    }
    assert_eq!(run(&before, "say 7").await.status, Some(7));
}

/// More than may wait, from an address each: whoever is there is not disturbed, and others get in once the grace of some is over.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn row_10_hundreds_of_half_open_connections_keep_nobody_out_for_long() {
    let house = House::open_with_grace(GRACE).await;
    let settings = house.settings.borrow().clone();
    let limits = Limits { max_unauthenticated: 64, early_drop_from: 32, ..settings.limits.clone() };
    house.settings.send_replace(Arc::new(Settings { limits, ..Settings::clone(&settings) }));
    let alice = Person::certified(&house.authority, "alice", &["deploy@db1"]);
    let before = house.log_in("deploy@db1", &alice).await.unwrap();
    let mut silent = Vec::new();
    for number in 0..200 {
        silent.push(house.socket_from(5000 + number).await);
    }
    assert_eq!(run(&before, "say 7").await.status, Some(7));
    let get_in = async {
        loop {
            if let Ok(mut connection) = house.try_connect().await
                && authenticate(&mut connection, "deploy@db1", &alice).await
            {
                return Some(connection);
            }
        }
    };
    let connection = tokio::time::timeout(PATIENCE, get_in).await.ok().flatten().expect("alice is kept out");
    assert_eq!(run(&connection, "say 7").await.status, Some(7));
    for mut socket in silent {
        let mut received = Vec::new();
        let ended = tokio::time::timeout(PATIENCE, socket.read_to_end(&mut received)).await;
        assert!(ended.is_ok(), "one of them is still there");
    }
}
