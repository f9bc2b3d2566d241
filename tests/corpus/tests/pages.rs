//! Every code has a page, its title is the code's, and its examples are what it says they are.

use runbook_corpus::{codes, root};
use runbook_syntax::{Sources, parse};

/// The YAML blocks of a page, each completed to a whole file.
fn examples(page: &str) -> Vec<String> {
    let blocks = page.split("```yaml\n").skip(1).filter_map(|rest| rest.split("```").next());
    blocks
        .map(|block| {
            let has = |key: &str| block.lines().any(|line| line.starts_with(key));
            let head = if has("apiVersion:") { "" } else { "apiVersion: runbook/v1\nname: example\n" };
            let steps =
                if has("steps:") || has("kind:") { "" } else { "steps: [{run: 'true', effect: read}]\n" };
            format!("{head}{steps}{block}")
        })
        .collect()
}

/// What the syntax finds wrong.
fn found(text: &str) -> Vec<&'static str> {
    let mut sources = Sources::default();
    let file = sources.add("example.yaml", text);
    parse(&sources, file).1.iter().map(|diagnostic| diagnostic.code.0).collect()
}

/// What the planner finds wrong.
fn planned(text: &str) -> Vec<String> {
    let path = "wrong/example.yaml";
    runbook_corpus::found(path, &format!("# complete\n{text}")).into_iter().map(|fault| fault.code).collect()
}

#[test]
fn every_code_has_a_page() {
    for (code, title) in codes() {
        let path = root().join("../../docs/errors").join(format!("{code}.md"));
        let page =
            std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let heading = page.lines().next().unwrap_or_default();
        assert_eq!(heading, format!("# {code}: {title}"));
    }
}

#[test]
fn pages_of_the_syntax_show_the_fault_and_its_remedy() {
    for entry in runbook_syntax::codes::ALL {
        let code = entry.code.0;
        let page = std::fs::read_to_string(root().join(format!("../../docs/errors/{code}.md"))).unwrap();
        let examples = examples(&page);
        if let [wrong, right] = examples.as_slice() {
            let codes = found(wrong);
            assert!(
                !codes.is_empty() && codes.iter().all(|found| *found == code),
                "{code}: its wrong example has {codes:?}"
            );
            assert_eq!(found(right), [""; 0], "{code}: its right example");
        } else {
            // The fault is too long to be shown.
            assert!(["E109", "E199", "E305"].contains(&code), "{code} has {} examples", examples.len());
        }
    }
}

/// Codes whose pages cannot show fault and remedy in one file, and why.
const WITHOUT_EXAMPLES: [(&str, &str); 9] = [
    ("E329", "it is of the command line"),
    ("E331", "it is of the command line"),
    ("E419", "the file would be too long"),
    ("E604", "its remedy is a folder of files"),
    ("E605", "the file would be too long"),
    ("E606", "it takes two files"),
    ("E607", "its remedy is of the command line"),
    ("E608", "it takes an environment"),
    ("E613", "it takes 17 files"),
];

#[test]
fn pages_of_the_plan_show_the_fault_and_its_remedy() {
    let mut failures = String::new();
    for entry in runbook_plan::codes::ALL {
        let code = entry.code.0;
        let page = std::fs::read_to_string(root().join(format!("../../docs/errors/{code}.md"))).unwrap();
        let examples = examples(&page);
        let excused = WITHOUT_EXAMPLES.iter().any(|(excused, _)| *excused == code);
        let [wrong, right] = examples.as_slice() else {
            if !excused {
                failures += &format!("{code}: it has {} examples\n", examples.len());
            }
            continue;
        };
        if excused {
            failures += &format!("{code}: it has examples, and need not be excused\n");
        }
        let codes = planned(wrong);
        if codes.is_empty() || codes.iter().any(|found| found != code) {
            failures += &format!("{code}: its wrong example has {codes:?}\n");
        }
        let codes = planned(right);
        if !codes.is_empty() {
            failures += &format!("{code}: its right example has {codes:?}\n");
        }
    }
    assert!(failures.is_empty(), "\n{failures}");
}
