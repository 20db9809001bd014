//! What use a target made of a client's agent: how often, and how much was said. Never what.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// What it amounts to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct AgentUse {
    /// How many connections there were.
    pub connections: u64,
    /// Bytes from the target to the agent.
    pub asked: u64,
    /// Bytes from the agent to the target.
    pub answered: u64,
}

/// Counts it, and closes at the session's end: nothing passes that would not be counted.
#[derive(Debug, Default)]
pub struct AgentMeter(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    used: AgentUse,
    is_closed: bool,
}

impl AgentMeter {
    /// One more connection. False if there may be none any more.
    pub fn connect(&self) -> bool {
        self.count(|used| used.connections += 1)
    }

    /// Bytes to the agent. False if they must not pass.
    pub fn ask(&self, bytes: usize) -> bool {
        self.count(|used| used.asked += bytes as u64)
    }

    /// Bytes from the agent. False if they must not pass.
    pub fn answer(&self, bytes: usize) -> bool {
        self.count(|used| used.answered += bytes as u64)
    }

    /// Lets nothing pass any more. What passed until now; none if there was no connection.
    pub fn close(&self) -> Option<AgentUse> {
        let mut state = self.lock();
        state.is_closed = true;
        Some(state.used).filter(|used| used.connections > 0)
    }

    fn count(&self, count: impl FnOnce(&mut AgentUse)) -> bool {
        let mut state = self.lock();
        if !state.is_closed {
            count(&mut state.used);
        }
        !state.is_closed
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_passes_uncounted() {
        let meter = AgentMeter::default();
        assert_eq!(AgentMeter::default().close(), None);
        assert!(meter.connect() && meter.ask(5) && meter.answer(7) && meter.ask(1));
        let used = Some(AgentUse { connections: 1, asked: 6, answered: 7 });
        assert_eq!(meter.close(), used);
        assert!(!meter.connect() && !meter.ask(1) && !meter.answer(1));
        assert_eq!(meter.close(), used);
    }
}
