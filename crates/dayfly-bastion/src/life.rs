//! The bastion's life: sessions hold on to it, so that it ends after they are sealed, and learn from it that they must end.

use crate::busy::{Busy, Token};
use tokio::sync::watch;

/// What sessions hold, and watch.
#[derive(Debug, Clone)]
pub struct Life {
    sessions: Busy,
    stage: watch::Sender<Stage>,
}

/// How far it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    /// Sessions begin and end.
    Running,
    /// They end, and none begins.
    Draining,
    /// They are to end now.
    Stopping,
}

impl Default for Life {
    fn default() -> Self {
        Self { sessions: Busy::default(), stage: watch::Sender::new(Stage::Running) }
    }
}

impl Life {
    /// A token, to be held while a session lives.
    pub fn token(&self) -> Token {
        self.sessions.token()
    }

    /// Lets no session begin any more.
    pub fn drain(&self) {
        self.advance(Stage::Draining);
    }

    /// Tells the sessions to end.
    pub fn stop(&self) {
        self.advance(Stage::Stopping);
    }

    /// Whether sessions may begin.
    pub fn is_running(&self) -> bool {
        *self.stage.borrow() == Stage::Running
    }

    fn advance(&self, stage: Stage) {
        self.stage.send_modify(|now| *now = stage.max(*now));
    }

    /// Returns when no session begins any more, and those that run should come to their end.
    pub fn draining(&self) -> impl Future<Output = ()> + Send + 'static {
        self.reaches(Stage::Draining)
    }

    /// Returns when sessions are to end.
    pub fn stopping(&self) -> impl Future<Output = ()> + Send + 'static {
        self.reaches(Stage::Stopping)
    }

    fn reaches(&self, wanted: Stage) -> impl Future<Output = ()> + Send + 'static {
        let mut stage = self.stage.subscribe();
        async move {
            // A life whose end was forgotten goes on.
            if stage.wait_for(|stage| *stage >= wanted).await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    /// Returns when no session lives.
    pub async fn idle(&self) {
        self.sessions.idle().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_life_is_idle_once_every_session_is_over() {
        let life = Life::default();
        life.idle().await;
        let token = life.token();
        let waiting = tokio::spawn({
            let life = life.clone();
            async move { life.idle().await }
        });
        assert!(life.is_running());
        life.drain();
        assert!(!life.is_running());
        life.draining().await;
        life.stop();
        life.drain();
        life.stopping().await;
        drop(token);
        assert!(waiting.await.is_ok());
    }
}
