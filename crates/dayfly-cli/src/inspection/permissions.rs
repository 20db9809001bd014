//! What a certificate lets its holder do and what it does not, in words.

use dayfly_core::{
    certificate::{FORCE_COMMAND, GRANT_EXTENSION, SOURCE_ADDRESS, VERIFY_REQUIRED},
    role::Extension,
};
use ssh_key::{Certificate, public::KeyData};

/// Sentences on both sides.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Permissions {
    pub(super) allows: Vec<String>,
    pub(super) forbids: Vec<String>,
}

/// What follows from a certificate's principals, options and extensions (OpenSSH PROTOCOL.certkeys), whoever accepts it.
pub(super) fn of_certificate(certificate: &Certificate) -> Permissions {
    let names = certificate.valid_principals();
    let mut said = Permissions::default();
    if certificate.cert_type().is_host() {
        said.allows.push(match names {
            [] => "pass for every host there is: it names none".to_owned(),
            names => format!("be known as {}", names.join(", ")),
        });
        said.forbids.push("log in anywhere: it is a host's".to_owned());
        return said;
    }
    match names {
        [] => said.forbids.push("log in anywhere: it names nobody (before 10.3 OpenSSH took that for everybody)".to_owned()),
        names => said.allows.push(format!("log in where one of these is accepted: {}", names.join(", "))),
    }
    for (name, value) in certificate.critical_options().iter() {
        match name.as_str() {
            FORCE_COMMAND => said.forbids.push(format!("run anything but {value:?}, whatever is asked for")),
            SOURCE_ADDRESS => said.forbids.push(format!("be used from anywhere but {value}")),
            VERIFY_REQUIRED => said.forbids.push("log in without a PIN or fingerprint at the security key".to_owned()),
            unknown => said.forbids.push(format!("be accepted by whoever does not know {unknown:?}")),
        }
    }
    let is_fido = matches!(certificate.public_key(), KeyData::SkEd25519(_) | KeyData::SkEcdsaSha2NistP256(_));
    for extension in Extension::ALL {
        let (deed, matters) = deed(extension, is_fido);
        let is_there = certificate.extensions().contains_key(extension.as_str());
        match (is_there, matters) {
            (true, _) => said.allows.push(deed.to_owned()),
            (false, true) => said.forbids.push(deed.to_owned()),
            (false, false) => {}
        }
    }
    let others = certificate.extensions().keys().filter(|name| Extension::named(name).is_none() && *name != GRANT_EXTENSION);
    said.allows.extend(others.map(|name| format!("{name:?}, for whoever knows what that is; everybody else reads over it")));
    said
}

/// What an extension permits, and whether its absence says anything for such a key.
fn deed(extension: Extension, is_fido: bool) -> (&'static str, bool) {
    match extension {
        Extension::PermitPty => ("get a terminal", true),
        Extension::PermitPortForwarding => ("forward ports", true),
        Extension::PermitAgentForwarding => ("forward an agent", true),
        Extension::PermitX11Forwarding => ("forward X11", true),
        Extension::PermitUserRc => ("run ~/.ssh/rc at the login", true),
        Extension::NoTouchRequired => ("log in without touching the security key", is_fido),
    }
}
