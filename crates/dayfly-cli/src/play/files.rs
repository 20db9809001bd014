//! What was done with files, in words.

use dayfly_recording::event::{
    Attributes, Carried, Extent, OpenFlag, Rsync, ScpDone, ScpItem, ScpResult, SftpAnswer, SftpClosed, SftpEnd, SftpOperation, SftpRequest,
};

/// A request of SFTP.
pub(super) fn asked(asked: &SftpRequest) -> String {
    use SftpOperation as Op;
    let what = match &asked.operation {
        Op::Open { path, flags, attributes } => format!("open {path} to {}{}", to_do(flags), with(attributes)),
        Op::OpenDirectory { path } => format!("list {path}"),
        Op::Remove { path } => format!("remove {path}"),
        Op::Rename { path, to, replace: false } => format!("rename {path} to {to}"),
        Op::Rename { path, to, replace: true } => format!("rename {path} to {to}, in the place of whatever is there"),
        Op::MakeDirectory { path, attributes } => format!("make directory {path}{}", with(attributes)),
        Op::RemoveDirectory { path } => format!("remove directory {path}"),
        Op::Symlink { path, to } => format!("make {path} a link to {to}"),
        Op::Hardlink { path, to } => format!("make {path} another name of {to}"),
        Op::SetAttributes { path, attributes, follow: true } => format!("set {path}{}", with(attributes)),
        Op::SetAttributes { path, attributes, follow: false } => format!("set {path} itself, should it be a link,{}", with(attributes)),
        Op::ReadLink { path } => format!("read where {path} points to"),
        Op::CopyData { path, offset, length: 0, to, to_offset } => format!("copy {path} from byte {offset} to {to} at byte {to_offset}"),
        Op::CopyData { path, offset, length, to, to_offset } => {
            format!("copy {length} bytes of {path} from byte {offset} to {to} at byte {to_offset}")
        }
    };
    format!("sftp {}: {what}", asked.request)
}

/// Its answer.
pub(super) fn answered(answer: &SftpAnswer) -> String {
    format!("sftp {}: {}", answer.request, spaced(&answer.status.to_string()))
}

/// The closing of what it opened.
pub(super) fn closed(closed: &SftpClosed) -> String {
    let mut parts = vec![match closed.status {
        Some(status) if status.0 == 0 => "closed".to_owned(),
        Some(status) => format!("closed, {}", spaced(&status.to_string())),
        None => "left open".to_owned(),
    }];
    parts.extend(closed.read.as_ref().map(|read| format!("read {}", carried(read))));
    parts.extend(closed.written.as_ref().map(|written| format!("wrote {}", carried(written))));
    parts.extend(closed.entries.map(|entries| format!("{entries} names listed")));
    format!("sftp {}: {} {}", closed.request, closed.path, parts.join("; "))
}

/// How much of everything there was.
pub(super) fn ended(end: &SftpEnd) -> String {
    let requests: Vec<String> = end.requests.iter().map(|(name, count)| format!("{count} {}", spaced(name))).collect();
    format!("sftp ended: {}", if requests.is_empty() { "no requests".to_owned() } else { requests.join(", ") })
}

/// A file or directory that `scp` offers.
pub(super) fn offered(item: &ScpItem) -> String {
    let what = if item.is_directory { "directory" } else { "file" };
    let whither = if item.is_upload { "to the target" } else { "from the target" };
    let path = if item.directory.as_bytes().is_empty() { item.name.to_string() } else { format!("{}/{}", item.directory, item.name) };
    let size = item.size.map_or(String::new(), |size| format!(", {size} bytes"));
    format!("scp {}: {what} {path} {whither}{size}, permissions {:04o}", item.number, item.permissions)
}

/// What became of it.
pub(super) fn taken(done: &ScpDone) -> String {
    let result = match done.result {
        ScpResult::Ok => "done",
        ScpResult::Refused => "not wanted",
        ScpResult::Failed => "failed",
        ScpResult::Cut => "cut by the session's end",
    };
    let bytes = done.bytes.map_or(String::new(), |bytes| format!(", {bytes} bytes"));
    let sha256 = done.sha256.map_or(String::new(), |sha256| format!(", SHA-256 {sha256}"));
    let message = done.message.as_ref().map_or(String::new(), |message| format!(": {message}"));
    format!("scp {}: {result}{bytes}{sha256}{message}", done.number)
}

/// An `rsync` that was started.
pub(super) fn rsync(rsync: &Rsync) -> String {
    let arguments: Vec<String> = rsync.arguments.iter().map(ToString::to_string).collect();
    let whither = if rsync.sends { "from the target" } else { "to the target" };
    format!("rsync {whither}, not followed file by file: {}", arguments.join(" "))
}

fn carried(carried: &Carried) -> String {
    let extent = match carried.extent {
        Extent::Whole => "the whole file",
        Extent::Part => "in order, perhaps not all of it",
        Extent::Scattered => "not in order",
    };
    let failed = if carried.failed == 0 { String::new() } else { format!(", {} pieces failed", carried.failed) };
    format!("{} bytes, {extent}{failed}, SHA-256 {}", carried.bytes, carried.sha256)
}

fn to_do(flags: &[OpenFlag]) -> String {
    let names = flags.iter().map(|flag| match flag {
        OpenFlag::Read => "read",
        OpenFlag::Write => "write",
        OpenFlag::Append => "append",
        OpenFlag::Create => "create",
        OpenFlag::Truncate => "empty it",
        OpenFlag::Exclusive => "only if new",
    });
    names.collect::<Vec<_>>().join(", ")
}

fn with(attributes: &Attributes) -> String {
    let mut parts = Vec::new();
    parts.extend(attributes.permissions.map(|permissions| format!("permissions {permissions:04o}")));
    parts.extend(attributes.size.map(|size| format!("size {size}")));
    parts.extend(attributes.user.map(|user| format!("user {user}")));
    parts.extend(attributes.group.map(|group| format!("group {group}")));
    parts.extend(attributes.modified.map(|modified| format!("modified at {modified}")));
    if parts.is_empty() { String::new() } else { format!(" with {}", parts.join(", ")) }
}

fn spaced(name: &str) -> String {
    name.replace('_', " ")
}
