//! What others read in certificates, in one form: `ssh-keygen -L`, asyncssh and Go's x/crypto.

use crate::command::run;
use anyhow::{Context, Result, ensure};
use serde_json::{Map, Value, json};
use std::{
    path::{Path, PathBuf},
    process::Command,
};

/// Certificates in a file, a line each, and who is to be trusted.
#[derive(Debug)]
pub struct Question<'a> {
    /// The certificates.
    pub certificates: &'a Path,
    /// The public keys of the authorities, a line each.
    pub authorities: &'a Path,
    /// The principal that is wanted.
    pub principal: &'a str,
    /// The time, in Unix seconds.
    pub now: u64,
}

/// What Go's x/crypto says of each, as `program` prints it.
pub fn by_go(program: &Path, question: &Question<'_>) -> Result<Vec<Value>> {
    let mut command = Command::new(program);
    command.arg(question.now.to_string()).arg(question.principal).arg(question.authorities).arg(question.certificates);
    objects(&run(&mut command, b"")?.success()?)
}

/// What asyncssh says of each. It goes by the system's clock.
pub fn by_asyncssh(interpreter: &Path, question: &Question<'_>) -> Result<Vec<Value>> {
    let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("peers/certificates_with_asyncssh.py");
    let mut command = Command::new(interpreter);
    command.arg(script).arg(question.principal).arg(question.authorities).arg(question.certificates);
    objects(&run(&mut command, b"")?.success()?)
}

fn objects(text: &str) -> Result<Vec<Value>> {
    text.lines().map(|line| serde_json::from_str(line).with_context(|| format!("not JSON: {line}"))).collect()
}

/// What `ssh-keygen -L` shows of each of so many certificates; it has no opinion on whom to trust. Times are as it writes them, in UTC.
pub fn by_ssh_keygen(program: &Path, certificates: &Path, count: usize) -> Result<Vec<Value>> {
    let mut command = Command::new(program);
    command.args(["-L", "-f"]).arg(certificates).env("TZ", "UTC").env("LC_ALL", "C.UTF-8");
    // It fails if there is one that it cannot read, and shows the others.
    let shown = run(&mut command, b"")?.text();
    let mut found = vec![json!({ "read": false }); count];
    let mut at = None;
    let mut list = None;
    for line in shown.lines() {
        if let Some(number) = line.strip_prefix(&format!("{}:", certificates.display())) {
            // The first line goes without its number.
            let number = number.trim_end_matches(':');
            at = if number.is_empty() { Some(0) } else { number.parse::<usize>()?.checked_sub(1) };
            continue;
        }
        let entry = at.and_then(|at| found.get_mut(at)).and_then(Value::as_object_mut).context("ssh-keygen -L names no line first")?;
        match (line.strip_prefix("                "), line.trim().split_once(": ")) {
            (Some(item), _) => push(entry, list, item),
            (None, field) => {
                list = None;
                note(entry, field.unwrap_or((line.trim().trim_end_matches(':'), "")), &mut list)?;
            }
        }
    }
    Ok(found)
}

fn note(entry: &mut Map<String, Value>, (name, value): (&str, &str), list: &mut Option<&'static str>) -> Result<()> {
    let value = value.trim();
    match name {
        "Type" => {
            entry.insert("kind".to_owned(), json!(if value.contains("host certificate") { 2 } else { 1 }));
        }
        "Serial" => {
            entry.insert("serial".to_owned(), json!(value));
        }
        "Key ID" => {
            let text = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).context("a key id stands between quotes")?;
            entry.insert("key_id".to_owned(), json!(text));
        }
        "Valid" => {
            entry.insert("valid".to_owned(), json!(value));
        }
        "Principals" => begin(entry, list, "principals"),
        "Critical Options" => begin(entry, list, "critical"),
        "Extensions" => {
            begin(entry, list, "extensions");
            entry.insert("read".to_owned(), json!(true));
        }
        "Public key" | "Signing CA" => {}
        other => ensure!(other.is_empty(), "ssh-keygen -L says {other:?}"),
    }
    Ok(())
}

fn begin(entry: &mut Map<String, Value>, list: &mut Option<&'static str>, name: &'static str) {
    entry.insert(name.to_owned(), json!([]));
    *list = Some(name);
}

/// Of an option its name alone: how values are shown is another matter.
fn push(entry: &mut Map<String, Value>, list: Option<&str>, item: &str) {
    let Some(values) = list.and_then(|list| entry.get_mut(list)).and_then(Value::as_array_mut) else { return };
    let is_option = list != Some("principals");
    let item = if is_option { item.split(' ').next().unwrap_or_default() } else { item };
    values.push(json!(item));
}
