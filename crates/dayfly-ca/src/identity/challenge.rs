//! One-time challenges: made without remembering anything, used once.
//!
//! A challenge is a number, the time it ends and a MAC over both by a key that lives as long as the process. Numbers rise by one, so what was used is
//! one bit each in a ring: its size is fixed, whoever asks for however many, and only a challenge that was answered by an enrolled key sets a bit.

use aws_lc_rs::{hmac, rand::SystemRandom};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicU64, Ordering},
};

/// How many challenges share a segment of the ring.
const SEGMENT_BITS: u64 = 1 << 16;

/// How many segments there are. Together they hold 2^26 challenges, or 200,000 a second for five minutes, in 8 MiB at most.
const SEGMENTS: usize = 1 << 10;

/// Number and end, big-endian.
const PAYLOAD_BYTES: usize = 16;

/// A whole challenge: the payload and its HMAC-SHA256.
const CHALLENGE_BYTES: usize = PAYLOAD_BYTES + 32;

/// A challenge that cannot be answered any more, or never could.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ChallengeError {
    /// Not one of this process.
    #[error("the challenge is not one that this CA gave since it started")]
    Unknown,
    /// Its time is over.
    #[error("the challenge has expired")]
    Expired,
    /// It was answered before.
    #[error("the challenge was used before")]
    Used,
}

/// A challenge of ours whose time is not over. Whether it was used is not known until [`Challenges::spend`].
#[derive(Debug)]
#[must_use = "a challenge that is not spent can be answered again"]
pub struct OpenChallenge(u64);

/// Gives challenges and takes each back once.
pub struct Challenges {
    key: hmac::Key,
    lifetime_seconds: u64,
    next: AtomicU64,
    ring: Box<[Mutex<Segment>]>,
}

impl Challenges {
    /// Challenges under a new key, each good for `lifetime_seconds`.
    pub fn new(lifetime_seconds: u64) -> Result<Self, aws_lc_rs::error::Unspecified> {
        Ok(Self {
            key: hmac::Key::generate(hmac::HMAC_SHA256, &SystemRandom::new())?,
            lifetime_seconds,
            next: AtomicU64::new(0),
            ring: (0..SEGMENTS).map(|_| Mutex::default()).collect(),
        })
    }

    /// The next challenge. `now` in Unix seconds.
    pub fn issue(&self, now: u64) -> String {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let ends = now.saturating_add(self.lifetime_seconds);
        let mut bytes = Vec::with_capacity(CHALLENGE_BYTES);
        bytes.extend_from_slice(&number.to_be_bytes());
        bytes.extend_from_slice(&ends.to_be_bytes());
        let tag = hmac::sign(&self.key, &bytes);
        bytes.extend_from_slice(tag.as_ref());
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// Whether `challenge` is ours and its time is not over. Compares in constant time. `now` in Unix seconds.
    pub fn open(&self, challenge: &str, now: u64) -> Result<OpenChallenge, ChallengeError> {
        let mut bytes = [0; CHALLENGE_BYTES];
        let length = URL_SAFE_NO_PAD.decode_slice(challenge, &mut bytes).map_err(|_| ChallengeError::Unknown)?;
        if length != CHALLENGE_BYTES {
            return Err(ChallengeError::Unknown);
        }
        let (payload, tag) = bytes.split_at(PAYLOAD_BYTES);
        hmac::verify(&self.key, payload, tag).map_err(|_| ChallengeError::Unknown)?;
        let (number, ends) = payload.split_first_chunk().ok_or(ChallengeError::Unknown)?;
        let ends = ends.try_into().map(u64::from_be_bytes).map_err(|_| ChallengeError::Unknown)?;
        if now >= ends { Err(ChallengeError::Expired) } else { Ok(OpenChallenge(u64::from_be_bytes(*number))) }
    }

    /// Uses a challenge up: of all that try, one succeeds.
    pub fn spend(&self, challenge: OpenChallenge) -> Result<(), ChallengeError> {
        let OpenChallenge(number) = challenge;
        let (round, bit) = (number / SEGMENT_BITS, number % SEGMENT_BITS);
        let segment = usize::try_from(round).ok().and_then(|round| self.ring.get(round % SEGMENTS)).ok_or(ChallengeError::Unknown)?;
        segment.lock().unwrap_or_else(PoisonError::into_inner).spend(round, bit)
    }
}

/// Which of [`SEGMENT_BITS`] consecutive challenges were used. Empty until one was.
#[derive(Default)]
struct Segment {
    round: u64,
    words: Vec<u64>,
}

impl Segment {
    fn spend(&mut self, round: u64, bit: u64) -> Result<(), ChallengeError> {
        if round < self.round {
            // The ring has come round since: what was used then is forgotten, so nothing of then is taken.
            return Err(ChallengeError::Expired);
        }
        if round > self.round || self.words.is_empty() {
            self.round = round;
            self.words.clear();
            self.words.resize((SEGMENT_BITS / 64) as usize, 0);
        }
        let word = self.words.get_mut((bit / 64) as usize).ok_or(ChallengeError::Unknown)?;
        let mask = 1 << (bit % 64);
        if *word & mask != 0 {
            return Err(ChallengeError::Used);
        }
        *word |= mask;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const NOW: u64 = 1_735_732_800;

    #[test]
    fn row_21_a_challenge_is_good_once() {
        let challenges = Challenges::new(300).unwrap();
        let challenge = challenges.issue(NOW);
        let (first, second) = (challenges.open(&challenge, NOW).unwrap(), challenges.open(&challenge, NOW).unwrap());
        assert_eq!(challenges.spend(first), Ok(()));
        assert_eq!(challenges.spend(second), Err(ChallengeError::Used));
    }

    #[test]
    fn row_21_a_challenge_ends_at_its_second() {
        let challenges = Challenges::new(300).unwrap();
        let challenge = challenges.issue(NOW);
        assert!(challenges.open(&challenge, NOW + 299).is_ok());
        assert_eq!(challenges.open(&challenge, NOW + 300).unwrap_err(), ChallengeError::Expired);
    }

    #[test]
    fn row_21_another_process_or_a_changed_bit_is_unknown() {
        let (challenges, other) = (Challenges::new(300).unwrap(), Challenges::new(300).unwrap());
        let challenge = challenges.issue(NOW);
        assert_eq!(other.open(&challenge, NOW).unwrap_err(), ChallengeError::Unknown);
        for index in 0..challenge.len() {
            let mut changed = challenge.clone().into_bytes();
            changed[index] = if changed[index] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).unwrap();
            assert_eq!(challenges.open(&changed, NOW).unwrap_err(), ChallengeError::Unknown, "{index}");
        }
        for bad in ["", "A", "not base64!", &challenge[1..], &format!("{challenge}A"), &"A".repeat(10_000)] {
            assert_eq!(challenges.open(bad, NOW).unwrap_err(), ChallengeError::Unknown, "{bad}");
        }
    }

    #[test]
    fn row_21_of_many_who_answer_at_once_one_succeeds() {
        let challenges = Challenges::new(300).unwrap();
        let challenge = challenges.issue(NOW);
        let answer = || challenges.spend(challenges.open(&challenge, NOW).unwrap()).is_ok();
        let taken = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(answer)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).filter(|taken| *taken).count()
        });
        assert_eq!(taken, 1);
    }

    #[test]
    fn what_the_ring_has_forgotten_is_not_taken() {
        let challenges = Challenges::new(300).unwrap();
        let whole_ring = SEGMENT_BITS * SEGMENTS as u64;
        assert_eq!(challenges.spend(OpenChallenge(7)), Ok(()));
        assert_eq!(challenges.spend(OpenChallenge(7 + whole_ring)), Ok(()));
        assert_eq!(challenges.spend(OpenChallenge(7)), Err(ChallengeError::Expired));
        assert_eq!(challenges.spend(OpenChallenge(8)), Err(ChallengeError::Expired));
        assert_eq!(challenges.spend(OpenChallenge(8 + whole_ring)), Ok(()));
    }
}
