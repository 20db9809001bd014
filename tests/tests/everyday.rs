//! What developers do over SSH all day, by programs that know nothing of a bastion: git, Ansible, sshfs.

use anyhow::{Context, Result, ensure};
use dayfly_tests::{
    client::Client,
    command::{eventually, run},
    peers::peer,
    stack::Stack,
};
use std::{
    fs,
    path::Path,
    process::{Child, Command, Stdio},
};

#[test]
fn git_pushes_and_clones_by_either_kind_of_target() -> Result<()> {
    let alice = Client::alice(Stack::shared()?)?;
    let place = tempfile::tempdir()?;
    let (here, far) = (place.path().join("here"), place.path().join("far.git"));
    let ssh = format!("ssh -F {}", alice.directory().join("ssh_config").display());
    let git = |arguments: &[&str]| -> Result<String> {
        let mut command = Command::new("git");
        command.args(["-c", "user.name=alice", "-c", "user.email=alice@example.org", "-c", "init.defaultBranch=main"]);
        run(command.args(arguments).env("GIT_SSH_COMMAND", &ssh).env("GIT_CONFIG_GLOBAL", "/dev/null"), b"")?.success()
    };
    let (here_text, far_text) = (here.display().to_string(), far.display().to_string());
    git(&["init", "-q", "--bare", &far_text])?;
    git(&["init", "-q", &here_text])?;
    // More than a window, and nothing that packs.
    let content: Vec<u8> = (0..600_000_u32).flat_map(|number| number.wrapping_mul(2_654_435_761).to_be_bytes()).collect();
    fs::write(here.join("file"), &content)?;
    git(&["-C", &here_text, "add", "file"])?;
    git(&["-C", &here_text, "commit", "-q", "-m", "one"])?;
    for target in ["db1", "web1"] {
        let (remote, clone) = (format!("{target}:{far_text}"), place.path().join(target));
        git(&["-C", &here_text, "push", "-q", &remote, &format!("HEAD:refs/heads/{target}")])?;
        git(&["clone", "-q", "-b", target, &remote, &clone.display().to_string()])?;
        ensure!(fs::read(clone.join("file"))? == content, "{target}");
    }
    Ok(())
}

const PLAY: &str = "
- hosts: all
  gather_facts: true
  tasks:
    - copy: {content: \"by ansible\\n\", dest: \"{{ far }}/file\", mode: \"0600\"}
    - command: cat {{ far }}/file
      register: said
    - assert: {that: said.stdout == 'by ansible'}
    - fetch: {src: \"{{ far }}/file\", dest: \"{{ far }}/fetched\", flat: true}
    - command: \"false\"
      register: failed
      failed_when: failed.rc != 1
";

#[test]
fn ansible_plays_with_and_without_pipelining() -> Result<()> {
    let Some(python) = peer("python")? else { return Ok(()) };
    let alice = Client::alice(Stack::shared()?)?;
    let place = tempfile::tempdir()?;
    let far = place.path().display().to_string();
    let playbook = place.path().join("play.yml");
    fs::write(&playbook, PLAY)?;
    let config = alice.directory().join("ssh_config");
    for pipelining in ["True", "False"] {
        let mut play = Command::new(python.with_file_name("ansible-playbook"));
        play.args(["-i", "db1,web1,", "-e", &format!("far={far}"), "-e", "ansible_python_interpreter=/usr/bin/python3"]);
        play.args(["-e", &format!("ansible_user={}", alice.stack().get("DAYFLY_ACCOUNT")?)]).arg(&playbook);
        play.arg("--ssh-common-args").arg(format!("-F {}", config.display()));
        play.env("ANSIBLE_PIPELINING", pipelining).env("ANSIBLE_HOME", place.path().join("home")).env("ANSIBLE_NOCOLOR", "1");
        // Whoever shares a connection keeps it for a while; not longer than this test needs.
        play.env("ANSIBLE_SSH_ARGS", "-o ControlMaster=auto -o ControlPersist=5s");
        let said = run(play.env("ANSIBLE_SSH_CONTROL_PATH_DIR", place.path().join("shared")), b"")?.success()?;
        ensure!(said.matches("failed=0").count() == 2 && said.matches("unreachable=0").count() == 2, "{pipelining}: {said}");
        ensure!(fs::read_to_string(place.path().join("fetched"))? == "by ansible\n", "{pipelining}");
    }
    Ok(())
}

#[test]
fn sshfs_mounts_a_directory_of_a_recorded_target() -> Result<()> {
    let Some(sshfs) = peer("sshfs")? else { return Ok(()) };
    let alice = Client::alice(Stack::shared()?)?;
    let (far, mounted) = (tempfile::tempdir()?, tempfile::tempdir()?);
    let mut command = Command::new(sshfs);
    command.arg("-f").arg("-F").arg(alice.directory().join("ssh_config"));
    command.arg(format!("db1:{}", far.path().display())).arg(mounted.path()).stdin(Stdio::null());
    let _mount = Mount { process: command.spawn().context("cannot start sshfs")?, at: mounted.path() };
    fs::write(far.path().join("seen"), "from there\n")?;
    eventually("nothing is mounted", || Ok(mounted.path().join("seen").exists().then_some(())))?;
    ensure!(fs::read_to_string(mounted.path().join("seen"))? == "from there\n");
    let content: Vec<u8> = (0..300_000_u32).flat_map(u32::to_be_bytes).collect();
    fs::write(mounted.path().join("new"), &content)?;
    fs::rename(mounted.path().join("new"), mounted.path().join("renamed"))?;
    ensure!(fs::read(far.path().join("renamed"))? == content && !far.path().join("new").exists());
    fs::remove_file(mounted.path().join("seen"))?;
    ensure!(!far.path().join("seen").exists());
    Ok(())
}

/// A mounted directory. Unmounted when this is dropped.
struct Mount<'a> {
    process: Child,
    at: &'a Path,
}

impl Drop for Mount<'_> {
    fn drop(&mut self) {
        let _ = Command::new("fusermount3").arg("-u").arg(self.at).status();
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
