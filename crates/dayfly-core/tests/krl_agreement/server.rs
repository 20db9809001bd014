//! A real `sshd` whose `RevokedKeys` is a list of ours.

use super::{ALICE, BOB, OTHER, OURS, by, filled, key, line, sha256, write_key};
use dayfly_core::certificate::krl::Krl;
use dayfly_tests::sshd::{Judge, Program};
use ssh_key::Certificate;
use std::{
    fs,
    process::{Command, Stdio},
};
use tempfile::TempDir;

/// Answers on loopback.
struct Server {
    directory: TempDir,
    judge: Judge,
}

impl Server {
    fn start(program: &Program) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let at = directory.path().display().to_string();
        for (name, seed) in [("host", 50), ("alice", ALICE), ("bob", BOB)] {
            write_key(&directory.path().join(name), seed);
        }
        fs::write(directory.path().join("authorities"), format!("{}\n{}\n", line(OURS), line(OTHER))).unwrap();
        fs::write(directory.path().join("principals"), "deploy\n").unwrap();
        fs::write(directory.path().join("revoked"), Krl::default().encode().unwrap()).unwrap();
        // Nothing is run that reads a person's start-up files: they would take longer than the login.
        let config = format!(
            "HostKey {at}/host\nPidFile none\nUsePAM no\nStrictModes no\nTrustedUserCAKeys {at}/authorities\n\
             AuthorizedPrincipalsFile {at}/principals\nAuthorizedKeysFile none\nRevokedKeys {at}/revoked\nAuthenticationMethods publickey\n\
             MaxAuthTries 20\nPermitRootLogin yes\nSubsystem sftp internal-sftp\nForceCommand internal-sftp\n{}",
            program.settings()
        );
        let path = directory.path().join("sshd_config");
        fs::write(&path, config).unwrap();
        let judge = Judge::start(program, &path).unwrap();
        Self { directory, judge }
    }

    /// Puts `list` into force: by a rename, as on a real host, so that sshd never sees half a list.
    fn revoke(&self, list: &[u8]) {
        let at = self.directory.path();
        fs::write(at.join("revoked.new"), list).unwrap();
        fs::rename(at.join("revoked.new"), at.join("revoked")).unwrap();
    }

    /// Whether somebody gets in by this certificate.
    fn admits(&self, holder: &str, certificate: &Certificate) -> bool {
        let at = self.directory.path();
        let shown = at.join(format!("{holder}-cert.pub"));
        fs::write(&shown, certificate.to_openssh().unwrap()).unwrap();
        let mut ssh = Command::new("ssh");
        ssh.args(["-F", "none", "-p", &self.judge.address().port().to_string()]);
        // The key exchange that `ssh` would choose takes it longer than the rest of the login.
        let options =
            ["BatchMode=yes", "IdentitiesOnly=yes", "IdentityAgent=none", "StrictHostKeyChecking=no", "KexAlgorithms=curve25519-sha256"];
        options.into_iter().chain(["UserKnownHostsFile=/dev/null"]).for_each(|option| {
            ssh.args(["-o", option]);
        });
        ssh.arg(format!("-oCertificateFile={}", shown.display())).arg("-i").arg(at.join(holder)).args(["-v", "127.0.0.1", "true"]);
        let ended = ssh.stdin(Stdio::null()).output().unwrap();
        let said = String::from_utf8_lossy(&ended.stderr);
        let is_in = said.contains("Authenticated to ");
        assert!(is_in || said.contains("Permission denied"), "{said}{}", self.judge.trace());
        is_in
    }
}

#[test]
fn row_20_sshd_refuses_what_a_list_of_ours_revokes_and_nothing_else() {
    refuses_what_is_revoked_and_nothing_else(&Program::system());
}

#[test]
fn row_20_a_newer_sshd_refuses_what_a_list_of_ours_revokes_and_nothing_else() {
    if let Some(program) = Program::newer().unwrap() {
        refuses_what_is_revoked_and_nothing_else(&program);
    }
}

fn refuses_what_is_revoked_and_nothing_else(program: &Program) {
    let server = Server::start(program);
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
        server.revoke(&list);
        std::thread::scope(|scope| {
            for (holder, certificate) in [("alice", &alice), ("bob", &bob)] {
                let (server, krl) = (&server, &krl);
                scope.spawn(move || assert_eq!(server.admits(holder, certificate), krl.revokes(certificate).is_none(), "{holder} {krl:?}"));
            }
        });
    }
    server.revoke(b"SSHKRL\n\0");
    assert!(!server.admits("alice", &alice), "a list that cannot be read admits nobody");
}
