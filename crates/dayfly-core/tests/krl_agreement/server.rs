//! A real `sshd` whose `RevokedKeys` is a list of ours.

use super::{ALICE, BOB, OTHER, OURS, by, filled, key, line, sha256, write_key};
use dayfly_core::certificate::krl::Krl;
use ssh_key::Certificate;
use std::{
    fs,
    io::{BufRead, BufReader},
    net::TcpListener,
    path::Path,
    process::{Child, Command, Stdio},
};
use tempfile::TempDir;

/// Listens on loopback until it is dropped.
struct Server {
    directory: TempDir,
    port: u16,
    sshd: Child,
}

impl Server {
    fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let at = directory.path().display().to_string();
        for (name, seed) in [("host", 50), ("alice", ALICE), ("bob", BOB)] {
            write_key(&directory.path().join(name), seed);
        }
        fs::write(directory.path().join("authorities"), format!("{}\n{}\n", line(OURS), line(OTHER))).unwrap();
        fs::write(directory.path().join("principals"), "deploy\n").unwrap();
        fs::write(directory.path().join("revoked"), Krl::default().encode().unwrap()).unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let config = format!(
            "ListenAddress 127.0.0.1\nPort {port}\nHostKey {at}/host\nPidFile none\nUsePAM no\nStrictModes no\nTrustedUserCAKeys {at}/authorities\n\
             AuthorizedPrincipalsFile {at}/principals\nAuthorizedKeysFile none\nRevokedKeys {at}/revoked\nAuthenticationMethods publickey\n\
             MaxStartups 100\nMaxAuthTries 20\nPermitRootLogin yes\n"
        );
        fs::write(directory.path().join("sshd_config"), config).unwrap();
        let mut sshd = Command::new("/usr/sbin/sshd");
        sshd.args(["-D", "-e", "-f"]).arg(directory.path().join("sshd_config"));
        let mut sshd = sshd.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        // It says when it listens; what it says later is read so that it never waits for us.
        let mut trace = BufReader::new(sshd.stderr.take().unwrap()).lines();
        let listens = trace.by_ref().map_while(Result::ok).any(|line| line.starts_with("Server listening on"));
        assert!(listens, "sshd did not start: install openssh-server");
        std::thread::spawn(move || trace.for_each(drop));
        Self { directory, port, sshd }
    }

    /// Whether somebody gets in by this certificate while `list` is in force.
    fn admits(&self, list: &[u8], holder: &str, certificate: &Certificate) -> bool {
        let at = self.directory.path();
        // Replaced by a rename, as on a real host: sshd never sees half a list.
        fs::write(at.join("revoked.new"), list).unwrap();
        fs::rename(at.join("revoked.new"), at.join("revoked")).unwrap();
        fs::write(at.join("shown"), certificate.to_openssh().unwrap()).unwrap();
        let ended = Command::new("ssh")
            .args([
                "-F",
                "none",
                "-p",
                &self.port.to_string(),
                "-o",
                "BatchMode=yes",
                "-o",
                "IdentitiesOnly=yes",
                "-o",
                "IdentityAgent=none",
            ])
            .args(["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "PreferredAuthentications=publickey"])
            .arg(format!("-oCertificateFile={}", at.join("shown").display()))
            .arg("-i")
            .arg(at.join(holder))
            .args(["127.0.0.1", "echo in"])
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let is_in = ended.stdout == b"in\n";
        assert!(
            is_in || String::from_utf8_lossy(&ended.stderr).contains("Permission denied"),
            "{}",
            String::from_utf8_lossy(&ended.stderr)
        );
        is_in
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.sshd.kill();
        let _ = self.sshd.wait();
    }
}

fn is_file(path: &str) -> bool {
    Path::new(path).is_file()
}

#[test]
fn row_20_sshd_refuses_what_a_list_of_ours_revokes_and_nothing_else() {
    assert!(is_file("/usr/sbin/sshd"), "install openssh-server");
    let server = Server::start();
    let (alice, bob) = (by(OURS, ALICE, (1 << 53) - 1, "alice"), by(OTHER, BOB, u64::MAX, "bob"));
    let ours = key(OURS);
    let lists = [
        filled(|_| ()),
        filled(|krl| krl.revoke_serials(Some(&ours), [(1 << 53) - 1]).unwrap()),
        filled(|krl| krl.revoke_serials(Some(&ours), [u64::MAX]).unwrap()),
        filled(|krl| krl.revoke_serials(None, [u64::MAX]).unwrap()),
        filled(|krl| krl.revoke_ranges(Some(&ours), [(5, 1 << 60)]).unwrap()),
        filled(|krl| krl.revoke_serials(Some(&ours), (0..300).map(|n| (1 << 53) - 1 - 2 * n)).unwrap()),
        filled(|krl| krl.revoke_key_id(Some(&ours), "alice").unwrap()),
        filled(|krl| krl.revoke_key(&key(BOB))),
        filled(|krl| krl.revoke_key(&ours)),
        filled(|krl| krl.revoke_fingerprint(sha256(ALICE))),
        filled(|krl| krl.revoke_fingerprint(sha256(OTHER))),
    ];
    for list in lists {
        let krl = Krl::parse(&list).unwrap();
        for (holder, certificate) in [("alice", &alice), ("bob", &bob)] {
            assert_eq!(server.admits(&list, holder, certificate), krl.revokes(certificate).is_none(), "{holder} {krl:?}");
        }
    }
    assert!(!server.admits(b"SSHKRL\n\0", "alice", &alice), "a list that cannot be read admits nobody");
}
