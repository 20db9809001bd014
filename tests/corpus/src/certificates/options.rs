//! Critical options and extensions: unknown, doubled, disordered, empty, and in the wrong place.

use super::List;
use crate::wire::{option, raw_option, string};
use anyhow::Result;

pub(super) fn add(list: &mut List) -> Result<()> {
    critical(list)?;
    forced_commands(list)?;
    source_addresses(list)?;
    extensions(list)
}

fn critical(list: &mut List) -> Result<()> {
    for (name, reason, what, critical) in [
        (
            "unknown_critical_option",
            "unknown_critical_option",
            "It demands something that nobody knows.",
            option("permit-nothing@example.com", b"x"),
        ),
        ("critical_option_upper_case", "unknown_critical_option", "Names are compared as they are.", option("Force-Command", b"uptime")),
        ("critical_option_without_name", "unknown_critical_option", "It demands what has no name.", option("", b"")),
        ("critical_option_nul", "unknown_critical_option", "A known name and a NUL.", option("force-command\0", b"uptime")),
        ("critical_option_escape", "unknown_critical_option", "A name that a terminal obeys.", option("\u{1b}[2J", b"")),
        ("extension_as_critical", "unknown_critical_option", "A permission where limits stand.", option("permit-pty", b"")),
        ("verify_required", "verify_required", "It demands a PIN, which a bastion cannot see.", option("verify-required", b"")),
        (
            "critical_option_twice",
            "malformed",
            "The same limit twice: which one holds?",
            [option("force-command", b"uptime"), option("force-command", b"sh")].concat(),
        ),
        (
            "critical_options_out_of_order",
            "malformed",
            "Options are to stand in the order of their names. OpenSSH does not mind.",
            [option("source-address", b"192.0.2.7"), option("force-command", b"uptime")].concat(),
        ),
        (
            "unknown_critical_option_after_a_known_one",
            "unknown_critical_option",
            "It demands something known, and something that nobody knows.",
            [option("force-command", b"uptime"), option("zzz@example.com", b"")].concat(),
        ),
    ] {
        list.signed(name, reason, what, |fields| fields.critical = critical)?;
    }
    list.signed("critical_options_trailing_bytes", "malformed", "After the options stand two bytes that are none.", |fields| {
        fields.critical = vec![0, 0]
    })?;
    list.signed("critical_option_without_data", "malformed", "A name, and nothing after it.", |fields| {
        fields.critical = string(b"force-command")
    })?;
    list.signed("critical_option_not_utf8", "malformed", "A name that is no text.", |fields| fields.critical = raw_option(b"\xff", b""))?;
    Ok(())
}

fn forced_commands(list: &mut List) -> Result<()> {
    for (name, what, data) in [
        ("force_command_empty", "It forces a command and names none.", Vec::new()),
        ("force_command_empty_string", "It forces the empty command, which sshd takes for a shell.", string(b"")),
        ("force_command_blank", "It forces a command of blanks.", string(b"  ")),
        ("force_command_newline", "It forces two lines.", string(b"uptime\nsh")),
        ("force_command_nul", "It forces a command that ends early, for whoever reads it as a C string.", string(b"sh\0uptime")),
        ("force_command_not_utf8", "It forces a command that is no text.", string(b"\xffuptime")),
        ("force_command_long", "It forces a command of 5000 letters.", string(&[b'a'; 5000])),
        ("force_command_bare", "The command stands there without its length.", b"uptime".to_vec()),
        ("force_command_trailing_bytes", "After the command stands a second one.", [string(b"uptime"), string(b"sh")].concat()),
        ("force_command_past_the_end", "The command's length is past the end of its option.", [&[0, 0, 0, 9][..], b"sh"].concat()),
    ] {
        list.signed(name, "malformed", what, |fields| fields.critical = raw_option(b"force-command", &data))?;
    }
    Ok(())
}

fn source_addresses(list: &mut List) -> Result<()> {
    for (name, reason, what, value) in [
        ("source_address_elsewhere", "source_address", "It may be used from another network.", "198.51.100.0/24"),
        ("source_address_elsewhere_ipv6", "source_address", "It may be used from an IPv6 network.", "2001:db8::/32"),
        ("source_address_mapped", "source_address", "An IPv4 network written as IPv6 is no IPv4 network.", "::ffff:198.51.100.0/120"),
        ("source_address_junk", "malformed", "It may be used from what is no address.", "anywhere"),
        ("source_address_negated", "malformed", "It may be used from elsewhere than a network.", "!198.51.100.0/24"),
        ("source_address_wildcard", "malformed", "A pattern is no network.", "192.0.2.*"),
        ("source_address_host_bits", "malformed", "A network with bits set past its prefix.", "192.0.2.7/24"),
        ("source_address_prefix_too_long", "malformed", "A prefix of more bits than there are.", "192.0.2.0/33"),
        ("source_address_blank", "malformed", "A network after a blank.", "198.51.100.0/24, 192.0.2.0/24"),
        ("source_address_empty_entry", "malformed", "A network, and an entry that says nothing.", "192.0.2.0/24,"),
        ("source_address_octal", "malformed", "Octal digits, which are another address for some.", "0300.0.02.07"),
        ("source_address_nul", "malformed", "An address that ends early, for whoever reads it as a C string.", "192.0.2.7\0"),
        ("source_address_host_name", "malformed", "A name, which whoever runs its domain points where they like.", "localhost"),
    ] {
        list.signed(name, reason, what, |fields| fields.critical = option("source-address", value.as_bytes()))?;
    }
    list.signed("source_address_empty", "malformed", "It may be used from a list of networks that is empty.", |fields| {
        fields.critical = raw_option(b"source-address", &string(b""));
    })?;
    Ok(())
}

fn extensions(list: &mut List) -> Result<()> {
    for (name, what, extensions) in [
        ("extension_with_data", "A terminal is permitted or it is not: sshd refuses data here too.", option("permit-pty", b"no")),
        ("extension_with_empty_string", "The same with an empty string as its data.", raw_option(b"permit-pty", &string(b""))),
        ("extension_twice", "The same permission twice.", [option("permit-pty", b""), option("permit-pty", b"")].concat()),
        (
            "extensions_out_of_order",
            "Extensions are to stand in the order of their names. OpenSSH does not mind.",
            [option("permit-user-rc", b""), option("permit-pty", b"")].concat(),
        ),
        ("extensions_trailing_bytes", "After the extensions stand two bytes that are none.", vec![0, 0]),
        ("extension_not_utf8", "A value that is no text.", raw_option(b"x@example.com", &string(b"\xff"))),
        (
            "force_command_as_extension",
            "A limit where permissions stand: sshd reads over it, and it limits nobody.",
            option("force-command", b"uptime"),
        ),
        ("source_address_as_extension", "The same with addresses.", option("source-address", b"198.51.100.0/24")),
        ("verify_required_as_extension", "The same with a PIN.", option("verify-required", b"")),
    ] {
        list.signed(name, "malformed", what, |fields| fields.extensions = extensions)?;
    }
    Ok(())
}
