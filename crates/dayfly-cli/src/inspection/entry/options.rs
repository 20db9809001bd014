//! The options of a line of `authorized_keys`.

use super::{super::window, EntryDescription};
use crate::certificate::in_words;
use time::{OffsetDateTime, PrimitiveDateTime, macros::format_description};

/// What a session may be refused, with the option that refuses it and the one that gives it back after `restrict`.
const DEEDS: [(&str, &str, &str); 5] = [
    ("get a terminal", "no-pty", "pty"),
    ("forward ports", "no-port-forwarding", "port-forwarding"),
    ("forward an agent", "no-agent-forwarding", "agent-forwarding"),
    ("forward X11", "no-x11-forwarding", "x11-forwarding"),
    ("run ~/.ssh/rc at the login", "no-user-rc", "user-rc"),
];

/// Options that stand without a value.
const FLAGS: [&str; 4] = ["cert-authority", "restrict", "no-touch-required", "verify-required"];

/// Options with a value.
const VALUED: [&str; 8] = ["command", "environment", "expiry-time", "from", "permitlisten", "permitopen", "principals", "tunnel"];

/// Whether this looks like options, and not like hosts.
pub(in super::super) fn are_options(before: &str) -> bool {
    let options = split(before);
    !options.is_empty() && options.iter().all(|option| is_known(&name(option)) || option.contains("=\""))
}

pub(super) fn describe(before: &str, now: u64) -> EntryDescription {
    let options = split(before);
    let mut described = EntryDescription { entry: "authorized_keys", ..EntryDescription::default() };
    let has = |wanted: &str| options.iter().any(|option| name(option) == wanted);
    described.means.push(if has("cert-authority") {
        "whoever holds a certificate by this key may log in to the account".to_owned()
    } else {
        "whoever holds this key may log in to the account".to_owned()
    });
    for option in &options {
        explain(option, now, &mut described);
    }
    for (deed, refused, given) in DEEDS {
        // The last word counts, as in sshd.
        let allowed = options.iter().map(|option| name(option)).fold(true, |allowed, option| match option.as_str() {
            option if option == refused || option == "restrict" => false,
            option if option == given => true,
            _ => allowed,
        });
        if allowed { &mut described.allows } else { &mut described.forbids }.push(deed.to_owned());
    }
    if has("cert-authority") && !has("principals") {
        described.means.push("the certificate must name the account".to_owned());
    }
    let is_limited = ["from", "command", "restrict", "expiry-time", "cert-authority"].into_iter().any(has);
    if !is_limited {
        described.unusual.push("a standing key without any limit: it logs in from anywhere, until its line is removed".to_owned());
    }
    if has("no-touch-required") {
        described.unusual.push("a FIDO key is accepted untouched".to_owned());
    }
    described.options = options;
    described
}

fn explain(option: &str, now: u64, described: &mut EntryDescription) {
    let sentence = match (name(option).as_str(), value(option)) {
        ("command", Some(command)) => format!("it runs {command:?}, whatever is asked for"),
        ("from", Some(from)) => {
            if from.split(',').all(|pattern| pattern.trim() == "*") {
                described.unusual.push("the option from= allows every address".to_owned());
            }
            format!("only from {from}")
        }
        ("principals", Some(names)) => format!("the certificate must hold one of these principals: {names}"),
        ("permitopen", Some(target)) => format!("ports are forwarded to {target} only"),
        ("permitlisten", Some(target)) => format!("remote ports are listened to at {target} only"),
        ("tunnel", Some(device)) => format!("tunnels use device {device}"),
        ("environment", Some(setting)) => {
            described.unusual.push("it sets an environment variable, which can change what programs do".to_owned());
            format!("it sets {setting:?}, where sshd permits it")
        }
        ("expiry-time", Some(text)) => match expiry(&text) {
            Some(end) if end <= now => {
                described.unusual.push("sshd refuses the key: its time is over".to_owned());
                format!("it ended {} ago, at {}", in_words(now.saturating_sub(end)), window::time(end))
            }
            Some(end) => format!("it ends in {}, at {} by the clock of UTC", in_words(end.saturating_sub(now)), window::time(end)),
            None => {
                described.unusual.push("the option expiry-time= holds no time, and sshd refuses the line".to_owned());
                return;
            }
        },
        ("restrict", None) => "everything is forbidden that is not allowed here".to_owned(),
        ("verify-required", None) => "a PIN or fingerprint at the security key is demanded".to_owned(),
        ("no-touch-required", None) => "a FIDO key need not be touched".to_owned(),
        (known, value) if is_known(known) && value.is_some() == VALUED.contains(&known) => return,
        _ => {
            described
                .unusual
                .push(format!("sshd refuses the whole line: it does not know {:?}", option.chars().take(80).collect::<String>()));
            return;
        }
    };
    described.means.push(sentence);
}

/// Options stand between commas; commas and blanks within quotes are theirs.
fn split(before: &str) -> Vec<String> {
    let mut options = vec![String::new()];
    let (mut quoted, mut escaped) = (false, false);
    for c in before.chars() {
        match options.last_mut() {
            Some(option) if c != ',' || quoted => option.push(c),
            _ => options.push(String::new()),
        }
        quoted ^= c == '"' && !escaped;
        escaped = c == '\\' && !escaped;
    }
    options.retain(|option| !option.is_empty());
    options
}

fn name(option: &str) -> String {
    option.split('=').next().unwrap_or_default().to_ascii_lowercase()
}

/// What stands between the quotes, with its escaped quotes as they are meant.
fn value(option: &str) -> Option<String> {
    let (_, quoted) = option.split_once('=')?;
    Some(quoted.strip_prefix('"')?.strip_suffix('"')?.replace("\\\"", "\""))
}

fn is_known(name: &str) -> bool {
    FLAGS.contains(&name) || VALUED.contains(&name) || DEEDS.iter().any(|(_, refused, given)| name == *refused || name == *given)
}

/// `YYYYMMDD[HHMM[SS]][Z]` in Unix seconds. Without the Z it is the server's local time, which is taken for UTC here.
fn expiry(text: &str) -> Option<u64> {
    let digits = text.strip_suffix(['Z', 'z']).unwrap_or(text);
    let whole = match digits.len() {
        8 => format!("{digits}000000"),
        12 => format!("{digits}00"),
        _ => digits.to_owned(),
    };
    let format = format_description!("[year][month][day][hour][minute][second]");
    let time: OffsetDateTime = PrimitiveDateTime::parse(&whole, format).ok()?.assume_utc();
    u64::try_from(time.unix_timestamp()).ok()
}
