//! systemd's timer, which has this host renewed every few minutes.

use super::{
    place::{Place, USUAL},
    plan::File,
};
use crate::error::{Failure, Kind};
use std::{
    path::{Path, PathBuf},
    process::Command,
};

// The units that are committed for reading are those that are installed.
const SERVICE: &str = include_str!("../../../../contrib/systemd/dayfly-host.service");
const TIMER: &str = include_str!("../../../../contrib/systemd/dayfly-host.timer");

/// The program that the committed unit names.
const USUAL_PROGRAM: &str = "/usr/local/bin/dayfly";

/// A systemd to install the timer in.
#[derive(Debug, Clone)]
pub struct Systemd {
    /// `systemctl`.
    pub systemctl: PathBuf,
    /// Where units are.
    pub directory: PathBuf,
}

impl Systemd {
    /// Whether there is a systemd that answers. Asked before anything is changed.
    pub fn check(&self) -> Result<(), Failure> {
        self.run(&["show", "--property=Version"]).map_err(|failure| Failure {
            kind: Kind::Usage,
            message: "there is no systemd here to install the timer in".to_owned(),
            remedy: Some("use --no-timer, and have `dayfly host renew` run every five minutes by other means".to_owned()),
            ..failure
        })
    }

    /// The service and its timer. The service runs this very program.
    pub fn units(&self, place: &Place) -> Result<Vec<File>, Failure> {
        let program = std::env::current_exe().map_err(|error| Failure::new(Kind::Failed, "this program has no path").because(error))?;
        let service = unit(&program, place)?;
        let file = |name: &str, text: &str| File::public(self.directory.join(name), text);
        Ok(vec![file("dayfly-host.service", &service), file("dayfly-host.timer", TIMER)])
    }

    /// Has systemd read the units and start the timer.
    pub fn start(&self) -> Result<(), Failure> {
        self.run(&["daemon-reload"])?;
        self.run(&["enable", "--now", "dayfly-host.timer"])
    }

    fn run(&self, arguments: &[&str]) -> Result<(), Failure> {
        let failed =
            |cause: &dyn std::fmt::Display| Failure::new(Kind::Failed, format!("systemctl {} failed", arguments.join(" "))).because(cause);
        let output = Command::new(&self.systemctl).args(arguments).output().map_err(|error| failed(&error))?;
        if output.status.success() { Ok(()) } else { Err(failed(&String::from_utf8_lossy(&output.stderr).trim())) }
    }
}

/// The service for this program and place. A path that systemd would take apart is refused.
fn unit(program: &Path, place: &Place) -> Result<String, Failure> {
    let plain = |path: &Path| {
        let text = path.to_str().filter(|text| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/._-+@".contains(&byte)));
        let unfit = || Failure::new(Kind::Usage, format!("{} cannot stand in a unit of systemd", path.display())).remedy("use --no-timer");
        text.map(str::to_owned).ok_or_else(unfit)
    };
    Ok(SERVICE.replace(USUAL_PROGRAM, &plain(program)?).replace(USUAL, &plain(place.directory())?))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_unit_runs_this_program_for_this_place() {
        let place = Place::new(Path::new("/srv/ssh")).unwrap();
        let text = unit(Path::new("/opt/bin/dayfly"), &place).unwrap();
        assert!(text.contains("ExecStart=/opt/bin/dayfly host renew --sshd-config-dir /srv/ssh\n"));
        assert!(text.contains("ReadWritePaths=/srv/ssh\n") && !text.contains("/etc/ssh"));
        for bad in ["/opt/a b", "/opt/%h", "/opt/$HOME", "/opt/a\nExecStart=b"] {
            assert!(unit(Path::new(bad), &place).is_err(), "{bad:?}");
        }
    }
}
