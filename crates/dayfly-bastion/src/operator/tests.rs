#![allow(clippy::unwrap_used)]
use super::*;
use crate::{config::Limits, live::LiveFacts, smoke::bastion_alone};
use dayfly_core::{audit, reason::Reason, target::Mode};
use std::io::Read;
use uuid::Uuid;

fn facts(mode: Mode) -> LiveFacts {
    LiveFacts {
        id: Uuid::now_v7(),
        person: "alice".parse().unwrap(),
        role: "db-admin".parse().unwrap(),
        account: Some("deploy".to_owned()),
        target: "db1".parse().unwrap(),
        mode,
        peer: "192.0.2.1:1".parse().unwrap(),
        since: time::OffsetDateTime::UNIX_EPOCH,
        review: None,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_operator_lists_ends_and_watches_and_the_log_tells_of_it() {
    let state = tempfile::tempdir().unwrap();
    let (bastion, journal) = bastion_alone();
    // What a killed bastion left is no obstacle.
    drop(std::os::unix::net::UnixListener::bind(socket_path(state.path())).unwrap());
    let socket = OperatorSocket::bind(state.path(), bastion.clone()).unwrap();
    assert_eq!(fs::metadata(socket_path(state.path())).unwrap().permissions().mode() & 0o777, 0o600);
    tokio::spawn(socket.run());
    let path = state.path().to_owned();
    let ask = move |request: Request| {
        let path = path.clone();
        tokio::task::spawn_blocking(move || {
            let mut seen = String::new();
            call::order(&path, &request).map(|mut rest| rest.read_to_string(&mut seen)).map_err(|error| error.to_string())?.unwrap();
            Ok::<_, String>(seen)
        })
    };
    let take = |mode| {
        let place = bastion.live.take_place("alice", &"db1".parse().unwrap(), &Limits::default()).unwrap();
        place.begin(facts(mode), bastion.metrics.counts(mode))
    };
    let (seat, direct) = (take(Mode::Record), take(Mode::Passthrough));
    seat.counts.add_up(3);
    let list = {
        let path = state.path().to_owned();
        tokio::task::spawn_blocking(move || call::sessions(&path)).await.unwrap().unwrap()
    };
    assert_eq!(list.sessions.len(), 2);
    assert_eq!((list.sessions[0].id, list.sessions[0].bytes_up, list.sessions[0].account.as_deref()), (seat.facts.id, 3, Some("deploy")));

    assert!(ask(Request::Watch { session: direct.facts.id }).await.unwrap().unwrap_err().contains("passthrough"));
    assert!(ask(Request::Watch { session: Uuid::nil() }).await.unwrap().unwrap_err().contains("there is no session"));
    assert!(journal.events().is_empty());
    let id = seat.facts.id;
    let watching = ask(Request::Watch { session: id });
    while journal.events().is_empty() {
        tokio::task::yield_now().await;
    }
    let watched = journal.events().pop().unwrap();
    assert_eq!(
        (watched.event, watched.session, watched.subject.unwrap().to_string().as_str()),
        (audit::Event::SessionWatched, Some(id), "alice")
    );
    seat.show(&bytes::Bytes::from_static(b"what was shown"));

    let ordered = ask(Request::End { session: id, message: Some("lunch\u{1b}".to_owned()) }).await.unwrap();
    assert_eq!(ordered, Ok(String::new()));
    let message = seat.ending().await.message;
    assert_eq!(message, "whoever runs the bastion ended the session: lunch\u{1b}");
    let told = crate::session::told(&dayfly_core::reason::Refusal::new(Reason::EndedByOperator, message, ""));
    assert!(told.ends_with("lunch\u{fffd} (ended_by_operator)\r\n"), "row 25: {told:?}");
    assert!(ask(Request::End { session: id, message: None }).await.unwrap().unwrap_err().contains("already"));
    drop(seat);
    assert_eq!(watching.await.unwrap(), Ok("what was shown".to_owned()));
}

#[test]
fn whoever_asks_a_bastion_that_does_not_run_is_told_so() {
    let state = tempfile::tempdir().unwrap();
    let error = call::sessions(state.path()).unwrap_err().to_string();
    assert!(error.starts_with("no bastion answers at ") && error.contains("it has to run"), "{error}");
}
