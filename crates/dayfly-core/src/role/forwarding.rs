//! What a session may forward: connections from its target onwards, connections that arrive there, and the client's agent.

use super::{Extension, ForceCommand, SessionRules};
use crate::{
    forward::{Destination, ListenAddress},
    reason::{Reason, Refusal},
};
use std::collections::BTreeSet;

impl SessionRules {
    /// Whether the role forwards to `destination`.
    pub fn forwards_to(&self, destination: &Destination) -> bool {
        self.forward_to.iter().any(|pattern| pattern.covers(destination))
    }

    /// Whether the role lets a target listen at `address`.
    pub fn listens_on(&self, address: &ListenAddress) -> bool {
        self.listen_on.iter().any(|pattern| pattern.covers(address))
    }

    /// Whether a connection may be forwarded to `destination` by a certificate with these `extensions` and this forced command, which is all that its
    /// sessions do.
    pub fn allows_forward(
        &self,
        destination: &Destination,
        extensions: &BTreeSet<Extension>,
        forced: Option<&ForceCommand>,
    ) -> Result<(), Refusal> {
        certified(extensions, Extension::PermitPortForwarding, forced)?;
        if !self.forwards_to(destination) {
            return Err(not_allowed(
                format!("the role does not forward to {destination} from this target"),
                "ask whoever keeps the roles to add it to forward_to, or for another role: dayfly roles",
            ));
        }
        Ok(())
    }

    /// Whether the target may listen at `address` for connections towards the client.
    pub fn allows_listen(
        &self,
        address: &ListenAddress,
        extensions: &BTreeSet<Extension>,
        forced: Option<&ForceCommand>,
    ) -> Result<(), Refusal> {
        certified(extensions, Extension::PermitPortForwarding, forced)?;
        if !self.listens_on(address) {
            return Err(not_allowed(
                format!("the role does not let this target listen at {address}"),
                "ask whoever keeps the roles to add it to listen_on, or for another role: dayfly roles",
            ));
        }
        Ok(())
    }

    /// Whether programs at the target may use the client's agent.
    pub fn allows_agent(&self, extensions: &BTreeSet<Extension>, forced: Option<&ForceCommand>) -> Result<(), Refusal> {
        certified(extensions, Extension::PermitAgentForwarding, forced)?;
        if !self.forward_agent {
            return Err(not_allowed(
                "the role does not forward the agent to this target".to_owned(),
                "connect without -A, or ask for a role that does: dayfly roles",
            ));
        }
        Ok(())
    }
}

/// Whether a certificate with these `extensions` and this forced command forwards anything of the kind that `needed` permits.
fn certified(extensions: &BTreeSet<Extension>, needed: Extension, forced: Option<&ForceCommand>) -> Result<(), Refusal> {
    if forced.is_some() {
        return Err(not_allowed(
            "the certificate allows one command only, and no forwarding".to_owned(),
            "ask for another role: dayfly roles",
        ));
    }
    if !extensions.contains(&needed) {
        return Err(not_allowed(format!("the role has no {}", needed.as_str()), "ask for a role that has it: dayfly roles"));
    }
    Ok(())
}

fn not_allowed(message: String, remedy: &str) -> Refusal {
    Refusal::new(Reason::NotAllowed, message, remedy)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn nothing_is_forwarded_unless_rules_and_certificate_both_say_so() {
        let at = "localhost:8080".parse().unwrap();
        let rules =
            SessionRules { listen_on: BTreeSet::from(["localhost:8080".parse().unwrap()]), forward_agent: true, ..Default::default() };
        let ports = BTreeSet::from([Extension::PermitPortForwarding]);
        let agent = BTreeSet::from([Extension::PermitAgentForwarding]);
        let forced = ForceCommand::new("uptime").unwrap();
        assert_eq!((rules.allows_listen(&at, &ports, None), rules.allows_agent(&agent, None)), (Ok(()), Ok(())));
        let told = |answer: Result<(), Refusal>| answer.unwrap_err().message;
        assert!(told(rules.allows_listen(&at, &agent, None)).contains("permit-port-forwarding"));
        assert!(told(rules.allows_agent(&ports, None)).contains("permit-agent-forwarding"));
        assert!(told(rules.allows_listen(&at, &ports, Some(&forced))).contains("one command only"));
        assert!(told(rules.allows_agent(&agent, Some(&forced))).contains("one command only"));
        let least = SessionRules::default();
        assert!(told(least.allows_listen(&at, &ports, None)).contains("localhost:8080"));
        assert!(told(least.allows_agent(&agent, None)).contains("does not forward the agent"));
    }
}
