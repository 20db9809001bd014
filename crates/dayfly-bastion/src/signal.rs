//! Signals by their SSH names, without `SIG` (RFC 4254 section 6.10).

use russh::Sig;

/// The name of a signal.
pub fn name(signal: &Sig) -> String {
    match signal {
        Sig::ABRT => "ABRT",
        Sig::ALRM => "ALRM",
        Sig::FPE => "FPE",
        Sig::HUP => "HUP",
        Sig::ILL => "ILL",
        Sig::INT => "INT",
        Sig::KILL => "KILL",
        Sig::PIPE => "PIPE",
        Sig::QUIT => "QUIT",
        Sig::SEGV => "SEGV",
        Sig::TERM => "TERM",
        Sig::USR1 => "USR1",
        Sig::Custom(name) => name,
    }
    .to_owned()
}

/// The signal of a name. The library writes names as they are, so any signal may go by its name alone.
pub fn named(name: &str) -> Sig {
    Sig::Custom(name.to_owned())
}
