use super::*;
use crate::{
    config::{Calls, Custody},
    signer::{
        open as open_key,
        secrets::Secrets,
        suite::{CALLS, RunningAgent, key},
    },
};
use dayfly_core::{
    certificate::UnsignedCertificate,
    signature::sign_sshsig,
    signer::{SeedSigner, Signer},
};
use std::{os::unix::net::UnixListener, sync::Arc, thread};

const KIND: (&str, &str) = ("ed25519", "256");

const BRIEF: Calls = Calls { timeout: Duration::from_millis(200), sessions: 1 };

#[test]
fn a_killed_agent_fails_by_name_and_serves_again_once_it_is_back() {
    let mut agent = RunningAgent::start();
    let line = agent.add_new_key(KIND);
    let signer = open_key(&key(agent.custody(&line, CALLS)), &Secrets::none()).unwrap();
    signer.sign(b"before").unwrap();
    agent.kill();
    let error = signer.sign(b"while it is away").unwrap_err();
    assert!(error.key.starts_with("user_ca (SHA256:") && error.cause.contains("ssh-add -L"), "{error}");
    agent.start_again();
    // It runs and has forgotten the key.
    assert!(signer.sign(b"without the key").unwrap_err().cause.contains("it says no"));
    agent.add(&agent.file(KIND));
    let signature = signer.sign(b"after").unwrap();
    assert_eq!(dayfly_core::signature::verify(signer.public_key(), b"after", &signature), Ok(()));
}

#[test]
fn a_mistake_tells_the_line_and_what_to_look_at() {
    let agent = RunningAgent::start();
    let mistake = |custody| open_key(&key(custody), &Secrets::none()).err().expect("a mistake").to_string();
    let stranger = PublicKey::from(SeedSigner::new(9).public_key().clone()).to_openssh().unwrap();
    let absent = mistake(agent.custody(&stranger, CALLS));
    assert!(absent.starts_with("ca.toml:7: user_ca: the agent at ") && absent.contains("does not hold the key"), "{absent}");
    assert!(absent.contains("ssh-add -L"), "{absent}");
    let nobody = Custody::Agent(AgentKey { socket: "/nonexistent/agent.sock".into(), key: stranger, calls: CALLS });
    assert!(mistake(nobody).contains("cannot be reached"), "a socket that is not there");
    assert!(mistake(agent.custody("not a key", CALLS)).contains("the agent's key cannot be read"));
}

/// An agent that answers each request with what `answer` makes of it, and never answers where that is nothing.
struct FalseAgent {
    _directory: tempfile::TempDir,
    socket: PathBuf,
}

impl FalseAgent {
    fn start(answer: impl Fn(&[u8]) -> Option<Vec<u8>> + Send + Sync + 'static) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let socket = directory.path().join("agent.sock");
        let listener = UnixListener::bind(&socket).unwrap();
        let answer = Arc::new(answer);
        thread::spawn(move || {
            for connection in listener.incoming() {
                let answer = Arc::clone(&answer);
                thread::spawn(move || serve(connection.unwrap(), answer.as_ref()));
            }
        });
        Self { _directory: directory, socket }
    }

    /// A key of it, opened as if it was there a while ago: what is tried is its signing.
    fn signer(&self, calls: Calls) -> PooledSigner {
        let public = SeedSigner::new(1).public_key().clone();
        PooledSigner::new("user_ca", public.clone(), Agent { socket: self.socket.clone(), public }, calls).unwrap()
    }
}

fn serve(mut connection: UnixStream, answer: &dyn Fn(&[u8]) -> Option<Vec<u8>>) -> Option<()> {
    loop {
        let mut length = [0; 4];
        connection.read_exact(&mut length).ok()?;
        let mut request = vec![0; u32::from_be_bytes(length) as usize];
        connection.read_exact(&mut request).ok()?;
        if let Some(answer) = answer(&request) {
            connection.write_all(&answer).ok()?;
        }
    }
}

/// SSH_AGENT_SIGN_RESPONSE with a signature by the key of `seed` over `message`.
fn signed(seed: u8, message: &[u8]) -> Vec<u8> {
    let signature: Vec<u8> = SeedSigner::new(seed).sign(message).unwrap().try_into().unwrap();
    let string = [&(signature.len() as u32).to_be_bytes()[..], &signature].concat();
    [&(string.len() as u32 + 1).to_be_bytes()[..], &[14], &string].concat()
}

#[test]
fn an_agent_that_never_answers_is_given_up() {
    let agent = FalseAgent::start(|_| None);
    let error = agent.signer(BRIEF).sign(b"message").unwrap_err();
    assert!(error.cause.contains("the agent at") && error.cause.contains("200ms"), "{error}");
    // While it is opened as well.
    let custody = Custody::Agent(AgentKey { socket: agent.socket.clone(), key: "SHA256:x".to_owned(), calls: BRIEF });
    let mistake = open_key(&key(custody), &Secrets::none()).err().expect("a mistake").to_string();
    assert!(mistake.starts_with("ca.toml:7: user_ca: the agent at "), "{mistake}");
}

#[test]
fn an_agent_that_accepts_nobody_is_given_up() {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("agent.sock");
    let listener = UnixListener::bind(&socket).unwrap();
    // As many as the kernel lets wait, and one more, which would wait for ever.
    rustix::net::listen(&listener, 1).unwrap();
    let start = Instant::now();
    let _waiting = [(); 2].map(|()| Connection::open(&socket, start + Duration::from_secs(20)).unwrap());
    let start = Instant::now();
    assert!(Connection::open(&socket, start + Duration::from_millis(100)).is_err());
    assert!(start.elapsed() < Duration::from_secs(10));
}

#[test]
fn an_agent_that_answers_a_byte_at_a_time_gets_no_more_time_than_others() {
    let agent = FalseAgent::start(|_| Some(vec![0, 0, 1, 0, 14]));
    let error = agent.signer(BRIEF).sign(b"message").unwrap_err();
    assert!(error.cause.contains("200ms"), "{error}");
}

#[test]
fn garbage_costs_an_error_and_nothing_else() {
    let garbage: [&[u8]; 6] = [
        &[0, 0, 0, 0],
        &[0, 0, 0, 1, 99],
        &[0, 0, 0, 1, 14],
        &[0, 0, 0, 5, 14, 0xff, 0xff, 0xff, 0xff],
        // Four gigabytes, which nobody sets aside.
        &[0xff, 0xff, 0xff, 0xff],
        &[0, 0, 0, 5, 12, 0xff, 0xff, 0xff, 0xff],
    ];
    for bytes in garbage {
        let agent = FalseAgent::start(move |_| Some(bytes.to_vec()));
        assert!(agent.signer(CALLS).sign(b"message").is_err(), "{bytes:?}");
    }
}

#[test]
fn a_wrong_signature_is_thrown_away() {
    // Well made, by the right key over something else, and by another key.
    for (seed, message) in [(1, &b"something else"[..]), (2, b"message")] {
        let agent = FalseAgent::start(move |_| Some(signed(seed, message)));
        let signer = agent.signer(CALLS);
        assert!(sign_sshsig(&signer, "log-head@dayfly", b"head").unwrap_err().cause.contains("thrown away"));
        let holder = SeedSigner::new(3).public_key().clone();
        let unsigned =
            UnsignedCertificate::inner_host(&"b1".parse().unwrap(), &"db1".parse().unwrap(), holder.into(), 1_735_732_800, 1, [7; 32]);
        assert!(unsigned.unwrap().sign(&signer).is_err());
    }
}
