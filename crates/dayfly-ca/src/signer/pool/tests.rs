use super::*;
use dayfly_core::signer::SeedSigner;
use std::sync::{
    Condvar,
    atomic::{AtomicUsize, Ordering},
};

/// A device whose calls stand still while it hangs, and whose sessions end after `lasts` signatures.
struct Device {
    key: SeedSigner,
    hangs: Arc<(Mutex<bool>, Condvar)>,
    lasts: usize,
    opened: Arc<AtomicUsize>,
}

impl super::Device for Device {
    type Session = usize;

    fn open(&self, _: Instant) -> Result<usize, DeviceError> {
        self.opened.fetch_add(1, Ordering::SeqCst);
        Ok(self.lasts)
    }

    fn sign(&self, left: &mut usize, message: &[u8], _: Instant) -> Result<Signature, DeviceError> {
        let (hangs, changed) = &*self.hangs;
        drop(changed.wait_while(hangs.lock().unwrap(), |hangs| *hangs).unwrap());
        if message == b"no" {
            return Err(DeviceError::Refused("it says no".to_owned()));
        }
        *left = left.checked_sub(1).ok_or(DeviceError::Lost("unplugged".to_owned()))?;
        self.key.sign(message).map_err(|error| DeviceError::Lost(error.to_string()))
    }

    fn retire(&self, _: usize) {}

    fn place(&self) -> String {
        "the device".to_owned()
    }

    fn remedy(&self) -> String {
        "look at it".to_owned()
    }
}

struct Tried {
    signer: Arc<PooledSigner>,
    hangs: Arc<(Mutex<bool>, Condvar)>,
    opened: Arc<AtomicUsize>,
}

impl Tried {
    fn new(hangs: bool, lasts: usize, calls: Calls) -> Self {
        let key = SeedSigner::new(1);
        let public = key.public_key().clone();
        let (hangs, opened) = (Arc::new((Mutex::new(hangs), Condvar::new())), Arc::default());
        let device = Device { key, hangs: Arc::clone(&hangs), lasts, opened: Arc::clone(&opened) };
        Self { signer: Arc::new(PooledSigner::new("user_ca", public, device, calls).unwrap()), hangs, opened }
    }

    fn go_on(&self) {
        *self.hangs.0.lock().unwrap() = false;
        self.hangs.1.notify_all();
    }
}

const BRIEF: Calls = Calls { timeout: Duration::from_millis(150), sessions: 2 };

const PATIENT: Calls = Calls { timeout: Duration::from_secs(20), sessions: 1 };

#[test]
fn a_device_that_hangs_is_given_up_by_name_with_a_next_step_and_serves_again_afterwards() {
    let tried = Tried::new(true, usize::MAX, BRIEF);
    for _ in 0..4 {
        let error = tried.signer.sign(b"message").unwrap_err();
        assert!(error.key.starts_with("user_ca (SHA256:"), "{error}");
        assert!(error.cause.contains("within 150ms") && error.cause.ends_with(": look at it"), "{error}");
    }
    tried.go_on();
    let start = Instant::now();
    while tried.signer.sign(b"message").is_err() {
        assert!(start.elapsed() < Duration::from_secs(20));
    }
}

#[test]
fn those_beyond_the_queue_are_told_at_once() {
    let tried = Tried::new(true, usize::MAX, PATIENT);
    let waiting: Vec<_> = (0..QUEUE + 1)
        .map(|_| {
            let signer = Arc::clone(&tried.signer);
            thread::spawn(move || signer.sign(b"message"))
        })
        .collect();
    // One is being served, the queue is full, and it stays so: whoever comes now is turned away.
    let start = Instant::now();
    let refused = loop {
        let signer = Arc::clone(&tried.signer);
        match within(Duration::from_millis(200), move || signer.sign(b"message")) {
            Some(Err(error)) => break error,
            _ => assert!(start.elapsed() < Duration::from_secs(15)),
        }
    };
    assert!(refused.cause.contains("64 signatures wait"), "{refused}");
    tried.go_on();
    let signed = waiting.into_iter().map(|thread| thread.join().unwrap()).filter(Result::is_ok).count();
    assert!(signed >= QUEUE, "{signed}");
}

#[test]
fn a_session_that_ended_is_replaced_and_nobody_notices() {
    let tried = Tried::new(false, 2, PATIENT);
    for _ in 0..6 {
        tried.signer.sign(b"message").unwrap();
    }
    assert_eq!(tried.opened.load(Ordering::SeqCst), 3);
}

#[test]
fn a_no_is_not_asked_for_again_and_ends_no_session() {
    let tried = Tried::new(false, usize::MAX, PATIENT);
    assert!(tried.signer.sign(b"no").unwrap_err().cause.contains("it says no"));
    tried.signer.sign(b"message").unwrap();
    assert_eq!(tried.opened.load(Ordering::SeqCst), 1);
}

#[test]
fn what_never_comes_is_tried_a_few_times_only() {
    let tried = Tried::new(false, 0, PATIENT);
    assert!(tried.signer.sign(b"message").unwrap_err().cause.contains("unplugged"));
    assert_eq!(tried.opened.load(Ordering::SeqCst), ATTEMPTS);
}
