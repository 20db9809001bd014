//! What a target narrows of what roles allow in sessions. It never widens anything.

use super::{EnvironmentPattern, Role, SessionRules, SessionSpan, Start};
use crate::{
    forward::{DestinationPattern, ListenPattern},
    target::Target,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// The limits of sessions at one target, whatever their role allows. What is left out narrows nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SessionLimits {
    /// What may be started.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allow: Option<BTreeSet<Start>>,
    /// Environment variables that a client may set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub environment: Option<BTreeSet<EnvironmentPattern>>,
    /// Where connections may be forwarded to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub forward_to: Option<BTreeSet<DestinationPattern>>,
    /// Where the target may listen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub listen_on: Option<BTreeSet<ListenPattern>>,
    /// `false`: no agent is forwarded here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub forward_agent: Option<bool>,
    /// `true`: what is typed is recorded here.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub record_input: bool,
    /// How long a session may last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_duration: Option<SessionSpan>,
    /// How long nothing may happen in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_idle: Option<SessionSpan>,
    /// `true`: a session ends with its certificate.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub end_with_certificate: bool,
    /// `true`: policy is asked again while a session runs.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub continuous: bool,
}

impl SessionLimits {
    /// Whether nothing but a bastion that answers for the target could obey all of it.
    pub fn need_recording(&self) -> bool {
        let times = Self { max_duration: self.max_duration, max_idle: self.max_idle, continuous: self.continuous, ..Self::default() };
        *self != times
    }
}

impl Role {
    /// What sessions of this role may do at `target`: what both allow.
    pub fn session_at(&self, target: &Target) -> SessionRules {
        match &target.session {
            Some(limits) => self.session.within(limits),
            None => self.session.clone(),
        }
    }
}

impl SessionRules {
    /// What these rules and `limits` both allow.
    #[must_use]
    pub fn within(&self, limits: &SessionLimits) -> Self {
        Self {
            allow: match &limits.allow {
                Some(allow) => &self.allow & allow,
                None => self.allow.clone(),
            },
            environment: met(&self.environment, limits.environment.as_ref(), EnvironmentPattern::meet),
            forward_to: met(&self.forward_to, limits.forward_to.as_ref(), DestinationPattern::meet),
            listen_on: met(&self.listen_on, limits.listen_on.as_ref(), ListenPattern::meet),
            forward_agent: self.forward_agent && limits.forward_agent != Some(false),
            record_input: self.record_input || limits.record_input,
            max_duration: shorter(self.max_duration, limits.max_duration),
            max_idle: shorter(self.max_idle, limits.max_idle),
            end_with_certificate: self.end_with_certificate || limits.end_with_certificate,
            continuous: self.continuous || limits.continuous,
        }
    }
}

/// What is covered by some pattern of each.
fn met<P: Ord + Clone>(own: &BTreeSet<P>, limits: Option<&BTreeSet<P>>, meet: impl Fn(&P, &P) -> Option<P>) -> BTreeSet<P> {
    let Some(limits) = limits else { return own.clone() };
    own.iter().flat_map(|pattern| limits.iter().filter_map(|limit| meet(pattern, limit))).collect()
}

fn shorter(one: Option<SessionSpan>, other: Option<SessionSpan>) -> Option<SessionSpan> {
    one.into_iter().chain(other).min()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    fn limits(text: &str) -> SessionLimits {
        toml::from_str(text).unwrap()
    }

    fn rules(text: &str) -> SessionRules {
        toml::from_str(text).unwrap()
    }

    #[test]
    fn row_18_a_target_only_narrows() {
        let role = rules(
            "allow = [\"shell\", \"sftp\"]\nenvironment = [\"LANG\", \"LC_*\"]\nforward_to = [\"*.internal:443\"]\nlisten_on = [\"localhost:*\"]\nforward_agent = true\nmax_idle = \"1h\"",
        );
        let narrowed = role.within(&limits(
            "allow = [\"shell\", \"exec\"]\nenvironment = [\"LC_ALL\", \"TZ\"]\nforward_to = [\"db.internal:*\", \"elsewhere:443\"]\nlisten_on = [\"*:8080\"]\nforward_agent = false\nrecord_input = true\nmax_idle = \"2h\"\nmax_duration = \"8h\"",
        ));
        let expected = rules(
            "allow = [\"shell\"]\nenvironment = [\"LC_ALL\"]\nforward_to = [\"db.internal:443\"]\nlisten_on = [\"localhost:8080\"]\nrecord_input = true\nmax_idle = \"1h\"\nmax_duration = \"8h\"",
        );
        assert_eq!(narrowed, expected);
        assert_eq!(role.within(&SessionLimits::default()), role, "what is left out narrows nothing");
        let nothing = role.within(&limits("allow = []\nenvironment = []\nforward_to = []\nlisten_on = []"));
        assert!(
            nothing.allow.is_empty() && nothing.environment.is_empty() && nothing.forward_to.is_empty() && nothing.listen_on.is_empty()
        );
        let least = SessionRules::default().within(&limits("forward_to = [\"*:*\"]\nlisten_on = [\"*:*\"]\nforward_agent = true"));
        assert_eq!(least, SessionRules::default(), "a target gives nothing");
    }

    proptest! {
        #[test]
        fn row_18_a_variable_is_allowed_by_both_or_not_at_all(
            own in proptest::collection::btree_set("[AB]{1,2}[*]?", 0..3),
            limit in proptest::collection::btree_set("[AB]{1,2}[*]?", 0..3),
            name in "[AB]{1,3}",
        ) {
            let patterns = |texts: &BTreeSet<String>| texts.iter().map(|text| EnvironmentPattern::try_from(text.clone()).unwrap()).collect::<BTreeSet<_>>();
            let role = SessionRules { environment: patterns(&own), ..SessionRules::default() };
            let target = SessionRules { environment: patterns(&limit), ..SessionRules::default() };
            let narrowed = role.within(&SessionLimits { environment: Some(patterns(&limit)), ..SessionLimits::default() });
            prop_assert_eq!(narrowed.allows_environment(&name), role.allows_environment(&name) && target.allows_environment(&name));
        }
    }
}
