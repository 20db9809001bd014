//! This host at the CA: its certificate, and what its `sshd` is told.
//!
//! | Module | What it is |
//! |---|---|
//! | [`place`] | where everything is |
//! | [`record`] | what a renewal has to know |
//! | [`key`] | the host key, which signs the calls |
//! | [`certificate`] | whether the certificate that is there will do |
//! | [`contents`] | what the CA says → the files that say so to `sshd` |
//! | [`plan`] | files as they should be, compared with those that are; written together or not at all |
//! | [`krl`] | the revocation list that is held, and how old it is |
//! | [`sshd`] | checking and reloading it |
//! | [`timer`] | systemd's timer |
//! | [`renewal`] | all of it, in order |

pub mod certificate;
pub mod contents;
pub mod key;
pub mod krl;
pub mod place;
pub mod plan;
pub mod record;
pub mod renewal;
pub mod sshd;
pub mod timer;
