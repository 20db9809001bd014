//! What whoever carries a connection learns of its login.

use std::sync::{
    Arc,
    atomic::{AtomicU8, Ordering},
};
use tokio::sync::oneshot;

/// Tells when somebody is logged in, and what was tried until then.
#[derive(Debug)]
pub struct LoginWatch {
    /// Told once somebody is logged in; gone with the connection.
    pub logged_in: oneshot::Receiver<()>,
    /// What was tried.
    pub tried: Tries,
    /// Told once the client was asked to go.
    pub dismissed: oneshot::Receiver<()>,
}

/// How far a login got that did not succeed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tried {
    /// Nobody tried.
    Nothing,
    /// Somebody tried, and was refused.
    Login,
    /// Somebody with a certificate of ours was let in to be told why they get nothing.
    Told,
}

/// What was tried so far on one connection. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Tries(Arc<AtomicU8>);

impl Tries {
    /// The furthest that it got.
    pub fn so_far(&self) -> Tried {
        match self.0.load(Ordering::Acquire) {
            0 => Tried::Nothing,
            1 => Tried::Login,
            _ => Tried::Told,
        }
    }

    pub(super) fn reach(&self, tried: Tried) {
        self.0.fetch_max(tried as u8, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_furthest_counts() {
        let tries = Tries::default();
        for (reached, furthest) in
            [(Tried::Nothing, Tried::Nothing), (Tried::Login, Tried::Login), (Tried::Told, Tried::Told), (Tried::Login, Tried::Told)]
        {
            tries.reach(reached);
            assert_eq!(tries.so_far(), furthest);
        }
    }
}
