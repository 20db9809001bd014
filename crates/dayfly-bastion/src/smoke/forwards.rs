//! What comes from a target towards the client: what was asked for, on record, and nothing else.

use super::{
    client::{finish, run},
    *,
};
use crate::authority::double;
use dayfly_core::role::SessionRules;

/// A bastion whose CA gives these session rules, and alice with these extensions.
async fn house(rules: &str, extensions: &[&str]) -> (House, Person) {
    let rules: SessionRules = toml::from_str(rules).unwrap();
    let house = House::build(|authority| authority.rules = rules, Duration::from_secs(60)).await;
    let alice = Person::with(double::fresh_key(), &house.authority, "alice", &["deploy@db1"], |builder| {
        for extension in extensions {
            builder.extension(*extension, "").unwrap();
        }
    });
    (house, alice)
}

impl House {
    /// What came of the connections that the target handed over, once there are so many.
    async fn handed_over(&self, count: usize) -> Vec<String> {
        loop {
            let told = self.recorded.handed_over.lock().unwrap().clone();
            if told.len() >= count {
                return told;
            }
            tokio::task::yield_now().await;
        }
    }

    /// What the log holds of openings that nobody had asked the target for.
    fn unasked(&self) -> Vec<String> {
        let events = self.journal.events();
        let by_target = events.iter().filter(|event| event.facts.get("asked_by").is_some_and(|by| by == "target"));
        by_target.map(|event| event.facts["asked"].clone()).collect()
    }

    fn events_of(&self, session: uuid::Uuid) -> String {
        let directory = dayfly_recording::find(&self.recordings, session).unwrap().unwrap();
        assert!(directory.join("manifest.json.sig").exists());
        std::fs::read_to_string(directory.join("events.ndjson")).unwrap()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn row_12_what_a_target_hands_over_arrived_where_the_client_asked_for_or_is_refused() {
    let (house, alice) = house("listen_on = [\"localhost:*\"]", &["permit-port-forwarding"]).await;
    let (outside, inside) = house.jump(&alice, &alice, "deploy", "db1").await.unwrap();
    assert_eq!(inside.tcpip_forward("LocalHost", 0).await.unwrap(), 40_123);
    let told = house.handed_over(4).await;
    assert_eq!(told[3], "from the target", "there and back");
    assert!(told[..3].iter().all(|refused| refused != "from the target"), "{told:?}");
    assert_eq!(house.unasked(), ["forwarded-tcpip"; 3]);
    assert!(inside.tcpip_forward("localhost", 40_123).await.is_err(), "it listens there already");
    inside.cancel_tcpip_forward("localhost", 40_123).await.unwrap();
    assert_eq!(house.handed_over(5).await[4], "cancelled localhost:40123");
    house.life.idle().await;
    assert!(inside.cancel_tcpip_forward("localhost", 40_123).await.is_err());
    drop((outside, inside));
    let ended: Vec<_> = house.journal.events().into_iter().filter(|event| event.event == audit::Event::SessionEnded).collect();
    let [arrival, listener] = &ended[..] else { panic!("{ended:?}") };
    let facts = |event: &audit::AuditEvent, names: &[&str]| names.iter().map(|name| event.facts[*name].clone()).collect::<Vec<_>>();
    assert_eq!(facts(arrival, &["listen", "from", "bytes_in", "bytes_out"]), ["localhost:40123", "203.0.113.9:4711", "15", "15"]);
    assert_eq!(arrival.facts["listener"], listener.session.unwrap().to_string());
    assert_eq!(facts(listener, &["listen", "ending"]), ["localhost:0", "completed"]);
    assert!(
        house.events_of(listener.session.unwrap()).contains("\"event\":\"listen\",\"channel\":0,\"host\":\"localhost\",\"port\":40123")
    );
    let events = house.events_of(arrival.session.unwrap());
    assert!(events.contains("\"event\":\"arrival\"") && !events.contains("\"event\":\"stdout\""), "{events}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_listener_ends_with_its_connection_and_what_is_not_allowed_is_told() {
    let (house, alice) = house("listen_on = [\"localhost:8080\"]", &["permit-port-forwarding"]).await;
    let connection = house.log_in("deploy@db1", &alice).await.unwrap();
    for (address, port) in [("localhost", 8081), ("127.0.0.1", 8080), ("", 8080), ("localhost", 0), ("a b", 8080)] {
        assert!(connection.tcpip_forward(address, port).await.is_err(), "{address:?}:{port}");
    }
    let outcome = run(&connection, "say 0").await;
    assert!(outcome.stderr.contains("does not let this target listen at localhost:8081 (not_allowed)"), "{outcome:?}");
    assert_eq!(outcome.status, Some(0), "the session itself goes on");
    assert!(house.refusals().iter().all(|(_, reason)| matches!(reason, Reason::NotAllowed | Reason::BadRequest)));
    connection.tcpip_forward("LocalHost", 8080).await.unwrap();
    house.handed_over(4).await;
    drop(connection);
    assert_eq!(house.handed_over(5).await[4], "cancelled localhost:8080");
    house.life.idle().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn row_34_a_revoked_certificate_has_nothing_listen_any_more() {
    let (house, alice) = house("listen_on = [\"localhost:8080\"]", &["permit-port-forwarding"]).await;
    let connection = house.log_in("deploy@db1", &alice).await.unwrap();
    connection.tcpip_forward("LocalHost", 8080).await.unwrap();
    house.handed_over(4).await;
    let mut answer = house.authority.answer();
    answer.revocations.serials.insert(7);
    house.snapshot.send_replace(Arc::new(Snapshot::new(&house.authority.bastion, answer).unwrap()));
    house.life.idle().await;
    let events = house.journal.events();
    let listener = events.iter().find(|event| event.event == audit::Event::SessionEnded && !event.facts.contains_key("from")).unwrap();
    assert_eq!((listener.facts["ending"].as_str(), listener.reason), ("terminated", Some(Reason::Revoked)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn row_12_a_target_opens_nothing_that_nobody_asked_for() {
    let (house, alice) = house("listen_on = [\"*:*\"]\nforward_agent = true", &["permit-port-forwarding", "permit-agent-forwarding"]).await;
    let (_outside, inside) = house.jump(&alice, &alice, "deploy", "db1").await.unwrap();
    assert_eq!(run(&inside, "attack").await.stdout, b"0 opened");
    let ended = house.ended().await;
    assert_eq!(house.unasked().len(), 7, "{:?}", house.unasked());
    let events = house.events_of(ended.session.unwrap());
    assert_eq!(events.matches("the target opened it, and nobody had asked for it").count(), 7, "{events}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn row_12_an_agent_is_lent_to_the_session_that_asked_and_may_and_its_bytes_are_counted() {
    let (house, alice) = house("forward_agent = true", &["permit-agent-forwarding"]).await;
    let (_outside, inside) = house.jump(&alice, &alice, "deploy", "db1").await.unwrap();
    let channel = inside.channel_open_session().await.unwrap();
    channel.agent_forward(true).await.unwrap();
    channel.exec(true, "ask-agent").await.unwrap();
    assert_eq!(finish(channel.split().0).await.stdout, b"who are you?");
    let ended = house.ended().await;
    let facts = ["agent_connections", "agent_asked", "agent_answered"].map(|name| ended.facts[name].clone());
    assert_eq!(facts, ["1", "12", "12"]);
    let events = house.events_of(ended.session.unwrap());
    assert!(
        events.contains("\"event\":\"agent_forwarding\"") && events.contains("\"connections\":1,\"asked\":12,\"answered\":12"),
        "{events}"
    );
    assert!(house.unasked().is_empty());
    // Another session of the same connection, which did not ask.
    assert_eq!(run(&inside, "ask-agent").await.stdout, b"refused");
    assert_eq!(house.unasked(), ["auth-agent@openssh.com"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn row_12_no_agent_is_lent_where_the_role_does_not() {
    let (house, alice) = house("", &["permit-agent-forwarding"]).await;
    let (_outside, inside) = house.jump(&alice, &alice, "deploy", "db1").await.unwrap();
    let channel = inside.channel_open_session().await.unwrap();
    channel.agent_forward(true).await.unwrap();
    channel.exec(true, "ask-agent").await.unwrap();
    assert_eq!(finish(channel.split().0).await.stdout, b"refused");
    assert_eq!(house.unasked(), ["auth-agent@openssh.com"]);
}
