//! The example of `README.md`.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use runbook_docs_tests::{Block, follow};
use runbook_testbed::{Bed, root};

/// The example's file, and the commands that the reader is to try on it.
fn example() -> (String, Block) {
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    let (before, section) = readme.split_once("\n## A runbook\n").unwrap();
    let section = section.split("\n## ").next().unwrap();
    let (yaml, rest) = section.split_once("```yaml\n").unwrap().1.split_once("```\n").unwrap();
    let code: String =
        rest.lines().filter_map(|line| line.strip_prefix("    ")).map(|line| format!("{line}\n")).collect();
    assert_eq!(code.lines().count(), 3, "{code}");
    let line = before.lines().count() + 2;
    (yaml.to_owned(), Block { line, code, shown: Some("motd.yaml: valid\n…\n… succeeded …\n".into()) })
}

#[test]
fn the_example_does_what_it_says() {
    let (yaml, commands) = example();
    let bed = Bed::new();
    bed.write("motd.yaml", &yaml);
    follow("README.md", &[commands], &bed);
    assert_eq!(bed.read("motd").as_deref(), Some("Maintenance tonight at 02:00\n"));
    assert!(bed.read("maintenance.flag").is_some());
}

#[test]
fn the_example_takes_it_back_if_the_check_fails() {
    let bed = Bed::new();
    bed.write("motd.yaml", &example().0);
    bed.runbook(&["exec", "motd.yaml", "-i", "text=two\nlines"]).expect(20);
    assert_eq!((bed.read("motd"), bed.read("maintenance.flag")), (None, None));
}
