//! What every file keeps to: its length, its name, its first line, and no unfinished marks.

use super::{Source, Violation, tokens::paths};

/// The most lines a file may have.
pub const MAX_LINES: usize = 500;

/// A file that a rule does not hold for, and why.
#[derive(Debug, Clone, Copy)]
pub struct Exception {
    /// Relative to the workspace.
    pub path: &'static str,
    /// Why it is better so.
    pub reason: &'static str,
}

/// Names that say nothing of what a module is.
const EMPTY_NAMES: [&str; 8] = ["util", "utils", "common", "helper", "helpers", "manager", "misc", "mod"];

/// Macros and attributes that leave something for later.
const UNFINISHED: [&str; 2] = ["todo", "unimplemented"];

/// Files past [`MAX_LINES`] that are not on the list, and entries of the list that are not needed.
pub fn length_violations(sources: &[Source], long_files: &[Exception]) -> Vec<Violation> {
    let is_listed = |source: &Source| long_files.iter().any(|file| file.path == source.path);
    let is_long = |source: &Source| source.text.lines().count() > MAX_LINES;
    let too_long = sources.iter().filter(|source| is_long(source) && !is_listed(source)).map(|source| Violation {
        place: source.path.clone(),
        message: format!("{} lines: split it, or list it with a reason", source.text.lines().count()),
    });
    let needless =
        long_files.iter().filter(|file| !sources.iter().any(|source| source.path == file.path && is_long(source))).map(|file| Violation {
            place: file.path.to_owned(),
            message: format!("is no longer past {MAX_LINES} lines: take it off the list ({})", file.reason),
        });
    too_long.chain(needless).collect()
}

/// Files named `mod.rs` or after nothing, and files without a `//!` line that says what they are.
pub fn naming_violations(sources: &[Source]) -> Vec<Violation> {
    let mut found = Vec::new();
    for source in sources {
        let stem = source.path.rsplit('/').next().and_then(|name| name.strip_suffix(".rs")).unwrap_or_default();
        if EMPTY_NAMES.contains(&stem) {
            found.push(Violation { place: source.path.clone(), message: format!("\"{stem}\" says nothing: name it for what it is") });
        }
        if !source.text.starts_with("//! ") && stem != "tests" {
            found.push(Violation { place: source.path.clone(), message: "begins without a `//!` line that says what it is".to_owned() });
        }
    }
    found
}

/// `todo!`, `unimplemented!`, and `#[ignore]` in files that are not listed for it; entries of that list that are not needed.
pub fn unfinished_marks(sources: &[Source], may_ignore: &[Exception]) -> Vec<Violation> {
    let mut found = Vec::new();
    let mut needless: Vec<&Exception> = may_ignore.iter().collect();
    for source in sources {
        let (ignores, macros): (Vec<_>, Vec<_>) = marks(source).partition(|(name, _)| name == "ignore");
        let listed = needless.iter().position(|exception| exception.path == source.path);
        let ignores = match listed {
            Some(at) if !ignores.is_empty() => {
                needless.swap_remove(at);
                Vec::new()
            }
            _ => ignores,
        };
        found.extend(macros.into_iter().chain(ignores).map(|(name, line)| Violation {
            place: format!("{}:{line}", source.path),
            message: format!("`{name}` leaves something unfinished"),
        }));
    }
    found.extend(needless.into_iter().map(|exception| Violation {
        place: exception.path.to_owned(),
        message: format!("ignores no test any more: take it off the list ({})", exception.reason),
    }));
    found
}

fn marks(source: &Source) -> impl Iterator<Item = (String, usize)> {
    paths(&source.text).unwrap_or_default().into_iter().filter_map(|path| {
        let name = path.segments.last()?.clone();
        let is_mark = (path.is_macro && UNFINISHED.contains(&name.as_str())) || (path.is_attribute && name == "ignore");
        is_mark.then_some((name, path.line))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(path: &str, text: &str) -> Source {
        Source { path: path.to_owned(), text: text.to_owned() }
    }

    #[test]
    fn a_long_file_needs_a_reason_and_a_reason_needs_a_long_file() {
        let long = source("crates/a/src/long.rs", &"line\n".repeat(MAX_LINES + 1));
        let short = source("crates/a/src/short.rs", &"line\n".repeat(MAX_LINES));
        let listed = Exception { path: "crates/a/src/long.rs", reason: "a table" };
        assert_eq!(length_violations(std::slice::from_ref(&long), &[]).len(), 1);
        assert!(length_violations(&[long, short.clone()], &[listed]).is_empty());
        assert_eq!(length_violations(&[short], &[listed]).len(), 1);
    }

    #[test]
    fn names_and_first_lines_are_looked_at() {
        let good = source("crates/a/src/listener.rs", "//! Listens.\n");
        let tests = source("crates/a/src/listener/tests.rs", "use super::*;\n");
        assert!(naming_violations(&[good, tests]).is_empty());
        for bad in [
            source("crates/a/src/x/mod.rs", "//! X.\n"),
            source("crates/a/src/utils.rs", "//! X.\n"),
            source("crates/a/src/x.rs", "use y;\n"),
        ] {
            assert_eq!(naming_violations(std::slice::from_ref(&bad)).len(), 1, "{}", bad.path);
        }
    }

    #[test]
    fn unfinished_marks_are_found_wherever_they_stand() {
        for text in [
            "fn f() { todo!() }",
            "fn f() { std::unimplemented!(\"later\") }",
            "#[test]\n#[ignore = \"slow\"]\nfn f() {}",
            "#[ignore] fn f() {}",
        ] {
            assert_eq!(unfinished_marks(&[source("a.rs", text)], &[]).len(), 1, "{text}");
        }
        assert!(unfinished_marks(&[source("a.rs", "// todo!()\nfn todo() { \"todo!()\" }\nfn ignore() {}")], &[]).is_empty());
    }

    #[test]
    fn a_listed_file_may_ignore_tests_and_nothing_else() {
        let listed = [Exception { path: "a.rs", reason: "a second process" }];
        assert!(unfinished_marks(&[source("a.rs", "#[ignore] fn f() {}")], &listed).is_empty());
        assert_eq!(unfinished_marks(&[source("a.rs", "#[ignore] fn f() { todo!() }")], &listed).len(), 1);
        assert_eq!(unfinished_marks(&[source("a.rs", "fn f() {}")], &listed).len(), 1);
    }
}
