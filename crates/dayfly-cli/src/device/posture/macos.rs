//! macOS: what its own programs say.

use super::said_by;
use dayfly_api::device::{OperatingSystem, ReportedPosture};

pub(super) fn posture() -> ReportedPosture {
    ReportedPosture {
        disk_encrypted: said_by("/usr/bin/fdesetup", &["status"]).and_then(|said| is_on(&said)),
        os: Some(OperatingSystem::Macos),
        os_version: said_by("/usr/bin/sw_vers", &["-productVersion"]).and_then(|said| said.trim().parse().ok()),
        screen_lock: said_by("/usr/sbin/sysadminctl", &["-screenLock", "status"]).and_then(|said| locks(&said)),
        firewall: said_by("/usr/libexec/ApplicationFirewall/socketfilterfw", &["--getglobalstate"]).and_then(|said| is_on(&said)),
    }
}

/// `FileVault is On.`, `Firewall is enabled. (State = 1)` and their opposites.
fn is_on(said: &str) -> Option<bool> {
    let said = said.lines().next()?.to_lowercase();
    match said {
        _ if said.contains(" is on") || said.contains(" is enabled") => Some(true),
        _ if said.contains(" is off") || said.contains(" is disabled") => Some(false),
        _ => None,
    }
}

/// `screenLock delay is immediate`, `screenLock delay is 300 seconds`, `screenLock is off`.
fn locks(said: &str) -> Option<bool> {
    match said {
        _ if said.contains("screenLock delay is") => Some(true),
        _ if said.contains("screenLock is off") => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_programs_say_is_understood_or_left_out() {
        assert_eq!(is_on("FileVault is On.\n"), Some(true));
        assert_eq!(is_on("FileVault is Off.\nDeferred enablement appears to be active.\n"), Some(false));
        assert_eq!(is_on("Firewall is enabled. (State = 1)\n"), Some(true));
        assert_eq!(is_on("Firewall is disabled. (State = 0)\n"), Some(false));
        assert_eq!((is_on("something new"), is_on("")), (None, None));
        assert_eq!(locks("screenLock delay is 300 seconds"), Some(true));
        assert_eq!(locks("screenLock is off"), Some(false));
        assert_eq!(locks("?"), None);
    }
}
