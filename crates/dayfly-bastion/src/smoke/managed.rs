//! What operators set, see and end, and how clients fare then.

use super::{
    client::{finish, run, start},
    *,
};
use crate::{
    continuous,
    live::{Order, OrderedBy},
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// A terminal in which a shell runs, and what it shows.
async fn terminal(connection: &client::Connection) -> russh::Channel<russh::client::Msg> {
    let channel = connection.channel_open_session().await.unwrap();
    channel.request_pty(true, "xterm", 80, 24, 0, 0, &[]).await.unwrap();
    channel.request_shell(true).await.unwrap();
    channel
}

/// Reads until `text` was shown on either stream.
async fn expect(channel: &mut russh::Channel<russh::client::Msg>, text: &str) -> String {
    let mut seen = String::new();
    while !seen.contains(text) {
        match channel.wait().await {
            Some(russh::ChannelMsg::Data { data } | russh::ChannelMsg::ExtendedData { data, .. }) => {
                seen.push_str(std::str::from_utf8(&data).unwrap())
            }
            Some(_) => {}
            None => panic!("{text:?} was not shown; this was: {seen:?}"),
        }
    }
    seen
}

fn limits(house: &House, change: impl FnOnce(&mut Limits)) {
    let mut settings = Settings::clone(&house.settings.borrow());
    change(&mut settings.limits);
    house.settings.send_replace(Arc::new(settings));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn row_39_a_person_with_too_many_sessions_is_told_so_and_it_is_logged() {
    let house = House::open().await;
    limits(&house, |limits| limits.max_sessions_per_person = 1);
    let alice = Person::certified(&house.authority, "alice", &["deploy@db1", "deploy@web1"]);
    let (outside, inside) = house.jump(&alice, &alice, "deploy", "db1").await.unwrap();
    let (_running, _writing) = start(&inside, "hang").await;
    let refused = run(&inside, "say 0").await;
    assert!(refused.stderr.contains("alice has 1 sessions open") && refused.stderr.contains("(limit_reached)"), "{}", refused.stderr);
    assert_eq!(house.refusals().pop(), Some((audit::Event::SessionRefused, Reason::LimitReached)));
    assert!(outside.channel_open_direct_tcpip("web1", 22, "127.0.0.1", 1).await.is_err());
    let bob = Person::certified(&house.authority, "bob", &["deploy@db1"]);
    let (_outside, of_bob) = house.jump(&bob, &bob, "deploy", "db1").await.unwrap();
    assert_eq!(run(&of_bob, "say 7").await.status, Some(7));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_that_idles_is_warned_and_ended_and_one_that_works_is_not() {
    let house = House::open().await;
    limits(&house, |limits| limits.session_idle = Some(Duration::from_secs(2)));
    let alice = Person::certified(&house.authority, "alice", &["deploy@db1"]);
    let (_outside, inside) = house.jump(&alice, &alice, "deploy", "db1").await.unwrap();
    let mut channel = terminal(&inside).await;
    expect(&mut channel, "80x24").await;
    let seen = expect(&mut channel, "(limit_reached)").await;
    assert!(seen.contains("nothing has happened here for 1s: the session ends in 1s") && seen.contains("for 2s"), "{seen}");
    let ended = house.ended().await;
    assert_eq!((ended.reason, ended.facts["ending"].as_str()), (Some(Reason::LimitReached), "terminated"));
    assert!(ended.facts.contains_key("manifest_sha256"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_passthrough_session_ends_after_its_longest_time() {
    let house = House::open().await;
    limits(&house, |limits| limits.session_max = Some(Duration::from_millis(200)));
    let alice = Person::certified(&house.authority, "alice", &["deploy@web1"]);
    let outside = house.log_in("whoever", &alice).await.unwrap();
    let channel = outside.channel_open_direct_tcpip("web1", 22, "127.0.0.1", 1).await.unwrap();
    let mut seen = Vec::new();
    channel.into_stream().read_to_end(&mut seen).await.unwrap();
    let ended = house.ended().await;
    assert_eq!((ended.reason, ended.detail.as_deref()), (Some(Reason::LimitReached), Some("sessions may not last longer")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn row_34_a_role_may_end_a_recorded_session_with_its_certificate() {
    let rules = |authority: &mut AuthorityDouble| authority.rules.end_with_certificate = true;
    let house = House::build(rules, Duration::from_secs(60)).await;
    let ends = crate::authority::double::unix_now() + 2;
    let alice = Person::until(ends, &house.authority, "alice", &["deploy@db1"]);
    let connection = house.log_in("deploy@db1", &alice).await.unwrap();
    let (running, _writing) = start(&connection, "hang").await;
    let outcome = finish(running).await;
    assert!(outcome.stderr.contains("ends with its certificate (expired)"), "{outcome:?}");
    assert!(crate::authority::double::unix_now() >= ends);
    assert_eq!(house.ended().await.reason, Some(Reason::Expired));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn banner_message_of_the_day_and_the_notice_of_the_end_are_shown_at_terminals_alone() {
    let house = House::open().await;
    let settings = Settings::clone(&house.settings.borrow());
    let shown = Settings { banner: Some("private\r\n".to_owned()), message_of_the_day: Some("welcome\r\n".to_owned()), ..settings };
    house.settings.send_replace(Arc::new(shown));
    let alice = Person::certified(&house.authority, "alice", &["deploy@db1"]);
    let connection = house.log_in("deploy@db1", &alice).await.unwrap();
    assert_eq!(run(&connection, "say 0").await.stderr, "err\n");
    let mut channel = terminal(&connection).await;
    let seen = expect(&mut channel, "80x24").await;
    assert!(seen.starts_with("welcome\r\n"), "{seen:?}");
    house.life.drain();
    expect(&mut channel, "dayfly: the bastion is being stopped: this session ends in 30s").await;
    channel.data_bytes("q").await.unwrap();
    while channel.wait().await.is_some() {}
    house.life.idle().await;
    assert_eq!(house.ended().await.facts["ending"], "completed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn row_05_what_the_transport_refuses_is_still_told_apart_when_there_is_a_banner() {
    let house = House::open().await;
    let settings = Settings { banner: Some("private\r\n".to_owned()), ..Settings::clone(&house.settings.borrow()) };
    house.settings.send_replace(Arc::new(settings));
    let key = crate::authority::double::fresh_key();
    let now = crate::authority::double::unix_now();
    let certificate = client::certificate(&key, &house.authority.user_ca, (now - 600, now - 300), |builder| {
        builder.key_id("alice").unwrap().valid_principal("deploy@db1").unwrap();
    });
    assert!(house.log_in("deploy@db1", &Person { key, certificate }).await.is_none());
    while house.refusals().is_empty() {
        tokio::task::yield_now().await;
    }
    assert_eq!(house.refusals(), [(audit::Event::LoginRefused, Reason::RefusedByTransport)]);
    let alice = Person::certified(&house.authority, "alice", &["deploy@db1"]);
    let connection = house.log_in("deploy@db1", &alice).await.unwrap();
    assert_eq!(run(&connection, "say 0").await.status, Some(0));
    drop(connection);
    house.life.idle().await;
    assert_eq!(house.refusals().len(), 1, "somebody who was let in tried nothing in vain");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_ca_withdraws_ends_where_the_role_is_continuous_and_nowhere_else() {
    for is_continuous in [true, false] {
        let house = House::build(|authority| authority.rules.continuous = is_continuous, Duration::from_secs(60)).await;
        let alice = Person::certified(&house.authority, "alice", &["deploy@db1"]);
        let connection = house.log_in("deploy@db1", &alice).await.unwrap();
        let mut channel = terminal(&connection).await;
        expect(&mut channel, "80x24").await;
        continuous::ask(&house.bastion).await.unwrap();
        *house.authority.withdrawal.lock().unwrap() =
            Some(dayfly_core::reason::Refusal::new(Reason::PolicyDenied, "no policy permits it now", ""));
        house.authority.away.store(true, std::sync::atomic::Ordering::SeqCst);
        assert_eq!(continuous::ask(&house.bastion).await.is_err(), is_continuous, "nothing is asked where no role wants it");
        channel.data_bytes("typed").await.unwrap();
        expect(&mut channel, "typed").await;
        house.authority.away.store(false, std::sync::atomic::Ordering::SeqCst);
        continuous::ask(&house.bastion).await.unwrap();
        if !is_continuous {
            channel.data_bytes("typed").await.unwrap();
            expect(&mut channel, "typed").await;
            continue;
        }
        expect(&mut channel, "dayfly: the session may not go on: no policy permits it now (policy_denied)").await;
        let ended = house.ended().await;
        assert_eq!((ended.reason, ended.facts["withdrawn"].as_str()), (Some(Reason::PolicyDenied), "true"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_operator_sees_a_terminal_and_ends_its_session_with_a_message() {
    let house = House::open().await;
    let alice = Person::certified(&house.authority, "alice", &["deploy@db1"]);
    let connection = house.log_in("deploy@db1", &alice).await.unwrap();
    let mut channel = terminal(&connection).await;
    expect(&mut channel, "80x24").await;
    let live = house.bastion.live.sessions().pop().unwrap();
    assert_eq!(
        (live.facts.person.to_string().as_str(), live.facts.account.as_deref(), live.facts.target.as_str()),
        ("alice", Some("deploy"), "db1")
    );
    let mut watching = live.watch();
    channel.data_bytes("typed").await.unwrap();
    expect(&mut channel, "typed").await;
    assert_eq!(watching.recv().await.unwrap(), "typed");
    assert_eq!((live.counts.up(), live.counts.down() > 5), (5, true));
    live.end(Order { message: "ended for lunch".to_owned(), by: OrderedBy::Operator(7) });
    drop(live);
    expect(&mut channel, "dayfly: ended for lunch (ended_by_operator)").await;
    let ended = house.ended().await;
    assert_eq!((ended.reason, ended.facts["ended_by_uid"].as_str()), (Some(Reason::EndedByOperator), "7"));
    assert!(house.bastion.live.sessions().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn row_12_without_the_terminal_that_was_asked_for_nothing_typed_arrives() {
    let house = House::open().await;
    let alice = Person::certified(&house.authority, "alice", &["deploy@db1"]);
    let connection = house.log_in("deploy@db1", &alice).await.unwrap();
    let mut channel = connection.channel_open_session().await.unwrap();
    channel.request_pty(true, "declined", 80, 24, 0, 0, &[]).await.unwrap();
    channel.exec(true, "cat").await.unwrap();
    channel.data_bytes("hidden").await.unwrap();
    let seen = expect(&mut channel, "does not give a terminal (target_unavailable)").await;
    assert!(!seen.contains("hidden"), "{seen}");
    let ended = house.ended().await;
    assert_eq!((ended.facts["ending"].as_str(), ended.facts["bytes_in"].as_str()), ("refused", "0"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn row_10_an_address_that_keeps_failing_is_turned_away_in_words() {
    let house = House::open().await;
    let settings = Settings { penalties: Penalties::default(), ..Settings::clone(&house.settings.borrow()) };
    house.settings.send_replace(Arc::new(settings));
    let connect = async || {
        let mut socket = tokio::net::TcpStream::connect(house.address).await.unwrap();
        let mut received = Vec::new();
        // No client's identification: neither the first time nor later.
        let _ = socket.write_all(b"GET / HTTP/1.1\r\n").await;
        let _ = socket.read_to_end(&mut received).await;
        String::from_utf8_lossy(&received).into_owned()
    };
    assert!(connect().await.starts_with("SSH-2.0-dayfly"));
    // Each costs ten seconds, and fifteen are enforced.
    let mut told = connect().await;
    while !told.contains("too many failures from this address") {
        assert!(told.starts_with("SSH-2.0-dayfly"), "{told:?}");
        told = connect().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn row_10_a_proxys_word_is_demanded_of_proxies_and_taken_from_nobody_else() {
    let header = |client: [u8; 4]| [b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c", &client[..], &[127, 0, 0, 1, 0x12, 0x34, 0, 22]].concat();
    let house = House::open().await;
    let bound = Person::with(crate::authority::double::fresh_key(), &house.authority, "alice", &["deploy@db1"], |builder| {
        builder.critical_option("source-address", "192.0.2.0/24").unwrap();
    });
    let proxied = house.behind_proxy("127.0.0.0/8").await;
    for (client, admitted) in [([192, 0, 2, 7], true), ([198, 51, 100, 7], false)] {
        let mut socket = tokio::net::TcpStream::connect(proxied).await.unwrap();
        socket.write_all(&header(client)).await.unwrap();
        let connection = house.log_in_over(socket, "deploy@db1", &bound).await.unwrap();
        let outcome = run(&connection, "say 7").await;
        assert_eq!(outcome.status, Some(if admitted { 7 } else { 255 }), "{client:?}: {}", outcome.stderr);
        drop(connection);
    }
    assert_eq!(house.ended_after(1).await.facts["peer"], "192.0.2.7:4660");
    assert_eq!(house.refusals(), [(audit::Event::LoginRefused, Reason::SourceAddress)]);
    // A proxy that says nothing gets nothing, and neither does somebody else who plays one.
    for (address, first) in [(proxied, b"SSH-2.0-client\r\nSSH-2.0".to_vec()), (house.address, header([192, 0, 2, 7]))] {
        let mut socket = tokio::net::TcpStream::connect(address).await.unwrap();
        let _ = socket.write_all(&[&first[..], b"SSH-2.0-client\r\n"].concat()).await;
        let mut received = Vec::new();
        let _ = socket.read_to_end(&mut received).await;
        assert!(received.is_empty() && address == proxied || received == b"SSH-2.0-dayfly\r\n", "{received:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_ends_with_its_certificate_unless_something_runs_over_it() {
    let house = House::open().await;
    let ends = crate::authority::double::unix_now() + 2;
    let alice = Person::until(ends, &house.authority, "alice", &["deploy@db1"]);
    let idle = house.log_in("deploy@db1", &alice).await.unwrap();
    let (outside, inside) = house.jump(&alice, &alice, "deploy", "db1").await.unwrap();
    let busy = house.log_in("deploy@db1", &alice).await.unwrap();
    let (mut running, writing) = start(&busy, "hang").await;
    // Its time comes after that of the one that is in use.
    let last = house.log_in("deploy@db1", &alice).await.unwrap();
    // The inner one goes first, and with it what the outer one was for.
    for connection in [idle, inside, outside, last] {
        let _ = tokio::time::timeout(Duration::from_secs(20), connection).await.unwrap();
    }
    assert!(crate::authority::double::unix_now() >= ends);
    let refused = run(&busy, "say 0").await;
    assert!(refused.stderr.contains("(expired)") && refused.stderr.contains("ssh -S none"), "{refused:?}");
    assert!(!busy.is_closed());
    writing.close().await.unwrap();
    while running.wait().await.is_some() {}
    let _ = tokio::time::timeout(Duration::from_secs(20), busy).await.unwrap();
}
