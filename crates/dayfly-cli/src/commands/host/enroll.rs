//! `dayfly host enroll`.

use super::{Where, answer::Answer};
use crate::{
    error::{Failure, Kind},
    host::{
        key,
        place::Place,
        record::Record,
        renewal::Renewal,
        sshd::{Reload, Sshd},
        timer::Systemd,
    },
    output::Output,
};
use dayfly_api::host::{HostEnrollment, HostSetup};
use dayfly_client::{Client, ClientError, KeySigner};
use dayfly_core::{certified_name::CertifiedName, reason::Reason, signed_request::Purpose};
use std::{collections::BTreeSet, path::PathBuf, sync::Arc};
use zeroize::Zeroizing;

/// What `enroll --help` ends with.
pub(super) const EXPLANATION: &str = "\
The token is what `dayfly-ca host add` printed; it is good once. The host key that is there signs the request, and is certified for the names
that the token is bound to.

Below the directory of sshd's configuration it writes dayfly/ (whom to trust, a file of principals for each account, the revocation list, the
certificate) and, last, sshd_config.d/00-dayfly.conf, which names them. A recorded target then trusts the session CA alone, and logins from the
bastions alone; a passthrough target trusts the user CA. No key, password or other certificate gets in any more, so keep a session open until
you have seen a new one work. Then `sshd -t` is asked, and `sshd -T` whether every line of the drop-in is in force; if not, every file is put back
as it was. Only then is sshd reloaded, and a systemd timer installed that runs `dayfly host renew` every five minutes.

A second run changes nothing. --dry-run shows the difference, and leaves the token good.";

/// Arguments of `dayfly host enroll`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The CA's address
    #[arg(value_name = "https://CA[:PORT]")]
    url: String,

    /// The CA's TLS key, as `dayfly-ca pin` prints it. Without a pin, the platform's public roots decide whether this is the CA
    #[arg(long, value_name = "sha256//BASE64")]
    pin: Option<String>,

    /// The file that holds the token
    #[arg(long, value_name = "FILE", required_unless_present = "token_env")]
    token_file: Option<PathBuf>,

    /// The environment variable that holds the token
    #[arg(long, value_name = "NAME", conflicts_with = "token_file")]
    token_env: Option<String>,

    /// The host key to certify; by default ssh_host_ed25519_key in the directory of sshd's configuration
    #[arg(long, value_name = "FILE")]
    host_key: Option<PathBuf>,

    /// A name that the certificate shall hold, of those that the token is bound to; repeat it for more. By default all of them
    #[arg(long = "name", value_name = "NAME")]
    names: Vec<CertifiedName>,

    #[command(flatten)]
    place: Where,

    /// The sshd to check with
    #[arg(long, value_name = "PROGRAM", default_value = "/usr/sbin/sshd")]
    sshd: PathBuf,

    /// The configuration file of sshd; by default sshd_config in its directory
    #[arg(long, value_name = "FILE")]
    sshd_config: Option<PathBuf>,

    /// Reload sshd by SIGHUP to the process whose number is in this file, instead of by systemctl
    #[arg(long, value_name = "FILE", conflicts_with_all = ["reload_command", "no_reload"])]
    pid_file: Option<PathBuf>,

    /// Reload sshd by this shell command, instead of by systemctl
    #[arg(long, value_name = "COMMAND", conflicts_with = "no_reload")]
    reload_command: Option<String>,

    /// Do not reload sshd: it is started later, or somebody else does it
    #[arg(long)]
    no_reload: bool,

    /// Install no systemd timer: somebody else has `dayfly host renew` run every few minutes
    #[arg(long)]
    no_timer: bool,

    /// The systemctl to use
    #[arg(long, value_name = "PROGRAM", default_value = "systemctl")]
    systemctl: PathBuf,

    /// Where systemd's units are
    #[arg(long, value_name = "DIR", default_value = "/etc/systemd/system")]
    systemd_dir: PathBuf,

    /// Show what would be changed, and change nothing
    #[arg(long)]
    dry_run: bool,
}

pub(super) async fn run(arguments: &Arguments, output: &Output) -> Result<(), Failure> {
    let place = arguments.place.place()?;
    let systemd =
        (!arguments.no_timer).then(|| Systemd { systemctl: arguments.systemctl.clone(), directory: arguments.systemd_dir.clone() });
    let host_key = arguments.host_key.clone().unwrap_or_else(|| place.directory().join("ssh_host_ed25519_key"));
    let host_key = std::path::absolute(host_key)?;
    let key = key::read(&host_key)?;
    let client = client(&arguments.url, arguments.pin.as_deref(), &key)?;
    let record = arguments.record(&place, &client, host_key)?;
    // Whatever can be known to fail is known before the token is used up.
    if let Some(systemd) = &systemd {
        systemd.check()?;
    }
    record.sshd.check()?;
    let known = Record::read(&place)?.is_some_and(|known| known.is_of(client.origin(), &record.host_key));
    let names = record.names.clone();
    let enrollment = || Ok::<_, Failure>(HostEnrollment { token: arguments.token()?.to_string(), names: names.clone() });
    let (given, setup) = match (known, arguments.dry_run) {
        (true, _) => (None, client.host_setup().await.map_err(explained)?),
        (false, true) => (None, preview(&client, &enrollment()?).await.map_err(explained)?),
        (false, false) => enroll(&client, &enrollment()?).await.map_err(explained)?,
    };
    let mut renewal = Renewal { place: &place, record, client: &client, key: &key, systemd: systemd.as_ref() };
    let renewed = if arguments.dry_run { renewal.preview(&setup).await? } else { renewal.run(&setup, false, given).await? };
    Ok(output.report(&Answer::new(&setup, &renewed, arguments.dry_run))?)
}

/// Uses the token; gives the certificate that came of it, and what `sshd` is to do.
async fn enroll(client: &Client, enrollment: &HostEnrollment) -> Result<(Option<String>, HostSetup), ClientError> {
    match client.enroll_host(enrollment).await {
        Ok(given) => Ok((Some(given.certificate), client.host_setup().await?)),
        Err(error) => Ok((None, already_enrolled(client, error).await?)),
    }
}

async fn preview(client: &Client, enrollment: &HostEnrollment) -> Result<HostSetup, ClientError> {
    match client.preview_host(enrollment).await {
        Ok(setup) => Ok(setup),
        Err(error) => already_enrolled(client, error).await,
    }
}

/// A token is of no use any more once the host has enrolled with it: then the host key speaks for itself. Otherwise it is the token that was wrong.
async fn already_enrolled(client: &Client, error: ClientError) -> Result<HostSetup, ClientError> {
    const SPENT: [Reason; 3] = [Reason::UnknownToken, Reason::Expired, Reason::KeyInUse];
    if !SPENT.iter().any(|reason| error.code() == Some(reason.code())) {
        return Err(error);
    }
    client.host_setup().await.map_err(|_| error)
}

impl Arguments {
    /// What is kept for renewals.
    fn record(&self, place: &Place, client: &Client, host_key: PathBuf) -> Result<Record, Failure> {
        let config = self.sshd_config.clone().unwrap_or_else(|| place.directory().join("sshd_config"));
        let reload = match (&self.pid_file, &self.reload_command) {
            (Some(path), _) => Reload::PidFile(std::path::absolute(path)?),
            (None, Some(command)) => Reload::Command(command.clone()),
            (None, None) if self.no_reload => Reload::None,
            (None, None) => Reload::Systemctl(self.systemctl.clone()),
        };
        let names: BTreeSet<CertifiedName> = self.names.iter().cloned().collect();
        Ok(Record {
            url: client.origin().to_owned(),
            pin: self.pin.clone(),
            host_key,
            names: (!names.is_empty()).then_some(names),
            sshd: Sshd { program: std::path::absolute(&self.sshd)?, config: std::path::absolute(config)?, reload },
            stale_after_seconds: 0,
        })
    }

    /// The token, without what an editor puts behind it.
    fn token(&self) -> Result<Zeroizing<String>, Failure> {
        let unusable = |what: &str, cause: &dyn std::fmt::Display| {
            Failure::new(Kind::Usage, format!("{what} does not hold the token"))
                .because(cause)
                .remedy("have whoever runs the CA print one: dayfly-ca host add, or dayfly-ca host token")
        };
        let (what, text) = match (&self.token_file, &self.token_env) {
            (Some(path), _) => {
                let what = path.display().to_string();
                let text = std::fs::read_to_string(path).map_err(|error| unusable(&what, &error))?;
                (what, Zeroizing::new(text))
            }
            (None, name) => {
                let name = name.clone().unwrap_or_default();
                let text = std::env::var(&name).map_err(|error| unusable(&name, &error))?;
                (name, Zeroizing::new(text))
            }
        };
        let token = Zeroizing::new(text.trim().to_owned());
        if token.is_empty() || token.contains(char::is_whitespace) { Err(unusable(&what, &"it is not one word")) } else { Ok(token) }
    }
}

/// Calls to the CA that the host key signs.
pub(super) fn client(url: &str, pin: Option<&str>, key: &KeySigner) -> Result<Client, Failure> {
    let bad_pin = |error: &dyn std::fmt::Display| Failure::new(Kind::Usage, "the pin cannot be read").because(error);
    let pin = pin.map(|pin| pin.parse().map_err(|error| bad_pin(&error))).transpose()?;
    let signer = Arc::new(KeySigner::new(key.private_key().clone()));
    Ok(Client::new(url, pin, Purpose::Host, signer)?)
}

/// What the CA says to a host, with what to do about it: nobody logs in on a host.
pub(super) fn explained(error: ClientError) -> Failure {
    let failure = Failure::from(error);
    match failure.kind {
        Kind::NotLoggedIn => {
            Failure { remedy: Some("have whoever runs the CA print a new token: dayfly-ca host token NAME".to_owned()), ..failure }
        }
        _ => failure,
    }
}
