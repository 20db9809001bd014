//! Which paths may be named where.

use super::{Source, Violation, tokens::paths};

/// A path that may be named in some places only. Code that only tests are built with is free.
#[derive(Debug, Clone, Copy)]
pub struct ImportRule {
    /// The paths, such as `std::fs` or `SystemTime`. One matches wherever its segments stand together.
    pub paths: &'static [&'static str],
    /// The rule holds for files whose path begins so.
    pub within: &'static [&'static str],
    /// But not for those that begin so.
    pub except: &'static [&'static str],
    /// Why, as a sentence for whoever breaks it.
    pub reason: &'static str,
}

/// Every place where `rules` are broken.
pub fn forbidden_imports(sources: &[Source], rules: &[ImportRule]) -> Vec<Violation> {
    sources.iter().flat_map(|source| violations(source, rules)).collect()
}

fn violations(source: &Source, rules: &[ImportRule]) -> Vec<Violation> {
    let starts = |prefixes: &[&str]| prefixes.iter().any(|prefix| source.path.starts_with(prefix));
    let rules: Vec<_> = rules.iter().filter(|rule| starts(rule.within) && !starts(rule.except)).collect();
    if rules.is_empty() || is_test_file(&source.path) {
        return Vec::new();
    }
    let named = match paths(&source.text) {
        Ok(named) => named,
        Err(error) => return vec![Violation { place: source.path.clone(), message: error.to_string() }],
    };
    let mut found = Vec::new();
    for path in named.iter().filter(|path| !path.in_test) {
        for rule in &rules {
            found.extend(rule.paths.iter().filter(|forbidden| contains(&path.segments, forbidden)).map(|forbidden| Violation {
                place: format!("{}:{}", source.path, path.line),
                message: format!("`{forbidden}` may not be named here: {}", rule.reason),
            }));
        }
    }
    found
}

fn is_test_file(path: &str) -> bool {
    path.ends_with("/tests.rs") || path.contains("/tests/")
}

fn contains(segments: &[String], forbidden: &str) -> bool {
    let wanted: Vec<&str> = forbidden.split("::").collect();
    segments.windows(wanted.len()).any(|window| window == wanted.as_slice())
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULE: ImportRule = ImportRule {
        paths: &["std::fs", "SystemTime"],
        within: &["crates/pure/"],
        except: &["crates/pure/src/edge/"],
        reason: "it is pure",
    };

    fn found(path: &str, text: &str) -> Vec<String> {
        let source = Source { path: path.to_owned(), text: text.to_owned() };
        forbidden_imports(&[source], &[RULE]).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_made_up_violation_is_found_with_its_line() {
        let text = "//! A file.\nuse std::{collections::BTreeMap, fs};\nfn f() { std::time::SystemTime::now(); }";
        let violations = found("crates/pure/src/a.rs", text);
        assert_eq!(violations.len(), 2, "{violations:?}");
        assert_eq!(violations.first().map(String::as_str), Some("crates/pure/src/a.rs:2: `std::fs` may not be named here: it is pure"));
        assert!(violations.iter().any(|text| text.starts_with("crates/pure/src/a.rs:3: `SystemTime`")));
    }

    #[test]
    fn other_places_exceptions_and_test_code_are_free() {
        let text = "use std::fs;";
        for path in ["crates/other/src/a.rs", "crates/pure/src/edge/a.rs", "crates/pure/src/a/tests.rs"] {
            assert!(found(path, text).is_empty(), "{path}");
        }
        assert!(found("crates/pure/src/a.rs", "#[cfg(test)]\nmod tests { use std::fs; }").is_empty());
        assert!(found("crates/pure/src/a.rs", "use crate::fs; use std::fsx;").is_empty());
    }

    #[test]
    fn a_file_that_cannot_be_read_as_rust_is_no_way_around() {
        assert_eq!(found("crates/pure/src/a.rs", "fn f( {").len(), 1);
    }
}
