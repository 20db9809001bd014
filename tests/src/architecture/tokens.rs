//! A source as tokens: the paths that it names and the macros that it calls. Comments and strings do not count.

use anyhow::{Result, anyhow};
use proc_macro2::{Delimiter, Group, Spacing, TokenStream, TokenTree};

/// A path such as `std::fs::File`, however it was written: whole, or spread over a `use` with braces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct NamedPath {
    pub(super) segments: Vec<String>,
    pub(super) line: usize,
    /// Whether it stands in an item under `#[cfg(test)]`.
    pub(super) in_test: bool,
    /// Whether it is called as a macro, `path!`.
    pub(super) is_macro: bool,
    /// Whether it is an attribute, `#[path …]`.
    pub(super) is_attribute: bool,
}

/// All paths of a source.
pub(super) fn paths(text: &str) -> Result<Vec<NamedPath>> {
    let stream: TokenStream = text.parse().map_err(|error| anyhow!("it is not Rust: {error}"))?;
    let mut found = Vec::new();
    collect(stream, &[], false, &mut found);
    Ok(found)
}

fn collect(stream: TokenStream, prefix: &[String], in_test: bool, found: &mut Vec<NamedPath>) {
    let tokens: Vec<TokenTree> = stream.into_iter().collect();
    let mut at = 0;
    let mut item_in_test = in_test;
    while let Some(token) = tokens.get(at) {
        match token {
            TokenTree::Punct(punct) if punct.as_char() == '#' => {
                let group = [1, 2].into_iter().find_map(|step| bracketed(tokens.get(at + step)));
                item_in_test |= group.is_some_and(is_cfg_test);
                found.extend(group.and_then(attribute).map(|path| NamedPath { in_test: item_in_test, ..path }));
                at += 1;
            }
            TokenTree::Ident(_) => at = path_at(&tokens, at, prefix, item_in_test, found),
            TokenTree::Group(group) => {
                collect(group.stream(), &[], item_in_test, found);
                // An item ends with its braces; what follows is judged anew.
                if group.delimiter() == Delimiter::Brace {
                    item_in_test = in_test;
                }
                at += 1;
            }
            TokenTree::Punct(punct) => {
                if punct.as_char() == ';' {
                    item_in_test = in_test;
                }
                at += 1;
            }
            TokenTree::Literal(_) => at += 1,
        }
    }
}

/// Reads the path that begins at `at`, and returns where to go on.
fn path_at(tokens: &[TokenTree], mut at: usize, prefix: &[String], in_test: bool, found: &mut Vec<NamedPath>) -> usize {
    let line = tokens.get(at).map_or(0, |token| token.span().start().line);
    let mut segments = prefix.to_vec();
    while let Some(TokenTree::Ident(ident)) = tokens.get(at) {
        segments.push(ident.to_string());
        at += 1;
        if !is_double_colon(tokens, at) {
            break;
        }
        at += 2;
        if let Some(TokenTree::Group(group)) = tokens.get(at)
            && group.delimiter() == Delimiter::Brace
        {
            collect(group.stream(), &segments, in_test, found);
            at += 1;
        }
    }
    let is_macro = matches!(tokens.get(at), Some(TokenTree::Punct(punct)) if punct.as_char() == '!' && punct.spacing() == Spacing::Alone);
    found.push(NamedPath { segments, line, in_test, is_macro, is_attribute: false });
    at
}

fn is_double_colon(tokens: &[TokenTree], at: usize) -> bool {
    let is_colon = |at: usize| matches!(tokens.get(at), Some(TokenTree::Punct(punct)) if punct.as_char() == ':');
    is_colon(at) && is_colon(at + 1)
}

fn bracketed(token: Option<&TokenTree>) -> Option<&Group> {
    match token {
        Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Bracket => Some(group),
        _ => None,
    }
}

/// `cfg(test)`, `cfg(any(test, …))`, but not `cfg(not(test))`.
fn is_cfg_test(group: &Group) -> bool {
    let text = group.stream().to_string().replace(' ', "");
    text.starts_with("cfg(test)") || (text.starts_with("cfg(any(") && text.contains("test,"))
}

fn attribute(group: &Group) -> Option<NamedPath> {
    match group.stream().into_iter().next() {
        Some(TokenTree::Ident(ident)) => Some(NamedPath {
            segments: vec![ident.to_string()],
            line: ident.span().start().line,
            in_test: false,
            is_macro: false,
            is_attribute: true,
        }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn texts(source: &str) -> Vec<String> {
        paths(source).unwrap().into_iter().filter(|path| !path.in_test).map(|path| path.segments.join("::")).collect()
    }

    #[test]
    fn a_use_with_braces_names_every_path() {
        let found = texts("use std::{collections::BTreeMap, fs::{self, File}};\nfn f() { std::env::var(\"X\") }");
        for path in ["std::collections::BTreeMap", "std::fs::self", "std::fs::File", "std::env::var"] {
            assert!(found.iter().any(|text| text == path), "{path} in {found:?}");
        }
    }

    #[test]
    fn macros_are_looked_into_and_comments_and_strings_are_not() {
        assert!(texts("fn f() { select! { _ = tokio::time::sleep(x) => {} } }").contains(&"tokio::time::sleep".to_owned()));
        assert!(!texts("// std::fs\n/// std::fs\nfn f() { \"std::fs\" }").iter().any(|text| text.contains("fs")));
    }

    #[test]
    fn what_only_tests_are_built_with_is_told_apart() {
        let source = "#[cfg(test)]\nmod tests { use std::fs; }\nuse std::env;\n#[cfg(test)] use std::net;\nfn f() { std::time::x() }";
        assert_eq!(
            paths(source).unwrap().iter().filter(|path| path.segments.len() > 1 && path.in_test).map(|path| path.line).collect::<Vec<_>>(),
            [2, 4]
        );
        assert!(texts(source).contains(&"std::env".to_owned()) && texts(source).contains(&"std::time::x".to_owned()));
        assert!(texts("#[cfg(not(test))] use std::fs;").contains(&"std::fs".to_owned()));
    }

    #[test]
    fn macro_calls_and_attributes_are_marked() {
        let found = paths("#[ignore = \"slow\"] fn f() { todo!() ; a != b }").unwrap();
        assert!(found.iter().any(|path| path.is_attribute && path.segments == ["ignore"]));
        assert!(found.iter().any(|path| path.is_macro && path.segments == ["todo"]));
        assert!(!found.iter().any(|path| path.is_macro && path.segments == ["a"]));
    }
}
