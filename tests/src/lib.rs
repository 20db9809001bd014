//! Support for the tests of the whole: the rules of the architecture, and a complete system to try things on.

pub mod architecture;
pub mod certificates;
pub mod client;
pub mod command;
pub mod forgery;
pub mod peers;
pub mod secrets;
pub mod sshd;
pub mod stack;
pub mod target_host;
pub mod terminal;
pub mod traffic;
