//! `dayfly cert`.

mod agent;
mod refusals;
mod token;

pub(super) use agent::IN_AGENT;

use super::{Context, factor, login::waiting};
use crate::{
    agent::Agent,
    certificate::{self, Wanted, files::KeyFiles, in_words, now},
    connection::Connection,
    device::tell_if_news,
    error::{Failure, Kind},
    identity::Identity,
    login::keys,
    output::{Lines, Report},
    sign_in::renewed,
    workload::TokenSource,
};
use dayfly_api::certificate::IssuedCertificate;
use dayfly_client::{CertificateParameters, KeySigner, RequestSigner};
use dayfly_core::{
    certificate::parse,
    name::{RoleName, ScopeName},
    request::RequestedTargets,
    validity::Ttl,
};
use refusals::{Asked, Refusals};
use serde::Serialize;
use ssh_key::{Algorithm, Certificate, PrivateKey};
use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

/// Arguments of `dayfly cert`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The role, one of `dayfly roles`
    #[arg(value_name = "ROLE")]
    role: RoleName,

    /// A target or target group; may be given several times
    #[arg(long = "target", value_name = "NAME", num_args = 1.., required_unless_present = "all_targets")]
    targets: Vec<ScopeName>,

    /// Every target of the role that policy permits you
    #[arg(long, conflicts_with = "targets")]
    all_targets: bool,

    /// How long it lives, such as 5m or 90s; at most, and by default, as long as the role says
    #[arg(long, value_name = "DURATION")]
    ttl: Option<Ttl>,

    /// Why you need it, for the log
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,

    /// Write FILE, FILE.pub and FILE-cert.pub instead of adding to the ssh-agent
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,

    /// Certify the key of FILE instead of a new one, and write FILE-cert.pub beside it: for a security key, whose private half nobody has
    #[arg(long, value_name = "FILE", conflicts_with_all = ["out", "if_needed"])]
    key: Option<PathBuf>,

    /// Do nothing if the certificate that is there lives for another minute at least
    #[arg(long)]
    if_needed: bool,

    #[command(flatten)]
    token: token::ByToken,
}

/// Where a key with its certificate goes.
enum Place {
    Agent(Agent),
    Files(KeyFiles),
    /// Beside a key that the person has already.
    Beside(KeyFiles, Arc<dyn RequestSigner>),
}

#[derive(Serialize)]
struct Answer {
    /// Whether there was a certificate that still is good.
    unchanged: bool,
    role: String,
    serial: u64,
    principals: Vec<String>,
    targets: Vec<String>,
    valid_before: u64,
    lives_seconds: u64,
    /// `ssh-agent`, or the private key's file.
    place: String,
    narrowed: Vec<String>,
    policies: Vec<String>,
    next: String,
}

pub(super) async fn run(arguments: Arguments, context: &Context<'_>) -> Result<(), Failure> {
    match token::source(&arguments.token, &context.home)? {
        Some(source) => by_token(&source, &arguments, context).await,
        None => by_login(&arguments, context).await,
    }
}

/// For a workload. Whatever else can be wrong is found before the token, which is good once, is shown.
async fn by_token(source: &TokenSource, arguments: &Arguments, context: &Context<'_>) -> Result<(), Failure> {
    let (place, wanted) = (place(arguments)?, wanted(arguments));
    if let Place::Files(files) = &place {
        files.check_replaceable()?;
    }
    let mut connection = token::connect(source, &arguments.token, context).await?;
    let _lock = connection.state.lock(|| waiting(context))?;
    Ok(context.output.report(&issue(&mut connection, context, &place, &wanted, arguments).await?)?)
}

fn place(arguments: &Arguments) -> Result<Place, Failure> {
    Ok(match (&arguments.key, &arguments.out) {
        (Some(path), _) => Place::Beside(KeyFiles::new(&private_half(path))?, Identity::from_file(path)?.signer),
        (None, Some(path)) => Place::Files(KeyFiles::new(path)?),
        (None, None) => Place::Agent(Agent::connect()?),
    })
}

fn wanted(arguments: &Arguments) -> Wanted {
    let targets =
        if arguments.all_targets { RequestedTargets::All } else { RequestedTargets::Named(arguments.targets.iter().cloned().collect()) };
    Wanted { role: arguments.role.clone(), targets }
}

async fn by_login(arguments: &Arguments, context: &Context<'_>) -> Result<(), Failure> {
    let known = context.connect()?;
    let (place, wanted) = (place(arguments)?, wanted(arguments));
    // From here on one at a time: whoever waited finds what the first one got, and the sign-in that it renewed.
    let _lock = known.state.lock(|| waiting(context))?;
    let mut connection = context.connect()?;
    if arguments.if_needed {
        if let Some(certificate) = still_good(&connection, &place, &wanted)? {
            return Ok(context.output.report(&Answer::of(&certificate, &wanted, &place, true))?);
        }
        Refusals::answer(&connection.state, &asked(&connection, &wanted, arguments), now())?;
    }
    if connection.login.has_ended(now()) {
        connection = renewed(connection, context).await?;
    }
    let mut issued = issue(&mut connection, context, &place, &wanted, arguments).await;
    if connection.login.is_sign_in() && issued.as_ref().is_err_and(|failure| matches!(failure.kind, Kind::SignInNeeded | Kind::NotLoggedIn))
    {
        // Ended by the CA before its time, or by another clock.
        connection = renewed(connection, context).await?;
        issued = issue(&mut connection, context, &place, &wanted, arguments).await;
    }
    if let Err(failure) = &issued
        && factor::is_answered(&factor::Asker::of(&connection, context.output), failure).await?
    {
        issued = issue(&mut connection, context, &place, &wanted, arguments).await;
    }
    let issued = match issued {
        Err(failure) if failure.kind == Kind::Refused => {
            Refusals::remember(&connection.state, asked(&connection, &wanted, arguments), &failure, now())?;
            return Err(failure);
        }
        issued => issued?,
    };
    Ok(context.output.report(&issued)?)
}

fn asked(connection: &Connection, wanted: &Wanted, arguments: &Arguments) -> Asked {
    let ttl = arguments.ttl.map(|ttl| ttl.to_string()).unwrap_or_default();
    Asked { url: connection.login.url.clone(), subject: connection.login.subject.to_string(), what: format!("{} {ttl}", wanted.label()) }
}

fn still_good(connection: &Connection, place: &Place, wanted: &Wanted) -> Result<Option<Certificate>, Failure> {
    let user_ca = keys(&connection.trust.user_ca);
    let is_good = |certificate: &Certificate, comment: &str| {
        certificate::is_good_for(certificate, comment, wanted, &connection.login.subject, &user_ca, now())
    };
    Ok(match place {
        Place::Beside(..) => None,
        Place::Files(files) => {
            files.read().filter(|(certificate, comment)| is_good(certificate, comment)).map(|(certificate, _)| certificate)
        }
        Place::Agent(agent) => agent::certificates(agent)?
            .into_iter()
            .find(|(certificate, comment)| is_good(certificate, comment))
            .map(|(certificate, _)| certificate),
    })
}

async fn issue(
    connection: &mut Connection,
    context: &Context<'_>,
    place: &Place,
    wanted: &Wanted,
    arguments: &Arguments,
) -> Result<Answer, Failure> {
    if let Place::Files(files) = place {
        files.check_replaceable()?;
    }
    tell_if_news(connection, context.output).await?;
    let parameters = CertificateParameters {
        subject: connection.login.subject.clone(),
        role: wanted.role.clone(),
        targets: wanted.targets.clone(),
        ttl: arguments.ttl,
        reason: arguments.reason.clone(),
    };
    let (certificate, issued) = match place {
        Place::Beside(files, signer) => {
            let (certificate, issued) = certify(connection, context, &parameters, signer.as_ref()).await?;
            files.write_certificate(&issued.certificate)?;
            (certificate, issued)
        }
        Place::Files(files) => {
            let key = new_key(wanted)?;
            let (certificate, issued) = certify(connection, context, &parameters, &KeySigner::new(key.clone())).await?;
            files.write(&key, &issued.certificate)?;
            (certificate, issued)
        }
        Place::Agent(agent) => {
            let key = new_key(wanted)?;
            let (certificate, issued) = certify(connection, context, &parameters, &KeySigner::new(key.clone())).await?;
            agent::store(agent, connection, &key, &certificate, &issued, &wanted.label())?;
            (certificate, issued)
        }
    };
    Ok(Answer::of(&certificate, wanted, place, false).with(&issued))
}

/// Asks the CA, and checks what it gave.
async fn certify(
    connection: &mut Connection,
    context: &Context<'_>,
    parameters: &CertificateParameters,
    key: &dyn RequestSigner,
) -> Result<(Certificate, IssuedCertificate), Failure> {
    let issued = connection.client.certificate(parameters, key).await?;
    let certificate = parse(&issued.certificate)
        .map_err(|refusal| Failure::new(Kind::Failed, "the CA gave a certificate that cannot be read").because(refusal.message))?;
    for problem in connection.catch_up_with(&issued.authorities).await? {
        context.output.notice(&format!("dayfly: {problem}"))?;
    }
    certificate::check_issued(&certificate, key.public_key(), &keys(&connection.trust.user_ca))?;
    Ok((certificate, issued))
}

/// The file that a public key's file is named after.
fn private_half(path: &Path) -> PathBuf {
    if path.extension().is_some_and(|extension| extension == "pub") { path.with_extension("") } else { path.to_owned() }
}

/// A key that exists nowhere else. It is named after what it is for.
fn new_key(wanted: &Wanted) -> Result<PrivateKey, Failure> {
    let mut key = PrivateKey::random(&mut rand::rng(), Algorithm::Ed25519)
        .map_err(|error| Failure::new(Kind::Failed, "no key could be made").because(error))?;
    key.set_comment(wanted.label());
    Ok(key)
}

impl Answer {
    fn of(certificate: &Certificate, wanted: &Wanted, place: &Place, unchanged: bool) -> Self {
        let principals = certificate.valid_principals().to_vec();
        let with_key = match place {
            Place::Beside(files, _) => format!("-i {} ", files.key().display()),
            Place::Agent(_) | Place::Files(_) => String::new(),
        };
        let next = match principals.iter().find(|name| name.contains('@')) {
            Some(login) => format!("ssh {with_key}{login}"),
            None => format!("ssh {with_key}{}@TARGET", principals.first().map_or("ACCOUNT", String::as_str)),
        };
        Self {
            unchanged,
            role: wanted.role.to_string(),
            serial: certificate.serial(),
            principals,
            targets: Vec::new(),
            valid_before: certificate.valid_before(),
            lives_seconds: certificate.valid_before().saturating_sub(now()),
            place: match place {
                Place::Agent(_) => "ssh-agent".to_owned(),
                Place::Files(files) | Place::Beside(files, _) => files.key().display().to_string(),
            },
            narrowed: Vec::new(),
            policies: Vec::new(),
            next,
        }
    }

    fn with(self, issued: &IssuedCertificate) -> Self {
        let targets = issued.targets.iter().map(ToString::to_string).collect();
        Self { targets, narrowed: issued.narrowed.clone(), policies: issued.policies.clone(), ..self }
    }
}

impl Report for Answer {
    fn text(&self, lines: &mut Lines<'_>) -> io::Result<()> {
        let what = if self.unchanged { "still good" } else { "issued" };
        lines.line(&format!("certificate {what}: {}", self.principals.join(", ")))?;
        lines.field("lives for", &in_words(self.lives_seconds))?;
        match self.place.as_str() {
            "ssh-agent" => lines.field("in", "the ssh-agent, which forgets it then")?,
            file => lines.field("in", &format!("{file}, {file}-cert.pub"))?,
        }
        lines.field("role", &format!("{}, serial {}", self.role, self.serial))?;
        for sentence in &self.narrowed {
            lines.field("narrowed", sentence)?;
        }
        lines.field("next", &format!("{}   (what ssh needs to know, once: dayfly ssh-config)", self.next))
    }
}
