#![allow(clippy::unwrap_used)]
use super::*;
use crate::flow::pressure::HIGH;
use proptest::prelude::*;

#[derive(Debug, Clone, PartialEq, Eq)]
enum Sent {
    Bytes(bool, Vec<u8>),
    Mark(u8),
}

fn sent() -> impl Strategy<Value = Sent> {
    prop_oneof![
        4 => (any::<bool>(), any::<u8>(), 1usize..4000).prop_map(|(lane, byte, length)| Sent::Bytes(lane, vec![byte; length])),
        1 => any::<u8>().prop_map(Sent::Mark),
    ]
}

fn lane(stderr: bool) -> Lane {
    if stderr { Lane::Stderr } else { Lane::Main }
}

/// Neighbouring bytes of one lane are one piece as far as anybody can tell.
fn merged(sent: &[Sent]) -> Vec<Sent> {
    let mut merged: Vec<Sent> = Vec::new();
    for piece in sent {
        match (merged.last_mut(), piece) {
            (Some(Sent::Bytes(last, bytes)), Sent::Bytes(lane, more)) if last == lane => bytes.extend(more),
            _ => merged.push(piece.clone()),
        }
    }
    merged
}

fn poll(receiver: &mut QueueReceiver<u8>) -> Poll<Option<Piece<u8>>> {
    receiver.poll_take(&Context::from_waker(Waker::noop()))
}

proptest! {
    #[test]
    fn row_14_order_and_bytes_survive_whatever_the_order_of_puts_and_takes(pieces in prop::collection::vec((sent(), 0usize..3), 0..60)) {
        let pressure = Arc::new(Pressure::default());
        let (sender, mut receiver) = queue(pressure.clone());
        let mut taken = Vec::new();
        let mut take = |receiver: &mut QueueReceiver<u8>| match poll(receiver) {
            Poll::Ready(Some(Piece::Bytes(lane, bytes))) => taken.push(Sent::Bytes(lane == Lane::Stderr, bytes.to_vec())),
            Poll::Ready(Some(Piece::Mark(mark))) => taken.push(Sent::Mark(mark)),
            Poll::Ready(None) | Poll::Pending => {}
        };
        for (piece, takes) in &pieces {
            match piece {
                Sent::Bytes(stderr, bytes) => sender.bytes(lane(*stderr), bytes).unwrap(),
                Sent::Mark(mark) => sender.mark(*mark).unwrap(),
            }
            for _ in 0..*takes {
                take(&mut receiver);
            }
        }
        drop(sender);
        for _ in 0..pieces.len() {
            take(&mut receiver);
        }
        let all: Vec<Sent> = pieces.into_iter().map(|(piece, _)| piece).collect();
        prop_assert_eq!(merged(&taken), merged(&all));
        prop_assert_eq!(poll(&mut receiver), Poll::Ready(None));
        prop_assert_eq!(pressure.queued(), 0);
    }
}

#[test]
fn row_10_a_flood_of_single_bytes_is_few_pieces() {
    let (sender, mut receiver) = queue::<u8>(Arc::new(Pressure::default()));
    for _ in 0..100_000 {
        sender.bytes(Lane::Main, b"x").unwrap();
    }
    let mut pieces = 0;
    while let Poll::Ready(Some(_)) = poll(&mut receiver) {
        pieces += 1;
    }
    assert!(pieces <= 100_000 / MERGED + 1, "{pieces}");
}

#[test]
fn row_10_a_peer_that_ignores_its_window_is_told_from_one_that_keeps_to_it() {
    let (sender, _receiver) = queue::<u8>(Arc::new(Pressure::default()));
    let packet = vec![0; 32 * 1024];
    let mut queued = 0;
    let overflow = loop {
        match sender.bytes(Lane::Main, &packet) {
            Ok(()) => queued += packet.len(),
            Err(overflow) => break overflow,
        }
    };
    assert_eq!(overflow, Overflow);
    assert!(queued > HIGH + 2 * crate::flow::WINDOW as usize, "{queued}");
    let (sender, _receiver) = queue::<u8>(Arc::new(Pressure::default()));
    assert!((0..1_000_000).any(|_| sender.mark(1).is_err()));
}

#[test]
fn what_nobody_takes_weighs_nothing() {
    let pressure = Arc::new(Pressure::default());
    let (sender, receiver) = queue::<u8>(pressure.clone());
    sender.bytes(Lane::Main, &vec![0; HIGH + 1]).unwrap();
    assert_eq!(pressure.window_target(), 2);
    drop(receiver);
    assert_eq!((pressure.queued(), pressure.window_target()), (0, crate::flow::WINDOW));
    sender.bytes(Lane::Main, b"late").unwrap();
    assert_eq!(pressure.queued(), 0);
}

#[tokio::test]
async fn a_sender_that_goes_is_noticed_with_bytes_still_queued() {
    let (sender, mut receiver) = queue::<u8>(Arc::new(Pressure::default()));
    let gone = receiver.gone();
    sender.bytes(Lane::Main, b"last words").unwrap();
    assert_eq!(gone.or_gone(std::future::ready(7)).await, Some(7));
    drop(sender);
    assert_eq!(gone.or_gone(std::future::pending::<()>()).await, None);
    assert_eq!(receiver.take().await, Some(Piece::Bytes(Lane::Main, Bytes::from_static(b"last words"))));
    assert_eq!(receiver.take().await, None);
}
