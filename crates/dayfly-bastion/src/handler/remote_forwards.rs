//! Where targets listen for a client's connection (`ssh -R`), by the requests of that connection (RFC 4254 section 7.1).

use crate::recorded::{Caller, Listener, listen};
use dayfly_core::{
    audit::Event,
    forward::ListenAddress,
    reason::{Reason, Refusal},
};
use std::{collections::HashMap, time::Duration};
use tracing::Instrument;

/// How many listeners one connection may have.
const MOST_LISTENERS: usize = 8;

/// How many requests of one connection may be refused before the CA is not asked any more: it logs each.
const MOST_REFUSED: usize = 16;

/// How long the CA and the target together may take. The library wants the answer before it reads on, so everything on this connection waits for it.
const PATIENCE: Duration = Duration::from_secs(15);

/// All listeners of a connection. They end with it.
#[derive(Debug, Default)]
pub(super) struct RemoteForwards {
    listeners: HashMap<ListenAddress, Listener>,
    refused: usize,
}

impl RemoteForwards {
    /// Has the target listen. Returns the port, which the target chose if that was left to it.
    pub(super) async fn listen(&mut self, caller: Caller, port: u32) -> Result<u16, Refusal> {
        let answer = self.try_listen(caller, port).await;
        self.refused += usize::from(answer.is_err());
        answer
    }

    async fn try_listen(&mut self, caller: Caller, port: u32) -> Result<u16, Refusal> {
        let wanted = self.check(&caller.address, port).inspect_err(|refusal| {
            let connection = &caller.connection;
            let event = connection.refused(Event::SessionRefused, refusal).serial(caller.person.verified.serial());
            let event = event.fact("listen", format!("{}:{port}", caller.address.chars().take(256).collect::<String>()));
            connection.report(match caller.person.verified.subject() {
                Some(subject) => event.subject(subject),
                None => event,
            });
        })?;
        // A task of its own: whoever is not waited for any more still has the target stop, and seals the recording.
        let listening = tokio::spawn(listen(caller, wanted).in_current_span());
        let listener = match tokio::time::timeout(PATIENCE, listening).await {
            Ok(Ok(answer)) => answer?,
            Ok(Err(_)) | Err(_) => {
                return Err(Refusal::new(Reason::TargetUnavailable, "it takes too long until the target listens", "try again"));
            }
        };
        let port = listener.at().port();
        self.listeners.insert(listener.at().clone(), listener);
        Ok(port)
    }

    /// Has the target stop. False if it did not listen there.
    pub(super) fn cancel(&mut self, address: &str, port: u32) -> bool {
        ListenAddress::new(address, port).is_ok_and(|at| self.listeners.remove(&at).is_some())
    }

    fn check(&mut self, address: &str, port: u32) -> Result<ListenAddress, Refusal> {
        self.listeners.retain(|_, listener| !listener.is_over());
        let wanted = ListenAddress::new(address, port)
            .map_err(|error| Refusal::new(Reason::BadRequest, error.to_string(), "name an address and a port"))?;
        if self.listeners.contains_key(&wanted) {
            return Err(Refusal::new(Reason::BadRequest, format!("the target listens at {wanted} for this connection already"), ""));
        }
        if self.refused >= MOST_REFUSED {
            let message = format!("{MOST_REFUSED} such requests of this connection were refused already");
            return Err(Refusal::new(Reason::LimitReached, message, "see what your roles allow: dayfly roles"));
        }
        if self.listeners.len() >= MOST_LISTENERS {
            let message = format!("this connection has the target listen at {MOST_LISTENERS} addresses already");
            return Err(Refusal::new(Reason::LimitReached, message, "cancel some, or open another connection"));
        }
        Ok(wanted)
    }
}
