//! People's own keys, of every kind that is not a security key: certified, read by OpenSSH, and let in by a bastion and by an sshd.

use anyhow::Result;
use dayfly_tests::{client::Client, command::run, stack::Stack};
use std::{fs, process::Command};

const KINDS: [[&str; 2]; 5] = [["ed25519", "256"], ["ecdsa", "256"], ["ecdsa", "384"], ["ecdsa", "521"], ["rsa", "3072"]];

#[test]
fn a_key_of_every_kind_is_certified_where_it_is_and_lets_its_holder_in() -> Result<()> {
    let stack = Stack::shared()?;
    for [kind, bits] in KINDS {
        let alice = Client::new(stack, "ALICE")?;
        for (role, target) in [("db-admin", "db1"), ("web", "web1")] {
            let key = alice.directory().join(target);
            run(Command::new("ssh-keygen").args(["-q", "-t", kind, "-b", bits, "-N", "", "-f"]).arg(&key), b"")?.success()?;
            let before = fs::read(&key)?;
            let asked = alice.dayfly(&["cert", role, "--target", target, "--key", &key.display().to_string()])?.success()?;
            assert!(asked.contains(&format!("ssh -i {}", key.display())), "{asked}");
            assert_eq!(fs::read(&key)?, before, "the key is left as it is");
            let shown = run(Command::new("ssh-keygen").arg("-L").arg("-f").arg(alice.directory().join(format!("{target}-cert.pub"))), b"")?;
            assert!(shown.success()?.contains("user certificate"));
            assert_eq!(alice.ssh(&[target, "echo in"])?.success()?, "in\n", "{kind} {bits} at {target}");
        }
    }
    Ok(())
}

#[test]
fn row_06_short_rsa_is_not_certified() -> Result<()> {
    let alice = Client::new(Stack::shared()?, "ALICE")?;
    let key = alice.directory().join("short");
    run(Command::new("ssh-keygen").args(["-q", "-t", "rsa", "-b", "2048", "-N", "", "-f"]).arg(&key), b"")?.success()?;
    let ended = alice.dayfly(&["cert", "web", "--target", "web1", "--key", &key.display().to_string()])?;
    assert!(ended.code() == Some(3) && ended.stderr.contains("2048"), "{}", ended.stderr);
    Ok(())
}
