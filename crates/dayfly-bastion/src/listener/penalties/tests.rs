#![allow(clippy::unwrap_used)]
use super::*;
use proptest::prelude::*;

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[test]
fn row_10_an_address_that_keeps_failing_is_turned_away_for_a_while_and_others_are_not() {
    let (mut ledger, tariff, begin) = (Ledger::default(), Penalties::default(), Instant::now());
    let mallory = address("192.0.2.66");
    for failures in 0..3 {
        assert!(!ledger.turns_away(&tariff, mallory, begin), "after {failures}");
        assert!(ledger.note(&tariff, mallory, End::Refused, begin));
    }
    assert!(ledger.turns_away(&tariff, mallory, begin) && !ledger.turns_away(&tariff, address("192.0.2.67"), begin));
    assert_eq!(ledger.count(begin), 1);
    assert!(ledger.turns_away(&tariff, mallory, begin + seconds(14)));
    assert!(!ledger.turns_away(&tariff, mallory, begin + seconds(15)), "half open: over at its end");
    assert!(ledger.note(&tariff, mallory, End::Left, begin + seconds(15)));
    assert!(!ledger.turns_away(&tariff, mallory, begin + seconds(15)), "what has passed is forgotten");
}

#[test]
fn row_10_health_checks_and_those_who_are_let_in_cost_nothing() {
    let (mut ledger, tariff, begin) = (Ledger::default(), Penalties::default(), Instant::now());
    for round in 0..100 {
        let now = begin + seconds(5 * round);
        ledger.note(&tariff, address("192.0.2.1"), End::Left, now);
        assert!(!ledger.note(&tariff, address("192.0.2.2"), End::LoggedIn, now));
        assert!(!ledger.note(&tariff, address("192.0.2.2"), End::Told, now));
        assert_eq!(ledger.count(now), 0);
    }
}

#[test]
fn row_10_an_ipv6_holder_is_penalised_by_its_64_and_an_exempt_network_is_not() {
    let begin = Instant::now();
    let tariff = Penalties { exempt: vec!["10.0.0.0/8".parse().unwrap()], ..Penalties::default() };
    let mut ledger = Ledger::default();
    for last in 0..5 {
        ledger.note(&tariff, address(&format!("2001:db8:1:2::{last}")), End::Malformed, begin);
        assert!(!ledger.note(&tariff, address("::ffff:10.1.2.3"), End::Malformed, begin));
    }
    assert!(ledger.turns_away(&tariff, address("2001:db8:1:2:ffff::1"), begin));
    assert!(!ledger.turns_away(&tariff, address("2001:db8:1:3::1"), begin) && !ledger.turns_away(&tariff, address("10.1.2.3"), begin));
    // An exemption that is read at SIGHUP frees at once.
    let freed = Penalties { exempt: vec!["2001:db8::/32".parse().unwrap()], ..Penalties::default() };
    assert!(!ledger.turns_away(&freed, address("2001:db8:1:2::1"), begin));
}

#[test]
fn row_10_no_flood_of_addresses_takes_more_than_its_memory() {
    let (mut ledger, tariff, begin) = (Ledger::default(), Penalties::default(), Instant::now());
    for number in 0..u32::try_from(MOST_ADDRESSES).unwrap() + 100 {
        ledger.note(&tariff, IpAddr::from(number.to_be_bytes()), End::TimedOut, begin + Duration::from_millis(number.into()));
        assert!(ledger.by_address.len() <= MOST_ADDRESSES && ledger.by_address.len() == ledger.by_end.len());
    }
}

fn end() -> impl Strategy<Value = End> {
    prop_oneof![Just(End::LoggedIn), Just(End::Told), Just(End::Refused), Just(End::Left), Just(End::TimedOut), Just(End::Malformed)]
}

proptest! {
    #[test]
    fn row_10_penalties_pass_by_themselves_and_never_last_longer_than_the_longest(
        steps in prop::collection::vec((0..4_u8, end(), 0..30_u64), 1..80)
    ) {
        let (mut ledger, tariff, begin) = (Ledger::default(), Penalties::default(), Instant::now());
        let mut now = begin;
        for (last, end, pause) in steps {
            now += seconds(pause);
            let address = IpAddr::from([192, 0, 2, last]);
            let before = ledger.turns_away(&tariff, address, now);
            ledger.note(&tariff, address, end, now);
            prop_assert!(!before || ledger.turns_away(&tariff, address, now), "failing more frees nobody");
            prop_assert!(!ledger.turns_away(&tariff, address, now + tariff.longest));
            prop_assert_eq!(ledger.by_address.len(), ledger.by_end.len());
        }
        prop_assert_eq!(ledger.count(now + tariff.longest), 0);
    }
}
