//! What this machine is like, as far as it can be seen without being root. What cannot be seen is left out: it is not a "no".

mod linux;
mod macos;

use dayfly_api::device::ReportedPosture;
use std::path::Path;

/// What can be seen of the machine that this runs on.
pub fn of_this_machine() -> ReportedPosture {
    match std::env::consts::OS {
        "linux" => linux::posture(Path::new("/")),
        "macos" => macos::posture(),
        _ => ReportedPosture::default(),
    }
}

/// What a program of the system's says, if it runs and succeeds. Programs are named by their whole path: nobody puts another in its place.
fn said_by(program: &str, arguments: &[&str]) -> Option<String> {
    let ran = std::process::Command::new(program).args(arguments).stdin(std::process::Stdio::null()).output().ok()?;
    ran.status.success().then(|| String::from_utf8_lossy(&ran.stdout).into_owned())
}
