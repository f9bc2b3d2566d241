//! `docs/tutorial.md`, typed as it stands.

use runbook_docs_tests::{blocks, follow};
use runbook_testbed::{Bed, root};

#[test]
fn the_tutorial_works_as_it_stands() {
    let document = std::fs::read_to_string(root().join("docs/tutorial.md")).unwrap();
    let blocks = blocks(&document);
    assert!(blocks.len() >= 8, "the tutorial has only {} blocks", blocks.len());
    follow("docs/tutorial.md", &blocks, &Bed::new());
}
