//! Flow control: bytes move between two SSH connections without a deadlock, and in bounded memory.
//!
//! The SSH library hands bytes to a callback that must not wait: one slow channel would stall its whole connection, in both directions, and nested as in a
//! recorded ProxyJump that is a deadlock. So callbacks put bytes into a [`mod@queue`] and return. What keeps a queue bounded is the sender's window:
//!
//! - towards the client, [`Pressure::window_target`] says how much window to grant. While too much is queued it is two bytes, so that each further round
//!   trip carries next to nothing and the connection still lives;
//! - towards the target the library grants the full window whatever it is told, so a [`Valve`] stops reading the transport instead.
//!
//! | Module | What it is |
//! |---|---|
//! | [`pressure`] | how much is queued, and what follows from it |
//! | [`mod@queue`] | bytes and marks, in order, from a callback to a task |
//! | [`valve`] | a transport that is not read while too much is queued |
//! | [`channel_stream`] | a channel as a byte stream, for SSH inside SSH |

pub mod channel_stream;
pub mod pressure;
pub mod queue;
pub mod valve;

pub use channel_stream::ChannelStream;
pub use pressure::Pressure;
pub use queue::{Gone, Lane, Piece, QueueReceiver, QueueSender, queue};
pub use valve::Valve;

/// The window that a channel is granted, in bytes. Larger ones were measured to be slower.
pub const WINDOW: u32 = 2 * 1024 * 1024;

/// The most that one channel may have queued, in bytes: more than any peer can send that keeps to its window (RFC 4254 section 5.2).
pub const BRIM: usize = pressure::HIGH + pressure::STARVING_EXTRA + 2 * WINDOW as usize;
