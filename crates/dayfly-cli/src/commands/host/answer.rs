//! What `enroll` and `renew` tell.

use crate::{
    certificate::{in_words, now},
    host::renewal::Renewed,
    output::{Lines, Report},
};
use dayfly_api::host::HostSetup;
use serde::Serialize;
use std::{io, path::PathBuf};

#[derive(Serialize)]
pub(super) struct Answer {
    host: String,
    target: Option<String>,
    mode: Option<String>,
    dry_run: bool,
    /// Whether anything was changed, or would be.
    changed: bool,
    certificate: Option<CertificateTold>,
    new_certificate: bool,
    krl_number: u64,
    files: Vec<FileTold>,
    reloaded: bool,
}

#[derive(Serialize)]
struct CertificateTold {
    serial: u64,
    names: Vec<String>,
    ends_at: u64,
}

#[derive(Serialize)]
struct FileTold {
    path: PathBuf,
    /// `create`, `replace` or `remove`.
    action: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    diff: Option<String>,
}

impl Answer {
    pub(super) fn new(setup: &HostSetup, renewed: &Renewed, dry_run: bool) -> Self {
        let files = renewed.changes.iter().map(|change| FileTold {
            path: change.path().to_owned(),
            action: change.action(),
            diff: dry_run.then(|| change.diff()),
        });
        Self {
            host: setup.host.to_string(),
            target: setup.logins.as_ref().map(|logins| logins.target.to_string()),
            mode: setup.logins.as_ref().map(|logins| logins.mode.as_str().to_owned()),
            dry_run,
            changed: !renewed.changes.is_empty() || renewed.is_new_certificate,
            certificate: renewed.certificate.as_ref().map(|certificate| CertificateTold {
                serial: certificate.serial(),
                names: certificate.valid_principals().to_vec(),
                ends_at: certificate.valid_before(),
            }),
            new_certificate: renewed.is_new_certificate,
            krl_number: renewed.krl_number,
            files: files.collect(),
            reloaded: renewed.reloaded,
        }
    }
}

impl Report for Answer {
    fn text(&self, lines: &mut Lines<'_>) -> io::Result<()> {
        for file in &self.files {
            match &file.diff {
                Some(diff) => diff.lines().try_for_each(|line| lines.line(line))?,
                None => lines.line(&format!("{:<8} {}", file.action, file.path.display()))?,
            }
        }
        let what = match (self.changed, self.dry_run) {
            (false, _) => "nothing to change",
            (true, true) => "nothing was changed: this is what would be",
            (true, false) => "done",
        };
        lines.line(&format!("host {}: {what}", self.host))?;
        if let (Some(target), Some(mode)) = (&self.target, &self.mode) {
            lines.field("target", &format!("{target}, {mode}"))?;
        }
        match &self.certificate {
            Some(held) => {
                let is_new = if self.new_certificate { "new, " } else { "" };
                let left = in_words(held.ends_at.saturating_sub(now()));
                lines.field("certificate", &format!("{is_new}serial {}, for {}, ends in {left}", held.serial, held.names.join(", ")))?;
            }
            None => lines.field("certificate", "a new one would be asked for")?,
        }
        lines.field("revocations", &format!("list {}", self.krl_number))?;
        if self.reloaded { lines.field("sshd", "told to read its configuration anew") } else { Ok(()) }
    }
}
