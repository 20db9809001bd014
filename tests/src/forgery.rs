//! Certificates that our own CA never made: by `ssh-keygen` with the CA's key, right but for one thing.

use crate::{client::Client, command::run, stack::Stack};
use anyhow::Result;
use std::{path::PathBuf, process::Command};

/// What `ssh-keygen` is told.
#[derive(Debug, Clone)]
pub struct Forgery {
    /// The code that it must be refused with.
    pub reason: &'static str,
    /// Its serial, by which the log names it.
    pub serial: u64,
    authority: PathBuf,
    principals: Option<String>,
    validity: String,
    options: Vec<&'static str>,
    key: &'static [&'static str],
}

impl Forgery {
    /// Right in everything, but in no log.
    pub fn right(stack: &Stack) -> Result<Self> {
        Ok(Self {
            reason: "not_issued",
            serial: rand_serial(),
            authority: stack.path("DAYFLY_USER_CA_KEY")?.to_owned(),
            principals: Some(format!("{}@db1", stack.get("DAYFLY_ACCOUNT")?)),
            validity: "-1m:+5m".to_owned(),
            options: vec!["-O", "clear", "-O", "permit-pty"],
            key: &["-t", "ed25519"],
        })
    }

    /// One of each defect that a stock client lets through: it offers no host certificate to log in with, for one.
    pub fn all(stack: &Stack) -> Result<Vec<Self>> {
        let right = Self::right(stack)?;
        let account = stack.get("DAYFLY_ACCOUNT")?;
        let but = |reason, change: &dyn Fn(&mut Self)| {
            let mut forgery = Self { reason, serial: rand_serial(), ..right.clone() };
            change(&mut forgery);
            forgery
        };
        let session_ca = stack.path("DAYFLY_SESSION_CA_KEY")?;
        Ok(vec![
            right.clone(),
            but("foreign_ca", &|forgery| forgery.authority = session_ca.to_owned()),
            but("no_principals", &|forgery| forgery.principals = None),
            but("principal_mismatch", &|forgery| forgery.principals = Some(format!("{account}@web1"))),
            but("bad_principal", &|forgery| forgery.principals = Some(format!("{account}@db1,{account}*"))),
            but("unknown_critical_option", &|forgery| forgery.options.extend(["-O", "critical:limit@example.com=1"])),
            but("source_address", &|forgery| forgery.options.extend(["-O", "source-address=192.0.2.0/24"])),
            but("verify_required", &|forgery| forgery.options.extend(["-O", "verify-required"])),
            but("weak_algorithm", &|forgery| forgery.key = &["-t", "rsa", "-b", "1024"]),
        ])
    }

    /// The same for another time, as `ssh-keygen -V` takes it.
    pub fn valid(mut self, validity: &str) -> Self {
        self.validity = validity.to_owned();
        self
    }

    /// Somebody whose `ssh` uses it for `db1`, at the bastion and inside.
    pub fn client<'a>(&self, stack: &'a Stack) -> Result<Client<'a>> {
        let client = Client::new(stack, "ALICE")?;
        let key = client.directory().join("db1");
        run(Command::new("ssh-keygen").args(self.key).args(["-q", "-N", "", "-f"]).arg(&key), b"")?.success()?;
        let mut sign = Command::new("ssh-keygen");
        sign.args(["-q", "-I", "alice role=db-admin grant=01890a5d-ac96-774b-bcce-b302099a8057", "-z", &self.serial.to_string()]);
        sign.args(["-V", &self.validity]).args(&self.options).arg("-s").arg(&self.authority);
        if let Some(principals) = &self.principals {
            sign.args(["-n", principals]);
        }
        run(sign.arg(key.with_extension("pub")), b"")?.success()?;
        Ok(client)
    }
}

/// A serial that nobody else has, below 2^53.
fn rand_serial() -> u64 {
    use std::hash::{BuildHasher, Hasher, RandomState};
    (RandomState::new().build_hasher().finish() >> 11) | 1
}
