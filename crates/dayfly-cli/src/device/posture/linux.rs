//! Linux: what `/proc`, `/sys` and `/etc` say.

use super::said_by;
use dayfly_api::device::{OperatingSystem, ReportedPosture};
use dayfly_core::device::Version;
use std::{
    fs,
    path::{Path, PathBuf},
};

/// How many layers of devices are followed: a partition below encryption below a volume below a RAID is four.
const DEEPEST: usize = 8;

/// Units that keep a firewall up, where the system starts them.
const FIREWALLS: [&str; 4] = [
    "etc/systemd/system/multi-user.target.wants/firewalld.service",
    "etc/systemd/system/sysinit.target.wants/nftables.service",
    "etc/systemd/system/multi-user.target.wants/nftables.service",
    "etc/systemd/system/multi-user.target.wants/netfilter-persistent.service",
];

pub(super) fn posture(root: &Path) -> ReportedPosture {
    ReportedPosture {
        disk_encrypted: disk_encrypted(root),
        os: Some(OperatingSystem::Linux),
        os_version: os_version(root),
        screen_lock: screen_lock(),
        firewall: firewall(root),
    }
}

/// `VERSION_ID` of os-release(5); distributions without releases have none.
fn os_version(root: &Path) -> Option<Version> {
    let text = fs::read_to_string(root.join("etc/os-release")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("VERSION_ID="))?;
    line.trim_matches(['"', '\'']).parse().ok()
}

/// Whether the device that `/` is mounted from stands on dm-crypt alone. Unknown where that is no device, as in a container.
fn disk_encrypted(root: &Path) -> Option<bool> {
    let mounts = fs::read_to_string(root.join("proc/self/mountinfo")).ok()?;
    // proc(5): ID, parent, device, root, mount point, options, optional fields, "-", type, source.
    let is_root = |line: &&str| line.split(' ').nth(4) == Some("/");
    let source = mounts.lines().rfind(is_root)?.split(" - ").nth(1)?.split(' ').nth(1)?;
    let device = source.strip_prefix("/dev/")?;
    let place = fs::canonicalize(root.join("dev").join(device)).unwrap_or_else(|_| PathBuf::from(device));
    let name = place.file_name()?.to_str()?;
    is_encrypted(&root.join("sys/class/block"), name, DEEPEST)
}

/// A device-mapper device says what it is; every other is what it stands on, and one that stands on nothing is a disk.
fn is_encrypted(devices: &Path, name: &str, depth: usize) -> Option<bool> {
    let device = devices.join(name);
    if depth == 0 || !device.exists() {
        return None;
    }
    if fs::read_to_string(device.join("dm/uuid")).is_ok_and(|uuid| uuid.starts_with("CRYPT-")) {
        return Some(true);
    }
    let below = fs::read_dir(device.join("slaves")).into_iter().flatten().flatten();
    let below: Vec<_> = below.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    if below.is_empty() {
        return Some(false);
    }
    below.iter().try_fold(true, |all, name| Some(is_encrypted(devices, name, depth.saturating_sub(1))? && all))
}

/// On if something that keeps one up is switched on. That nothing of it is seen says nothing: there are many ways, and most are root's to see.
fn firewall(root: &Path) -> Option<bool> {
    let ufw = fs::read_to_string(root.join("etc/ufw/ufw.conf")).unwrap_or_default();
    let is_on = ufw.lines().any(|line| line.trim().eq_ignore_ascii_case("ENABLED=yes"))
        || FIREWALLS.iter().any(|unit| root.join(unit).symlink_metadata().is_ok());
    is_on.then_some(true)
}

/// GNOME's switch, where a desktop runs that reads it.
fn screen_lock() -> Option<bool> {
    let desktop = std::env::var("XDG_CURRENT_DESKTOP").unwrap_or_default();
    if !["GNOME", "Unity", "X-Cinnamon"].iter().any(|known| desktop.contains(known)) {
        return None;
    }
    let schema = if desktop.contains("Cinnamon") { "org.cinnamon.desktop.screensaver" } else { "org.gnome.desktop.screensaver" };
    said_by("/usr/bin/gsettings", &["get", schema, "lock-enabled"])?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::os::unix::fs::symlink;
    use tempfile::TempDir;

    fn machine(files: &[(&str, &str)]) -> TempDir {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        root
    }

    fn mounted(source: &str) -> String {
        format!(
            "22 1 0:20 / /proc rw - proc proc rw\n23 1 254:0 / / rw,relatime shared:1 - ext4 {source} rw\n24 1 0:5 / /dev rw - devtmpfs udev rw\n"
        )
    }

    #[test]
    fn a_disk_is_encrypted_if_everything_below_root_is() {
        let crypt = machine(&[
            ("proc/self/mountinfo", &mounted("/dev/mapper/vg-root")),
            ("dev/dm-1", ""),
            ("sys/class/block/dm-1/dm/uuid", "LVM-x\n"),
            ("sys/class/block/dm-1/slaves/dm-0/x", ""),
            ("sys/class/block/dm-0/dm/uuid", "CRYPT-LUKS2-x\n"),
        ]);
        fs::create_dir_all(crypt.path().join("dev/mapper")).unwrap();
        symlink("../dm-1", crypt.path().join("dev/mapper/vg-root")).unwrap();
        assert_eq!(disk_encrypted(crypt.path()), Some(true));
        // Half of the volume lies on a bare disk.
        fs::create_dir_all(crypt.path().join("sys/class/block/dm-1/slaves/sdb")).unwrap();
        fs::create_dir_all(crypt.path().join("sys/class/block/sdb")).unwrap();
        assert_eq!(disk_encrypted(crypt.path()), Some(false));

        let bare = machine(&[("proc/self/mountinfo", &mounted("/dev/vda1")), ("sys/class/block/vda1/partition", "1")]);
        assert_eq!(disk_encrypted(bare.path()), Some(false));
        for unseen in ["overlay", "/dev/unknown", "rpool/root"] {
            let root = machine(&[("proc/self/mountinfo", &mounted(unseen))]);
            assert_eq!(disk_encrypted(root.path()), None, "{unseen}");
        }
        assert_eq!(disk_encrypted(machine(&[]).path()), None);
    }

    #[test]
    fn a_circle_of_devices_ends() {
        let root = machine(&[
            ("proc/self/mountinfo", &mounted("/dev/dm-0")),
            ("sys/class/block/dm-0/slaves/dm-1/x", ""),
            ("sys/class/block/dm-1/slaves/dm-0/x", ""),
        ]);
        assert_eq!(disk_encrypted(root.path()), None);
    }

    #[test]
    fn versions_and_firewalls_are_seen_or_left_out() {
        let debian = machine(&[("etc/os-release", "NAME=\"Debian\"\nVERSION_ID=\"12\"\n"), ("etc/ufw/ufw.conf", "# x\nENABLED=yes\n")]);
        assert_eq!((os_version(debian.path()), firewall(debian.path())), (Some("12".parse().unwrap()), Some(true)));
        let ubuntu = machine(&[("etc/os-release", "VERSION_ID=24.04\n"), ("etc/ufw/ufw.conf", "ENABLED=no\n")]);
        assert_eq!((os_version(ubuntu.path()), firewall(ubuntu.path())), (Some("24.4".parse().unwrap()), None));
        let rolling = machine(&[("etc/os-release", "NAME=Arch\n"), (FIREWALLS[1], "")]);
        assert_eq!((os_version(rolling.path()), firewall(rolling.path())), (None, Some(true)));
    }
}
