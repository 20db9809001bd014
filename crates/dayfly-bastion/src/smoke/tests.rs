use super::{
    client::{authenticate, certificate, finish, run, start},
    *,
};
use crate::authority::double;
use bytes::Bytes;
use ssh_key::certificate::CertType;
use std::sync::atomic::Ordering;
use tokio::io::AsyncReadExt;

const MIB: usize = 1024 * 1024;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_through_a_jump_has_its_streams_status_and_recording() {
    let house = House::open().await;
    let alice = Person::certified(&house.authority, "alice", &["deploy@db1"]);
    let (_outside, inside) = house.jump(&alice, &alice, "deploy", "db1").await.unwrap();
    let outcome = run(&inside, "say 7").await;
    assert_eq!(outcome, Outcome { stdout: b"out\n".to_vec(), stderr: "err\n".into(), status: Some(7), eofs: 1, closed: true });
    let ended = house.ended().await;
    assert_eq!(ended.subject.as_ref().unwrap().to_string(), "alice");
    assert_eq!(
        (ended.facts["bytes_out"].as_str(), ended.facts["exit_status"].as_str(), ended.facts["ending"].as_str()),
        ("8", "7", "completed")
    );
    let directory = dayfly_recording::find(&house.recordings, ended.session.unwrap()).unwrap().unwrap();
    assert!(directory.join("manifest.json").exists() && directory.join("manifest.json.sig").exists());
    let events = std::fs::read_to_string(directory.join("events.ndjson")).unwrap();
    assert!(events.contains("\"say 7\"") && events.contains("\"stream_end\""), "{events}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_terminal_is_sized_resized_signalled_and_recorded() {
    let house = House::open().await;
    let alice = Person::certified(&house.authority, "alice", &["deploy@db1"]);
    let connection = house.log_in("deploy@db1", &alice).await.unwrap();
    let mut channel = connection.channel_open_session().await.unwrap();
    channel.request_pty(true, "xterm", 80, 24, 0, 0, &[(russh::Pty::ECHO, 1)]).await.unwrap();
    channel.request_shell(true).await.unwrap();
    let mut seen = String::new();
    let mut said = 0;
    while let Some(message) = channel.wait().await {
        if let russh::ChannelMsg::Data { data } = message {
            seen.push_str(std::str::from_utf8(&data).unwrap());
            said += 1;
            match said {
                1 => channel.window_change(100, 40, 0, 0).await.unwrap(),
                2 => channel.signal(russh::Sig::USR1).await.unwrap(),
                3 => channel.data_bytes("typed").await.unwrap(),
                _ => channel.data_bytes("q").await.unwrap(),
            }
        }
    }
    assert_eq!(seen, "80x24\r\n100x40\r\nUSR1\r\ntyped");
    let ended = house.ended().await;
    let directory = dayfly_recording::find(&house.recordings, ended.session.unwrap()).unwrap().unwrap();
    let cast = std::fs::read_to_string(directory.join("terminal-0.cast")).unwrap();
    assert!(cast.contains("\"width\":80") && cast.contains("typed") && cast.contains("100x40"), "{cast}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_megabytes_either_way_arrive_whole() {
    let house = House::open().await;
    let alice = Person::certified(&house.authority, "alice", &["deploy@db1"]);
    let (_outside, inside) = house.jump(&alice, &alice, "deploy", "db1").await.unwrap();
    let down = run(&inside, &format!("source {}", 50 * MIB)).await;
    assert_eq!((down.stdout.len(), down.status), (50 * MIB, Some(0)));
    let (reading, writing) = start(&inside, "sink").await;
    writing.data_bytes(Bytes::from(vec![7; 50 * MIB])).await.unwrap();
    writing.eof().await.unwrap();
    assert_eq!(finish(reading).await.stdout, format!("{}\n", 50 * MIB).into_bytes());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_passthrough_target_is_reached_end_to_end() {
    let house = House::open().await;
    let alice = Person::certified(&house.authority, "alice", &["deploy@web1"]);
    let outside = house.log_in("whoever", &alice).await.unwrap();
    let channel = outside.channel_open_direct_tcpip("web1", 22, "127.0.0.1", 1).await.unwrap();
    let web1 = target_named(&house.authority.targets, "web1");
    let trust = client::PinnedTrust(web1.host_keys[0].clone());
    let mut inside = russh::client::connect_stream(Arc::default(), channel.into_stream(), trust).await.unwrap();
    let login = inside.authenticate_openssh_cert("deploy", Arc::new(alice.key.clone()), alice.certificate.clone()).await.unwrap();
    assert!(login.success());
    let channel = inside.channel_open_session().await.unwrap();
    channel.exec(true, "say 4").await.unwrap();
    assert_eq!(finish(channel.split().0).await.status, Some(4));
    drop(inside);
    drop(outside);
    let ended = house.ended().await;
    assert_eq!(ended.facts["mode"], "passthrough");
    assert!(ended.facts["bytes_in"].parse::<u64>().unwrap() > 1000);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn row_33_the_inner_login_is_the_outer_person_with_the_outer_key() {
    let house = House::open().await;
    let alice = Person::certified(&house.authority, "alice", &["deploy@db1"]);
    let bob = Person::certified(&house.authority, "bob", &["deploy@db1"]);
    let bob_by_key_of_alice = Person::with(alice.key.clone(), &house.authority, "bob", &["deploy@db1"], |_| {});
    for other in [&bob, &bob_by_key_of_alice] {
        let (_outside, inside) = house.jump(&alice, other, "deploy", "db1").await.unwrap();
        let outcome = run(&inside, "say 0").await;
        assert_eq!(outcome.status, Some(255));
        assert!(outcome.stderr.contains("(different_person)"), "{}", outcome.stderr);
        assert_eq!(house.refusals().pop(), Some((audit::Event::LoginRefused, Reason::DifferentPerson)));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_refused_is_told_in_words_and_logged() {
    let house = House::open().await;
    let alice = Person::certified(&house.authority, "alice", &["deploy@db1", "deploy@web1"]);
    for (user, reason) in [
        ("alice", Reason::UnknownTarget),
        ("deploy@db2", Reason::UnknownTarget),
        ("deploy@DB1", Reason::UnknownTarget),
        ("deploy@db1.", Reason::UnknownTarget),
        ("deploy@127.0.0.1", Reason::UnknownTarget),
        ("root@db1", Reason::PrincipalMismatch),
        ("deploy@web1", Reason::WrongMode),
        ("a b@db1", Reason::BadRequest),
    ] {
        let connection = house.log_in(user, &alice).await.unwrap();
        let outcome = run(&connection, "say 0").await;
        assert!(outcome.stderr.contains(&format!("({reason})")) && outcome.closed, "{user}: {outcome:?}");
        assert_eq!((outcome.status, outcome.stdout.len()), (Some(255), 0), "{user}");
        assert_eq!(house.refusals().pop(), Some((audit::Event::SessionRefused, reason)), "{user}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn row_38_and_11_only_inventory_names_are_opened() {
    let house = House::open().await;
    let alice = Person::certified(&house.authority, "alice", &["deploy@db1"]);
    let connection = house.log_in("whoever", &alice).await.unwrap();
    let db1 = target_named(&house.authority.targets, "db1");
    for (host, port) in [
        ("127.0.0.1", u32::from(db1.port)),
        ("::ffff:127.0.0.1", u32::from(db1.port)),
        ("localhost", 22),
        ("db1.", 22),
        ("DB1", 22),
        ("db1", 23),
        ("169.254.169.254", 80),
        ("", 22),
    ] {
        let refused = connection.channel_open_direct_tcpip(host, port, "127.0.0.1", 1).await;
        assert!(matches!(refused, Err(russh::Error::ChannelOpenFailure(_))), "{host}:{port}");
        assert_eq!(house.refusals().pop(), Some((audit::Event::SessionRefused, Reason::UnknownTarget)), "{host}:{port}");
    }
    assert!(connection.channel_open_direct_tcpip("db1", u32::from(db1.port), "127.0.0.1", 1).await.is_ok());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn row_12_nothing_is_forwarded_around_the_recorder() {
    let house = House::open().await;
    let alice = Person::certified(&house.authority, "alice", &["deploy@db1"]);
    let (outside, inside) = house.jump(&alice, &alice, "deploy", "db1").await.unwrap();
    for connection in [&outside, &inside] {
        assert!(connection.channel_open_direct_streamlocal("/run/x.sock").await.is_err());
        assert!(connection.channel_open_x11("127.0.0.1", 1).await.is_err());
        assert!(connection.tcpip_forward("127.0.0.1", 0).await.is_err());
        assert!(connection.streamlocal_forward("/tmp/x.sock").await.is_err());
    }
    assert!(inside.channel_open_direct_tcpip("web1", 22, "127.0.0.1", 1).await.is_err());
    // What the CA would have refused, here the bastion refuses: its sessions end before they begin.
    assert_eq!(house.ended().await.facts["forward"], "web1:22");
    let at_the_bastion = (audit::Event::SessionRefused, Reason::UnknownTarget);
    let refusals = house.refusals();
    assert!(refusals.iter().all(|refusal| refusal.1 == Reason::NotAllowed || *refusal == at_the_bastion), "{refusals:?}");
    assert_eq!(refusals.len(), 9);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_the_ca_away_a_recorded_session_ends_at_once_with_the_reason() {
    let house = House::open().await;
    let alice = Person::certified(&house.authority, "alice", &["deploy@db1"]);
    let (_outside, inside) = house.jump(&alice, &alice, "deploy", "db1").await.unwrap();
    house.authority.away.store(true, Ordering::SeqCst);
    let outcome = run(&inside, "say 0").await;
    assert!(outcome.stderr.contains("(ca_unavailable)"), "{}", outcome.stderr);
    assert_eq!(outcome.status, Some(255));
    house.authority.away.store(false, Ordering::SeqCst);
    assert_eq!(run(&inside, "say 0").await.status, Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn row_34_a_revoked_certificate_opens_nothing_more_and_its_sessions_end() {
    let house = House::open().await;
    let alice = Person::certified(&house.authority, "alice", &["deploy@db1"]);
    let (outside, inside) = house.jump(&alice, &alice, "deploy", "db1").await.unwrap();
    let (running, _writing) = start(&inside, "hang").await;
    let mut answer = house.authority.answer();
    answer.revocations.serials.insert(7);
    house.snapshot.send_replace(Arc::new(Snapshot::new(&house.authority.bastion, answer).unwrap()));
    let outcome = finish(running).await;
    assert!(outcome.stderr.contains("(revoked)"), "{}", outcome.stderr);
    assert!(run(&inside, "say 0").await.stderr.contains("(revoked)"));
    assert!(outside.channel_open_direct_tcpip("db1", 22, "127.0.0.1", 1).await.is_err());
    assert_eq!(house.ended().await.facts["ending"], "terminated");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_leaves_ends_its_sessions_sealed() {
    let house = House::open().await;
    let alice = Person::certified(&house.authority, "alice", &["deploy@db1"]);
    let (outside, inside) = house.jump(&alice, &alice, "deploy", "db1").await.unwrap();
    let (mut reading, writing) = start(&inside, "cat").await;
    writing.data_bytes("before").await.unwrap();
    while !matches!(reading.wait().await, Some(russh::ChannelMsg::Data { .. })) {}
    drop((outside, inside, reading, writing));
    let ended = house.ended().await;
    assert_eq!((ended.facts["ending"].as_str(), ended.facts["bytes_in"].as_str()), ("client_gone", "6"));
    assert!(ended.facts.contains_key("manifest_sha256"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn row_04_a_pin_that_only_the_target_can_see_opens_no_recorded_session() {
    let house = House::open().await;
    let person = Person::with(double::fresh_key(), &house.authority, "alice", &["deploy@db1", "deploy@web1"], |builder| {
        builder.critical_option("verify-required", "").unwrap();
    });
    // At the bastion itself, where nothing of its own depends on a PIN.
    let outside = house.log_in("deploy@db1", &person).await.unwrap();
    assert!(run(&outside, "say 0").await.stderr.contains("(verify_required)"));
    assert!(house.refusals().contains(&(audit::Event::SessionRefused, Reason::VerifyRequired)));
    // Inside, where the bastion answers for the target.
    let (_outside, inside) = house.jump(&person, &person, "deploy", "db1").await.unwrap();
    assert!(run(&inside, "say 0").await.stderr.contains("(verify_required)"));
    assert!(house.refusals().contains(&(audit::Event::LoginRefused, Reason::VerifyRequired)));
    // A passthrough target's own sshd sees it.
    assert!(outside.channel_open_direct_tcpip("web1", 22, "127.0.0.1", 1).await.is_ok());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_01_to_06_a_certificate_of_ours_with_a_defect_is_told_and_logged() {
    let house = House::open().await;
    for (defect, reason) in [
        (("unknown@example", ""), Reason::UnknownCriticalOption),
        (("source-address", "192.0.2.0/24"), Reason::SourceAddress),
        (("source-address", "::1"), Reason::SourceAddress),
    ] {
        let key = double::fresh_key();
        let person = Person::with(key, &house.authority, "alice", &["deploy@db1"], |builder| {
            builder.critical_option(defect.0, defect.1).unwrap();
        });
        let connection = house.log_in("deploy@db1", &person).await.unwrap();
        let outcome = run(&connection, "say 0").await;
        assert!(outcome.stderr.contains(&format!("({reason})")) && outcome.status == Some(255), "{defect:?}: {outcome:?}");
        assert!(connection.channel_open_direct_tcpip("db1", 22, "127.0.0.1", 1).await.is_err());
        assert!(house.refusals().contains(&(audit::Event::LoginRefused, reason)), "{defect:?}");
    }
    for principal in ["deploy,root", "deploy@*", "-deploy@db1", "a@b@db1"] {
        let person = Person::certified(&house.authority, "alice", &[principal]);
        let connection = house.log_in("deploy@db1", &person).await.unwrap();
        assert!(run(&connection, "say 0").await.stderr.contains("(bad_principal)"), "{principal}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn row_03_a_certificate_that_is_not_ours_fails_the_login_and_is_logged() {
    let house = House::open().await;
    let key = double::fresh_key();
    let now = double::unix_now();
    let foreign = certificate(&key, &SeedSigner::new(66), (now - 30, now + 300), |builder| {
        builder.key_id("alice").unwrap().valid_principal("deploy@db1").unwrap();
    });
    let host = certificate(&key, &house.authority.user_ca, (now - 30, now + 300), |builder| {
        builder.cert_type(CertType::Host).unwrap().key_id("alice").unwrap().valid_principal("deploy@db1").unwrap();
    });
    let session_ca = certificate(&key, &house.authority.session_ca, (now - 30, now + 300), |builder| {
        builder.key_id("alice").unwrap().valid_principal("deploy@db1").unwrap();
    });
    for (certificate, reason) in [(foreign, Reason::ForeignCa), (host, Reason::WrongType), (session_ca, Reason::ForeignCa)] {
        let person = Person { key: key.clone(), certificate };
        assert!(house.log_in("deploy@db1", &person).await.is_none());
        assert_eq!(house.refusals().pop(), Some((audit::Event::LoginRefused, reason)));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn row_05_an_expired_certificate_is_logged_as_refused_by_the_transport() {
    let house = House::open().await;
    let key = double::fresh_key();
    let now = double::unix_now();
    for window in [(now - 600, now - 300), (now + 300, now + 600)] {
        let person = Person {
            certificate: certificate(&key, &house.authority.user_ca, window, |builder| {
                builder.key_id("alice").unwrap().valid_principal("deploy@db1").unwrap();
            }),
            key: key.clone(),
        };
        let before = house.refusals().len();
        let mut connection = house.connect().await;
        assert!(!authenticate(&mut connection, "deploy@db1", &person).await);
        drop(connection);
        while house.refusals().len() == before {
            tokio::task::yield_now().await;
        }
        assert_eq!(house.refusals().pop(), Some((audit::Event::LoginRefused, Reason::RefusedByTransport)));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn row_08_bare_keys_and_passwords_admit_nobody() {
    let house = House::open().await;
    let key = Arc::new(double::fresh_key());
    let mut connection = house.connect().await;
    assert!(!connection.authenticate_none("root").await.unwrap().success());
    assert!(!connection.authenticate_password("root", "x").await.unwrap().success());
    for _ in 0..8 {
        let bare = russh::keys::PrivateKeyWithHashAlg::new(key.clone(), None);
        assert!(!connection.authenticate_publickey("root", bare).await.unwrap().success());
    }
    let alice = Person::certified(&house.authority, "alice", &["deploy@db1"]);
    assert!(authenticate(&mut connection, "deploy@db1", &alice).await, "eight failures are no reason to lock anybody out");
    assert_eq!(run(&connection, "say 0").await.status, Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn row_10_who_does_not_log_in_in_time_is_cut_off() {
    let house = House::open_with_grace(Duration::from_millis(50)).await;
    let mut silent = tokio::net::TcpStream::connect(house.address).await.unwrap();
    let mut received = Vec::new();
    silent.read_to_end(&mut received).await.unwrap();
    assert!(received.starts_with(b"SSH-2.0-dayfly"));
    // With a handshake, done in time or not, and then nothing.
    if let Ok(connection) = house.try_connect().await {
        assert!(connection.await.is_err());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_sent_before_the_client_left_arrives_and_the_command_ends_by_itself() {
    let house = House::open().await;
    let alice = Person::certified(&house.authority, "alice", &["deploy@db1"]);
    let (_outside, inside) = house.jump(&alice, &alice, "deploy", "db1").await.unwrap();
    let (_reading, writing) = start(&inside, "sink").await;
    writing.data_bytes(Bytes::from(vec![7; 3 * MIB])).await.unwrap();
    writing.close().await.unwrap();
    let ended = house.ended_after(1).await;
    let facts = |name: &str| ended.facts[name].clone();
    assert_eq!((facts("bytes_in"), facts("exit_status"), facts("ending")), ((3 * MIB).to_string(), "0".into(), "client_gone".into()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bastion_that_stops_lets_nothing_begin_and_ends_what_runs_sealed() {
    let house = House::open().await;
    let alice = Person::certified(&house.authority, "alice", &["deploy@db1"]);
    let (_outside, inside) = house.jump(&alice, &alice, "deploy", "db1").await.unwrap();
    let (running, _writing) = start(&inside, "hang").await;
    let waiting = inside.channel_open_session().await.unwrap();
    house.life.drain();
    assert!(run(&inside, "say 0").await.stderr.contains("(limit_reached)"));
    drop(waiting);
    house.life.stop();
    let outcome = finish(running).await;
    assert!(outcome.stderr.contains("being stopped") && outcome.status == Some(255), "{outcome:?}");
    house.life.idle().await;
    assert!(
        house
            .journal
            .events()
            .iter()
            .filter(|event| event.event == audit::Event::SessionEnded)
            .all(|event| event.facts.contains_key("manifest_sha256"))
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn row_10_who_is_only_told_why_does_not_keep_a_place() {
    let house = House::open_with_grace(Duration::from_secs(3)).await;
    let refused = Person::with(double::fresh_key(), &house.authority, "alice", &["deploy@db1"], |builder| {
        builder.critical_option("unknown@example", "").unwrap();
    });
    let told = house.log_in("deploy@db1", &refused).await.unwrap();
    assert!(tokio::time::timeout(Duration::from_secs(60), told).await.is_ok(), "cut at the end of the grace");
}
