//! Which commands carry files. What is not surely one of these is a command like any other, whose streams are kept.

use crate::event::Name;

/// Where systems keep their programs, and where nobody but root can put one.
const SYSTEM: [&[u8]; 5] = [b"/bin/", b"/usr/", b"/opt/", b"/nix/store/", b"/run/current-system/"];

/// A command that carries files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Command {
    /// An SFTP server.
    Sftp,
    /// `scp -t`: files come from the client.
    ScpUpload,
    /// `scp -f`: files go to the client.
    ScpDownload,
    /// `rsync --server`, with what follows.
    Rsync { sends: bool, arguments: Vec<Name> },
}

impl Command {
    /// What a command line does, if a shell makes of it nothing but a program with its arguments.
    pub(super) fn of(line: &[u8]) -> Option<Self> {
        let words = words(line)?;
        let (program, arguments) = words.split_first()?;
        match program_name(program)? {
            b"sftp-server" => Some(Self::Sftp),
            b"internal-sftp" if !program.contains(&b'/') => Some(Self::Sftp),
            b"scp" => scp(arguments),
            // A daemon does whatever its configuration says, which may be the client's.
            b"rsync" if arguments.iter().any(|word| word == b"--daemon") => None,
            b"rsync" if arguments.first().is_some_and(|first| first == b"--server") => {
                let sends = arguments.get(1).is_some_and(|second| second == b"--sender");
                Some(Self::Rsync { sends, arguments: arguments.iter().map(|word| Name::new(word.as_slice())).collect() })
            }
            _ => None,
        }
    }
}

/// The last part of a program's path, if it is looked up by name or lies where the system's programs do. What people put elsewhere may be anything.
fn program_name(program: &[u8]) -> Option<&[u8]> {
    let is_plain = program.iter().all(|byte| byte.is_ascii_alphanumeric() || b"_-./+".contains(byte));
    let mut parts = program.rsplit(|byte| *byte == b'/');
    let name = parts.next()?;
    let is_by_name = name.len() == program.len();
    let is_the_systems = SYSTEM.iter().any(|place| program.starts_with(place)) && parts.all(|part| part != b"..");
    (is_plain && (is_by_name || is_the_systems)).then_some(name)
}

/// `-t` or `-f`, among the options that have no values, before the names.
fn scp(arguments: &[Vec<u8>]) -> Option<Command> {
    let mut direction = None;
    for word in arguments {
        let options = match word.split_first() {
            Some((b'-', options)) if !options.is_empty() => options,
            _ => break,
        };
        if options == b"-" {
            break;
        }
        for option in options {
            match option {
                b't' if direction.is_none() => direction = Some(Command::ScpUpload),
                b'f' if direction.is_none() => direction = Some(Command::ScpDownload),
                b'v' | b'r' | b'p' | b'd' | b'q' => {}
                _ => return None,
            }
        }
    }
    direction
}

/// The words of a command line; none if a shell would do more with it than find words and files.
fn words(line: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut words = Vec::new();
    let mut word: Option<Vec<u8>> = None;
    let mut rest = line.iter().copied();
    while let Some(byte) = rest.next() {
        match byte {
            b' ' => words.extend(word.take()),
            b'\'' | b'"' => {
                let word = word.get_or_insert_default();
                loop {
                    match rest.next()? {
                        end if end == byte => break,
                        // Some shells find their history in quotes too.
                        b'!' => return None,
                        b'$' | b'`' if byte == b'"' => return None,
                        // In simple quotes some shells take it as it is, and some escape with it.
                        b'\\' => return None,
                        inside if is_control(inside) => return None,
                        inside => word.push(inside),
                    }
                }
            }
            b'\\' => match rest.next()? {
                escaped if is_control(escaped) => return None,
                escaped => word.get_or_insert_default().push(escaped),
            },
            plain if is_plain(plain) => word.get_or_insert_default().push(plain),
            _ => return None,
        }
    }
    words.extend(word);
    Some(words)
}

fn is_control(byte: u8) -> bool {
    byte < b' ' || byte == 0x7f
}

fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte >= 0x80 || b"_-./,:@%+=~*?[]{}".contains(&byte)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_clients_ask_for_is_known() {
        let of = |line: &str| Command::of(line.as_bytes());
        for line in ["scp -t /srv", "scp -v -r -p -d -t -- /srv/ü", "/usr/bin/scp -prt '/my files/x'", "scp -t ~/*.log"] {
            assert_eq!(of(line), Some(Command::ScpUpload), "{line}");
        }
        for line in ["scp -f /etc/passwd", "scp -pf \"a b\"", "scp -f my\\ file"] {
            assert_eq!(of(line), Some(Command::ScpDownload), "{line}");
        }
        for line in ["internal-sftp", "/usr/lib/openssh/sftp-server", "/usr/lib/openssh/sftp-server -l INFO"] {
            assert_eq!(of(line), Some(Command::Sftp), "{line}");
        }
        let Some(Command::Rsync { sends, arguments }) = of("rsync --server --sender -vlogDtpre.iLsfxCIvu . /srv/a\\ b") else {
            unreachable!("rsync is not known")
        };
        assert!(sends);
        assert_eq!(arguments.last().unwrap().as_bytes(), b"/srv/a b");
    }

    #[test]
    fn row_12_what_a_shell_would_do_more_with_is_a_command_like_any_other() {
        for line in [
            "",
            "scp",
            "scp -t",
            "scp -tf /srv",
            "scp a b",
            "scp -S evil -t /srv",
            "scp -t /srv; bash",
            "scp -t /srv\nbash",
            "scp -t $(bash)",
            "scp -t `bash`",
            "scp -t \"$(bash)\"",
            "scp -t /srv | bash",
            "scp -t /srv & bash",
            "scp -t /srv > x",
            "scp -t <(bash)",
            "scp -t 'unfinished",
            "scp -t !!",
            "scp -t x\\\n",
            "X=1 scp -t /srv#",
            "PATH=/tmp scp -t /srv",
            "bash -c 'scp -t /srv'",
            "./internal-sftp",
            "/tmp/scp -t /srv",
            "~/bin/scp -t /srv",
            "bin/scp -t /srv",
            "/usr/../tmp/scp -t /srv",
            "/usr/{bin,../tmp}/scp -t /srv",
            "X=/usr/bin/scp -t /srv",
            "/home/mallory/sftp-server",
            "scp -t 'a\\' 'b; bash #'",
            "rsync --server --daemon --config=/tmp/mine .",
            "rsync a b",
            "rsync --daemon --server",
            "rsync --server -e 'x' . /srv; bash",
            "xscp -t /srv",
        ] {
            // `scp -t` without a name fails by itself.
            if line != "scp -t" {
                assert_eq!(Command::of(line.as_bytes()), None, "{line}");
            }
        }
    }
}
