//! The person's browser: what `$BROWSER` names, or what the desktop opens addresses with.

use std::{
    env,
    process::{Command, Stdio},
};

/// The environment variable that names browsers, in order, parted by colons.
const BROWSER_VARIABLE: &str = "BROWSER";

/// Whether there is one to be opened.
pub(super) fn is_there() -> bool {
    !commands("").is_empty()
}

/// Opens an address. Whether a browser was started; whether it came up, nobody can tell.
pub fn open(url: &str) -> bool {
    is_a_page(url) && commands(url).into_iter().any(|command| start(&command))
}

/// Others may have said what to open: nothing but a page, which no program takes for an option or for something of its own.
fn is_a_page(url: &str) -> bool {
    let is_plain = url.chars().all(|c| c.is_ascii_graphic());
    is_plain && ["https://", "http://127.0.0.1", "http://localhost", "http://[::1]"].iter().any(|start| url.starts_with(start))
}

/// The commands that would open it, the best first.
fn commands(url: &str) -> Vec<Vec<String>> {
    let chosen = env::var(BROWSER_VARIABLE).unwrap_or_default();
    if !chosen.trim().is_empty() {
        return named(&chosen, url);
    }
    let has_desktop = ["DISPLAY", "WAYLAND_DISPLAY"].iter().any(|name| env::var_os(name).is_some_and(|value| !value.is_empty()));
    match () {
        () if cfg!(target_os = "macos") => vec![vec!["open".to_owned(), url.to_owned()]],
        () if has_desktop => vec![vec!["xdg-open".to_owned(), url.to_owned()]],
        () => Vec::new(),
    }
}

/// What a value of `$BROWSER` means: commands parted by colons, `%s` standing for the address, which comes last where it does not. No shell sees it.
fn named(value: &str, url: &str) -> Vec<Vec<String>> {
    let command = |text: &str| {
        let mut words: Vec<String> = text.split_whitespace().map(|word| word.replace("%s", url)).collect();
        if !words.is_empty() && !text.contains("%s") {
            words.push(url.to_owned());
        }
        words
    };
    value.split(':').map(command).filter(|words| !words.is_empty()).collect()
}

fn start(command: &[String]) -> bool {
    let Some((program, arguments)) = command.split_first() else { return false };
    let started = Command::new(program).args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    started.is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn row_23_an_address_is_one_argument_whatever_it_holds() {
        let url = "https://ca.example/sign-in/x;touch%20y?a=%s&b=$(id)";
        assert_eq!(named("firefox", url), [vec!["firefox", url]]);
        assert_eq!(
            named("a:b --new %s -x", "https://ca.example/1"),
            [vec!["a", "https://ca.example/1"], vec!["b", "--new", "https://ca.example/1", "-x"]]
        );
        assert_eq!(named(": ::", url), Vec::<Vec<String>>::new());
    }
}
