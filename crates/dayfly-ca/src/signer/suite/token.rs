//! A real PKCS#11 module with a token of its own: SoftHSM, in this process or behind p11-kit's server.

use super::agent::wait_for;
use crate::config::{Calls, Custody, TokenKey};
use std::{
    env, fs,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

/// Debian's module.
const SOFTHSM: &str = "/usr/lib/softhsm/libsofthsm2.so";

/// The token's label and its PIN.
const LABEL: &str = "dayfly";
const PIN: &str = "correct-horse";

/// Set in the process that a test runs again in.
const INNER: &str = "DAYFLY_TEST_TOKENS";

/// Runs `test` in a process of its own: a module reads where its tokens are from the environment, when it is loaded, and keeps that for the whole process.
/// `name` is the test's full name.
pub(in crate::signer) fn in_process_of_its_own(name: &str, test: impl FnOnce()) {
    if env::var_os(INNER).is_some() {
        return test();
    }
    let directory = tempfile::tempdir().unwrap();
    fs::create_dir(directory.path().join("tokens")).unwrap();
    let shown = directory.path().display();
    fs::write(directory.path().join("softhsm2.conf"), format!("directories.tokendir = {shown}/tokens\nlog.level = ERROR\n")).unwrap();
    let output = Command::new(env::current_exe().unwrap())
        .args([name, "--exact", "--nocapture"])
        .env(INNER, directory.path())
        .env("SOFTHSM2_CONF", directory.path().join("softhsm2.conf"))
        .env("P11_KIT_SERVER_ADDRESS", format!("unix:path={shown}/p11-kit.sock"))
        .output()
        .unwrap();
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
}

fn directory() -> PathBuf {
    PathBuf::from(env::var_os(INNER).expect("in_process_of_its_own"))
}

/// A SoftHSM token.
pub(in crate::signer) struct SoftHsm {
    pin_file: PathBuf,
}

impl SoftHsm {
    pub(in crate::signer) fn make() -> Self {
        let made = ["--init-token", "--free", "--label", LABEL, "--pin", PIN, "--so-pin", "so-pin"];
        run(Command::new("softhsm2-util").args(made));
        let pin_file = directory().join("pin");
        crate::private_file::create(&pin_file, format!("{PIN}\n").as_bytes()).unwrap();
        Self { pin_file }
    }

    pub(in crate::signer) fn make_key(&self, label: &str, kind: (&str, &str)) {
        let kind = match kind {
            ("ed25519", _) => "EC:edwards25519".to_owned(),
            ("ecdsa", "256") => "EC:secp256r1".to_owned(),
            ("ecdsa", bits) => format!("EC:secp{bits}r1"),
            (_, bits) => format!("rsa:{bits}"),
        };
        let token = ["--module", SOFTHSM, "--token-label", LABEL, "--login", "--pin", PIN];
        run(Command::new("pkcs11-tool").args(token).args(["--keypairgen", "--key-type", &kind, "--label", label]));
    }

    pub(in crate::signer) fn custody(&self, label: &str, calls: Calls) -> Custody {
        Custody::Token(self.key(SOFTHSM, label, calls))
    }

    pub(in crate::signer) fn key(&self, module: &str, label: &str, calls: Calls) -> TokenKey {
        TokenKey {
            module: module.into(),
            token: LABEL.to_owned(),
            label: Some(label.to_owned()),
            id: None,
            pin_file: Some(self.pin_file.clone()),
            calls,
        }
    }

    /// Takes the token away, as if it was unplugged.
    pub(in crate::signer) fn unplug(&self) {
        fs::rename(directory().join("tokens"), directory().join("unplugged")).unwrap();
        fs::create_dir(directory().join("tokens")).unwrap();
    }

    /// Brings it back.
    pub(in crate::signer) fn plug_in(&self) {
        fs::remove_dir_all(directory().join("tokens")).unwrap();
        fs::rename(directory().join("unplugged"), directory().join("tokens")).unwrap();
    }
}

/// SoftHSM behind p11-kit's server: a token in a process that can be killed and stopped.
pub(in crate::signer) struct P11Kit(Option<Child>);

impl P11Kit {
    /// The module that asks the server.
    pub(in crate::signer) fn module() -> String {
        let found = ["x86_64-linux-gnu", "aarch64-linux-gnu"].map(|machine| format!("/usr/lib/{machine}/pkcs11/p11-kit-client.so"));
        found.into_iter().find(|path| Path::new(path).exists()).expect("Debian's p11-kit-modules")
    }

    pub(in crate::signer) fn start() -> Self {
        let mut server = Self(None);
        server.start_again();
        server
    }

    pub(in crate::signer) fn start_again(&mut self) {
        let socket = directory().join("p11-kit.sock");
        let _ = fs::remove_file(&socket);
        let mut command = Command::new("p11-kit");
        command.args(["server", "--foreground", "--name"]).arg(&socket).args(["--provider", SOFTHSM, &format!("pkcs11:token={LABEL}")]);
        // A group of its own, so that none of the processes that it starts is left behind; and nobody waits for what such a one might say.
        self.0 = Some(command.process_group(0).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
        wait_for(&socket);
    }

    /// Sends a signal to the server and to the processes that serve its clients.
    pub(in crate::signer) fn signal(&self, signal: &str) {
        let group = format!("-{}", self.0.as_ref().expect("a server that runs").id());
        run(Command::new("kill").args([signal, "--", &group]));
    }

    pub(in crate::signer) fn kill(&mut self) {
        self.signal("-KILL");
        if let Some(mut server) = self.0.take() {
            server.wait().unwrap();
        }
    }
}

impl Drop for P11Kit {
    fn drop(&mut self) {
        if self.0.is_some() {
            self.kill();
        }
    }
}

fn run(command: &mut Command) {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}
