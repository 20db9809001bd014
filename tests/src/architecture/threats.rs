//! Whether the threat model's table and the tests that it promises agree.

use super::{Source, Violation};
use std::collections::BTreeMap;

/// What a row says that no test guards.
const UNCOVERED: &str = "not covered yet";

/// Rows of `document`'s table that cite a test which is not there or is another row's, that cite none and do not say so, or that say so although there is one;
/// and tests of rows that the table does not have.
pub fn threat_violations(sources: &[Source], document: &str) -> Vec<Violation> {
    let tests = row_tests(sources);
    let rows = rows(document);
    let mut found = Vec::new();
    for (number, text) in &rows {
        let mut complain = |message: String| found.push(Violation { place: format!("row {number}"), message });
        let of_row = tests.get(number).map_or(&[][..], Vec::as_slice);
        let cited: Vec<&str> = text.split('`').filter(|word| word.starts_with("row_") && !word.contains(' ')).collect();
        for test in cited.iter().filter(|test| !of_row.iter().any(|known| known == *test)) {
            complain(format!("cites {test}, and there is no such test of this row"));
        }
        match (text.contains(UNCOVERED), cited.is_empty()) {
            (true, _) if !of_row.is_empty() => complain(format!("says \"{UNCOVERED}\", and there is {}", of_row.join(", "))),
            (false, true) => complain(format!("cites no test and does not say \"{UNCOVERED}\"")),
            _ => {}
        }
    }
    let unknown = tests.iter().filter(|(number, _)| !rows.contains_key(number));
    found.extend(unknown.map(|(number, tests)| Violation { place: tests.join(", "), message: format!("the table has no row {number}") }));
    found
}

/// The table's rows, `| 7 | …`, by number.
fn rows(document: &str) -> BTreeMap<u32, &str> {
    document.lines().filter_map(|line| Some((line.strip_prefix("| ")?.split_once(" |")?.0.parse().ok()?, line))).collect()
}

/// The names of the functions `row_NN_…`, by number.
fn row_tests(sources: &[Source]) -> BTreeMap<u32, Vec<String>> {
    let mut tests: BTreeMap<u32, Vec<String>> = BTreeMap::new();
    for line in sources.iter().flat_map(|source| source.text.lines()) {
        let Some((_, rest)) = line.trim_start().split_once("fn row_") else { continue };
        let Some((name, _)) = rest.split_once('(') else { continue };
        if let Some(number) = name.split('_').next().and_then(|digits| digits.parse().ok()) {
            tests.entry(number).or_default().push(format!("row_{name}"));
        }
    }
    tests
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(table: &str) -> Vec<String> {
        // Written apart, so that this very file holds no test of a row.
        let text = ["row_05_expired", "row_05_forever", "row_41_new"].map(|name| format!("    {} {name}() {{}}", "fn")).join("\n");
        let source = Source { path: "a.rs".to_owned(), text };
        threat_violations(&[source], table).into_iter().map(|violation| violation.place).collect()
    }

    #[test]
    fn a_table_that_agrees_has_no_violations_but_the_unknown_row() {
        assert_eq!(found("| 5 | B | clocks | refused | `row_05_expired` |\n| 6 | B | weak | refused | not covered yet |"), ["row_41_new"]);
    }

    #[test]
    fn what_a_row_promises_must_be_there() {
        for row in [
            "| 5 | B | clocks | refused | `row_05_gone` |",
            "| 5 | B | clocks | refused | `row_41_new` |",
            "| 5 | B | clocks | refused | |",
            "| 5 | B | clocks | refused | not covered yet |",
        ] {
            assert_eq!(found(&format!("{row}\n| 41 | B | new | refused | `row_41_new` |")), ["row 5"], "{row}");
        }
    }
}
