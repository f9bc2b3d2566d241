//! `docs/tutorial.md`, typed as it stands.

use std::process::{Command, Stdio};

use runbook_docs_tests::{blocks, missing, printed, script};
use runbook_testbed::{Bed, binary, root};

#[test]
fn the_tutorial_works_as_it_stands() {
    let document = std::fs::read_to_string(root().join("docs/tutorial.md")).unwrap();
    let blocks = blocks(&document);
    assert!(blocks.len() >= 8, "the tutorial has only {} blocks", blocks.len());
    let bed = Bed::new();
    let output = Command::new("bash")
        .args(["--norc", "-c", &script(&blocks, &binary())])
        .current_dir(bed.project())
        .env_clear()
        .env("PATH", "/usr/local/bin:/usr/bin:/bin")
        .env("HOME", bed.project().parent().unwrap())
        .env("LANG", "C.UTF-8")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let output = String::from_utf8_lossy(&output.stdout).into_owned();
    let printed = printed(&output, blocks.len());
    for (block, printed) in blocks.iter().zip(&printed) {
        let Some(shown) = &block.shown else { continue };
        if let Some(line) = missing(shown, printed) {
            panic!(
                "docs/tutorial.md:{}: after\n{}\nno line like\n  {line}\nin\n{printed}",
                block.line, block.code
            );
        }
    }
}
