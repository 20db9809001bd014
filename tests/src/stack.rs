//! A complete system: what `scripts/stack up` starts, and its names.

use crate::command::run;
use anyhow::{Context, Result, ensure};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::OnceLock,
};
use tempfile::TempDir;

/// A running system. One of its own ends when it is dropped; a shared one ends with the test program.
#[derive(Debug)]
pub struct Stack {
    directory: PathBuf,
    env: BTreeMap<String, String>,
    own: Option<TempDir>,
}

/// The system that the tests of one program share, and who ends it.
struct Shared {
    stack: Stack,
    _ends_it: Option<Child>,
}

impl Stack {
    /// The system that tests share which leave it as it is: `DAYFLY_STACK`, if somebody started one for all test programs, or one for this program.
    pub fn shared() -> Result<&'static Self> {
        static SHARED: OnceLock<Result<Shared, String>> = OnceLock::new();
        let shared = SHARED.get_or_init(|| Shared::up().map_err(|error| format!("{error:#}")));
        shared.as_ref().map(|shared| &shared.stack).map_err(|error| anyhow::anyhow!("{error}"))
    }

    /// A system of its own, for a test that stops, kills or reconfigures parts of it.
    pub fn own() -> Result<Self> {
        Self::own_with(&[])
    }

    /// The same, started with these arguments, such as `--provider`.
    pub fn own_with(arguments: &[&str]) -> Result<Self> {
        Self::own_in(arguments, &[])
    }

    /// The same, whose CA people reach under this name of loopback's.
    pub fn own_named(host: &str) -> Result<Self> {
        Self::own_in(&[], &[("DAYFLY_CA_HOST", host)])
    }

    fn own_in(arguments: &[&str], variables: &[(&str, &str)]) -> Result<Self> {
        let own = tempfile::Builder::new().prefix("dayfly-stack").tempdir()?;
        script_in("up", own.path(), arguments, variables)?;
        Ok(Self { directory: own.path().to_owned(), env: read_env(own.path())?, own: Some(own) })
    }

    /// The value of a name of `stack.env`.
    pub fn get(&self, name: &str) -> Result<&str> {
        self.env.get(name).map(String::as_str).with_context(|| format!("stack.env does not hold {name}"))
    }

    /// The same as a path.
    pub fn path(&self, name: &str) -> Result<&Path> {
        self.get(name).map(Path::new)
    }

    /// Where everything of this system is.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// One of Dayfly's programs as a command.
    pub fn program(&self, name: &str) -> Result<Command> {
        Ok(Command::new(self.path("DAYFLY_BIN")?.join(name)))
    }

    /// The directories of recordings that hold a file whose name begins with `file`.
    pub fn recordings(&self, file: &str) -> Result<Vec<PathBuf>> {
        let files = files_below(self.path("DAYFLY_RECORDINGS")?)?;
        let named = files.iter().filter(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(file)));
        let directories: BTreeSet<PathBuf> = named.filter_map(|path| path.parent().map(Path::to_owned)).collect();
        Ok(directories.into_iter().collect())
    }

    /// What the recorded terminals showed so far.
    pub fn casts(&self) -> Result<Vec<String>> {
        let files = files_below(self.path("DAYFLY_RECORDINGS")?)?;
        let casts = files.iter().filter(|path| path.extension().is_some_and(|extension| extension == "cast"));
        casts.map(|path| Ok(String::from_utf8_lossy(&std::fs::read(path)?).into_owned())).collect()
    }

    /// Ends `ca` or `bastion` if it runs, and starts it again.
    pub fn restart(&mut self, part: &str) -> Result<()> {
        script("restart", &self.directory, &[part])?;
        self.env = read_env(&self.directory)?;
        Ok(())
    }

    /// Gives the CA that runs one more role (TOML, `[[role]]` and on) and policy (Cedar). Who asks for it may be ahead of the CA.
    pub fn add_role(&self, name: &str, role: &str, policy: &str) -> Result<()> {
        let config = self.path("DAYFLY_CA_CONFIG")?;
        std::fs::write(config, std::fs::read_to_string(config)? + role)?;
        std::fs::write(self.path("DAYFLY_POLICY_DIR")?.join(format!("{name}.cedar")), policy)?;
        run(self.program("dayfly-ca")?.arg("check").arg("--config").arg(config), b"")?.success()?;
        self.signal("ca", "HUP")
    }

    /// Sends a signal, such as `KILL`, to `ca` or `bastion`.
    pub fn signal(&self, part: &str, signal: &str) -> Result<()> {
        let pid = self.get(&format!("DAYFLY_{}_PID", part.to_uppercase()))?;
        run(Command::new("kill").args(["-s", signal, pid]), b"")?.success().map(drop)
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        let Some(own) = self.own.take() else { return };
        if let Err(error) = script("down", &self.directory, &[]) {
            // What still runs can be ended by hand only as long as its files are there.
            eprintln!("{error:#}; see {}", own.keep().display());
        }
    }
}

impl Shared {
    fn up() -> Result<Self> {
        if let Some(directory) = std::env::var_os("DAYFLY_STACK") {
            let directory = PathBuf::from(directory);
            let env = read_env(&directory)?;
            return Ok(Self { stack: Stack { directory, env, own: None }, _ends_it: None });
        }
        let directory = tempfile::Builder::new().prefix("dayfly-stack").tempdir()?.keep();
        let ends_it = ends_with_this_program(&directory)?;
        script("up", &directory, &[])?;
        let env = read_env(&directory)?;
        Ok(Self { stack: Stack { directory, env, own: None }, _ends_it: Some(ends_it) })
    }
}

/// Nothing is called when a test program ends, and a killed one could not call anything. A shell that reads from us notices either way.
fn ends_with_this_program(directory: &Path) -> Result<Child> {
    let mut shell = Command::new("setsid");
    shell.args(["bash", "-c", "read -r _; \"$1\" down \"$2\" >/dev/null; rm -rf \"$2\"", "bash"]).arg(stack_script()).arg(directory);
    shell.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().context("cannot start a shell")
}

/// The script that starts and ends systems.
pub fn stack_script() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts/stack")
}

/// The programs of the system that was started for all test programs, so that a further one builds nothing.
pub fn prebuilt() -> Result<Option<String>> {
    let Some(directory) = std::env::var_os("DAYFLY_STACK") else { return Ok(None) };
    Ok(read_env(Path::new(&directory))?.remove("DAYFLY_BIN"))
}

fn script(command: &str, directory: &Path, arguments: &[&str]) -> Result<()> {
    script_in(command, directory, arguments, &[])
}

fn script_in(command: &str, directory: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> Result<()> {
    // The first `up` may have to build everything, which takes longer than a test is patient.
    let mut script = Command::new(stack_script());
    script.arg(command).arg(directory).args(arguments).envs(variables.iter().copied()).stdin(Stdio::null());
    if let Some(programs) = prebuilt()? {
        script.env("DAYFLY_PREBUILT", programs);
    }
    let output = script.output()?;
    ensure!(
        output.status.success(),
        "stack {command}: {}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(())
}

fn files_below(directory: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(directory).with_context(|| format!("cannot list {}", directory.display()))? {
        let path = entry?.path();
        if path.is_dir() { files.extend(files_below(&path)?) } else { files.push(path) }
    }
    Ok(files)
}

/// What a shell makes of `stack.env`.
fn read_env(directory: &Path) -> Result<BTreeMap<String, String>> {
    let mut shell = Command::new("bash");
    shell.args(["-c", "set -a && . \"$1\" && env -0", "bash"]).arg(directory.join("stack.env")).env_clear().env("PATH", "/usr/bin:/bin");
    let text = run(&mut shell, b"")?.success().with_context(|| format!("{} holds no stack", directory.display()))?;
    Ok(text.split('\0').filter_map(|line| line.split_once('=')).map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
}
