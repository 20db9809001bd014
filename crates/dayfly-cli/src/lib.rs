//! The tool people use: signs in, gets certificates, replays sessions, verifies the log.

pub mod agent;
pub mod error;
pub mod identity;
pub mod output;
pub mod state;
