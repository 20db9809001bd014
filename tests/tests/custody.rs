//! A CA whose user CA key is on a token: its certificates are OpenSSH's and open an sshd's door.

use anyhow::{Context, Result, ensure};
use dayfly_tests::{
    client::Client,
    command::run,
    secrets::files,
    stack::{Stack, stack_script},
};
use std::{fs, os::unix::fs::PermissionsExt, path::Path, process::Command};

const MODULE: &str = "/usr/lib/softhsm/libsofthsm2.so";
const PIN: &str = "a-pin-that-nothing-else-says";

#[test]
fn row_28_a_token_signs_what_openssh_reads_and_sshd_accepts_and_its_pin_is_written_nowhere() -> Result<()> {
    let stack = Stack::own()?;
    let public_key = make_token(&stack)?;
    let config = stack.path("DAYFLY_CA_CONFIG")?;
    let text = fs::read_to_string(config)?;
    let on_token = format!(r#"user_ca = {{ pkcs11 = "{MODULE}", token = "dayfly", label = "user_ca", pin_file = "keys/pin" }}"#);
    ensure!(text.contains("user_ca = \"keys/user_ca\""), "the stack's configuration is written otherwise");
    fs::write(config, text.replace("user_ca = \"keys/user_ca\"", &on_token))?;
    fs::remove_file(stack.path("DAYFLY_CA_DIR")?.join("keys/user_ca"))?;
    // Targets that trusted the key in the file trust the one on the token.
    fs::write(stack.directory().join("targets/web1/trusted_ca.pub"), &public_key)?;

    let tokens = stack.directory().join("softhsm2.conf");
    run(stack.program("dayfly-ca")?.args(["check", "--config"]).arg(config).env("SOFTHSM2_CONF", &tokens), b"")?.success()?;
    for part in ["ca", "bastion"] {
        let mut restart = Command::new(stack_script());
        restart.arg("restart").arg(stack.directory()).arg(part).env("SOFTHSM2_CONF", &tokens).env("DAYFLY_LOG", "trace");
        run(&mut restart, b"")?.success()?;
    }

    // People see that the CA has another key, and say that they know.
    let identity = stack.path("DAYFLY_ALICE_HOME")?.join("id_ed25519").display().to_string();
    let (url, pin) = (stack.get("DAYFLY_CA_URL")?, stack.get("DAYFLY_CA_PIN")?);
    let login = ["login", url, "--pin", pin, "--identity", &identity, "--accept-new-keys"];
    Client::new(&stack, "ALICE")?.dayfly(&login)?.success()?;
    let alice = Client::alice(&stack)?;
    for target in ["db1", "web1"] {
        let path = alice.directory().join(format!("{target}-cert.pub"));
        let shown = run(Command::new("ssh-keygen").arg("-L").arg("-f").arg(path), b"")?.success()?;
        assert!(shown.contains("Signing CA: ECDSA SHA256:"), "{shown}");
        assert_eq!(alice.ssh(&[target, "echo in"])?.success()?, "in\n");
    }
    the_pin_is_in_its_file_and_nowhere_else(&stack)
}

/// A token with a new P-256 key. Its public half, as OpenSSH reads it from there.
fn make_token(stack: &Stack) -> Result<String> {
    let (place, config) = (stack.directory().join("tokens"), stack.directory().join("softhsm2.conf"));
    fs::create_dir(&place)?;
    fs::write(&config, format!("directories.tokendir = {}\nlog.level = ERROR\n", place.display()))?;
    let tool = |program: &str, arguments: &[&str]| run(Command::new(program).args(arguments).env("SOFTHSM2_CONF", &config), b"")?.success();
    tool("softhsm2-util", &["--init-token", "--free", "--label", "dayfly", "--pin", PIN, "--so-pin", "so-pin"])?;
    let key = ["--keypairgen", "--key-type", "EC:secp256r1", "--label", "user_ca"];
    tool("pkcs11-tool", &[&["--module", MODULE, "--token-label", "dayfly", "--login", "--pin", PIN][..], &key].concat())?;
    let pin = stack.path("DAYFLY_CA_DIR")?.join("keys/pin");
    fs::write(&pin, PIN)?;
    fs::set_permissions(&pin, fs::Permissions::from_mode(0o600))?;
    let listed = tool("ssh-keygen", &["-D", MODULE])?;
    Ok(listed.lines().find(|line| line.starts_with("ecdsa-sha2-nistp256")).context("OpenSSH finds no key on the token")?.to_owned() + "\n")
}

fn the_pin_is_in_its_file_and_nowhere_else(stack: &Stack) -> Result<()> {
    let programs = stack.path("DAYFLY_BIN")?;
    let holds_pin = |path: &Path| fs::read(path).is_ok_and(|bytes| bytes.windows(PIN.len()).any(|window| window == PIN.as_bytes()));
    let written = files(stack.directory())?.into_iter().filter(|path| !path.starts_with(programs));
    let found: Vec<_> = written.filter(|path| holds_pin(path)).collect();
    assert_eq!(found, [stack.path("DAYFLY_CA_DIR")?.join("keys/pin")]);
    Ok(())
}
