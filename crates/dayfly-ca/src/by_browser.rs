//! What a tool has a browser do for it, and how the answer comes to the tool and to nobody else.
//!
//! | Part | What it is |
//! |---|---|
//! | `transaction` | what is under way |
//! | `secret` | codes and tokens: random, hashed, compared in constant time |
//! | `refusals` | what was refused, for the log |
//!
//! What begins at the tool and what comes back from the browser meet in one of two ways, and only so. On the same machine the browser is sent to the tool's
//! own port with a code. From another machine the person types the code that the tool shows, and sees who asks before they go on. In both, one browser has
//! to go the whole way, and the answer is given once, to the key that asked. Nobody gains anything by sending somebody else a link.

pub mod refusals;
pub mod secret;
pub(crate) mod transaction;

use dayfly_api::sign_in::SignInWay;
use dayfly_core::reason::{Reason, Refusal};
use std::net::IpAddr;

/// How often a tool may ask whether its person is done, in seconds.
pub(crate) const POLL: u64 = 2;

/// What one address may begin at once, and a second from then on.
pub(crate) const STARTS: (u64, u64) = (60, 1);

/// Codes that one address may try at once, and a second from then on.
pub(crate) const TYPED: (u64, u64) = (10, 1);

/// The longest name of a machine that is shown, in characters.
const LONGEST_HOST: usize = 64;

/// Who waits, as far as the CA knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asker {
    /// `SHA256:…` of the key that asked.
    pub key_fingerprint: String,
    /// Where the tool called from.
    pub address: IpAddr,
    /// What its machine calls itself.
    pub host: String,
    /// When it began, in Unix seconds.
    pub began_at: u64,
}

/// How the answer comes to the tool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Way {
    /// By the browser, to this port of its own machine, with what the tool knows its answer by.
    Loopback { port: u16, state: String },
    /// The tool asks for it.
    DeviceCode,
}

impl Way {
    /// The way that was asked for, if it can be gone; `None` for one that is forbidden here.
    pub(crate) fn asked(asked: SignInWay, device_codes: bool) -> Result<Option<Self>, Refusal> {
        let is_plain =
            |state: &str| (16..=128).contains(&state.len()) && state.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b));
        match asked {
            SignInWay::Loopback { port, state } if port > 0 && is_plain(&state) => Ok(Some(Self::Loopback { port, state })),
            SignInWay::Loopback { .. } => {
                let message = "the port is 0, or the state is not 16 to 128 letters, digits, '-' and '_'";
                Err(Refusal::new(Reason::BadRequest, message, "see /v1/openapi.json for what it takes"))
            }
            SignInWay::DeviceCode => Ok(device_codes.then_some(Self::DeviceCode)),
        }
    }

    /// Its name in the log.
    pub(crate) fn as_str(&self) -> &'static str {
        match self {
            Self::Loopback { .. } => "loopback",
            Self::DeviceCode => "device_code",
        }
    }

    /// Whether the browser is on the tool's machine, as far as addresses tell.
    pub(crate) fn is_here(&self, asker: &Asker, browser: IpAddr) -> bool {
        matches!(self, Self::Loopback { .. }) && browser.to_canonical() == asker.address
    }
}

/// Somebody is back, and what they were asked for is proven.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Arrived {
    /// The browser goes on to the tool that waits, on this very machine.
    AtTheTool(String),
    /// The tool hears of it by itself.
    Elsewhere {
        /// Who it is.
        subject: String,
        /// What the tool's machine calls itself.
        host: String,
    },
}

/// Always an address of the browser's own machine, whatever a tool says.
pub(crate) fn at_the_tool(place: &str, port: u16, state: &str, code: &str) -> String {
    format!("http://127.0.0.1:{port}/{place}?state={state}&code={code}")
}

/// What a machine calls itself, as far as it can be shown.
pub(crate) fn host_name(text: &str) -> String {
    let shown: String = text.chars().filter(|c| c.is_ascii_graphic() || c.is_alphanumeric()).take(LONGEST_HOST).collect();
    if shown.is_empty() { "without a name".to_owned() } else { shown }
}
