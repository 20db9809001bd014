//! How much is under way: whoever does something holds a token, and whoever waits for the end of all of it learns of that.

use tokio::sync::watch;

/// What is under way.
#[derive(Debug, Clone)]
pub struct Busy(watch::Sender<usize>);

/// Held while something is under way.
#[derive(Debug)]
pub struct Token(watch::Sender<usize>);

impl Default for Busy {
    fn default() -> Self {
        Self(watch::Sender::new(0))
    }
}

impl Busy {
    /// One thing more.
    pub fn token(&self) -> Token {
        self.0.send_modify(|count| *count += 1);
        Token(self.0.clone())
    }

    /// Returns when nothing is under way.
    pub async fn idle(&self) {
        let _ = self.0.subscribe().wait_for(|count| *count == 0).await;
    }
}

impl Token {
    /// Does `work`, and is held until it is done.
    pub async fn during<T>(self, work: impl Future<Output = T>) -> T {
        let _held = self;
        work.await
    }
}

impl Drop for Token {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count = count.saturating_sub(1));
    }
}
