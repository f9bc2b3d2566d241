//! Runs a document's code blocks as a reader would: one shell from the first block to the last.
//!
//! A `sh` block is typed as it stands. A `text` block after it is what the reader should see: its lines must come in that
//! order in what was printed, where `…` stands for any text within a line, and a line that is only `…` for any lines.
//! No command may fail, but on a line that shows its exit code (`$?`).

use std::path::Path;
use std::process::{Command, Stdio};

use runbook_testbed::{Bed, binary};

/// A code block and what should be seen after it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// Line of the document where the code begins, from 1.
    pub line: usize,
    pub code: String,
    pub shown: Option<String>,
}

/// The `sh` blocks of a document, each with the `text` block that follows it.
pub fn blocks(document: &str) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut open: Option<(String, usize, String)> = None;
    for (number, line) in document.lines().enumerate() {
        match (&mut open, line.strip_prefix("```")) {
            (None, Some(language)) => open = Some((language.trim().to_owned(), number + 2, String::new())),
            (Some(_), Some(_)) => {
                let Some((language, line, code)) = open.take() else { continue };
                match (language.as_str(), blocks.last_mut()) {
                    ("sh", _) => blocks.push(Block { line, code, shown: None }),
                    ("text", Some(last)) if last.shown.is_none() => last.shown = Some(code),
                    _ => {}
                }
            }
            (Some((_, _, code)), None) => {
                code.push_str(line);
                code.push('\n');
            }
            (None, None) => {}
        }
    }
    blocks
}

/// Types the blocks of a document as a reader would, in a project of their own.
///
/// # Panics
/// Where something is not as the document says: a command fails, or what should be seen is not printed.
pub fn follow(document: &str, blocks: &[Block], bed: &Bed) {
    let script = script(blocks, &binary());
    let output = Command::new("bash")
        .args(["--norc", "-c", &script])
        .current_dir(bed.project())
        .env_clear()
        .env("PATH", "/usr/local/bin:/usr/bin:/bin")
        .env("HOME", bed.project().parent().unwrap_or(Path::new("/")))
        .env("LANG", "C.UTF-8")
        .stdin(Stdio::null())
        .output()
        .expect("bash can be started");
    let output = String::from_utf8_lossy(&output.stdout).into_owned();
    for (block, printed) in blocks.iter().zip(printed(&output, blocks.len())) {
        let Block { line, code, shown } = block;
        if let Some(failed) = failed(&printed, &script) {
            panic!("{document}:{line}: in\n{code}\nthis failed\n  {failed}\nand printed\n{printed}");
        }
        if let Some(wanted) = shown.as_deref().and_then(|shown| missing(shown, &printed)) {
            panic!("{document}:{line}: after\n{code}\nno line like\n  {wanted}\nin\n{printed}");
        }
    }
}

/// A script that types the blocks one after another, each behind a mark, in a shell that goes on after a failure as a
/// reader's does, and marks it.
fn script(blocks: &[Block], binary: &Path) -> String {
    let folder = binary.parent().unwrap_or(Path::new("/")).display();
    let mut script = format!("exec 2>&1\nexport PATH=\"{folder}:$PATH\"\n");
    script.push_str("trap 'printf \"\\n\\002%s\\n\" \"$LINENO\"' ERR\n");
    for (number, block) in blocks.iter().enumerate() {
        script.push_str(&format!("printf '\\n\\001{number}\\n'\n{}", block.code));
    }
    script
}

/// What each block printed, by the marks of [`script`].
fn printed(output: &str, count: usize) -> Vec<String> {
    let mut parts = vec![String::new(); count];
    for part in output.split('\u{1}').skip(1) {
        let (number, text) = part.split_once('\n').unwrap_or((part, ""));
        if let Some(slot) = number.trim().parse::<usize>().ok().and_then(|number| parts.get_mut(number)) {
            text.clone_into(slot);
        }
    }
    parts
}

/// The first line of the script that failed, by its marks, where the reader is not shown that it does.
fn failed<'a>(printed: &str, script: &'a str) -> Option<&'a str> {
    let marked = printed.lines().filter_map(|line| line.strip_prefix('\u{2}')?.parse::<usize>().ok());
    marked.filter_map(|line| script.lines().nth(line - 1)).find(|line| !line.contains("$?"))
}

/// The first line of `wanted` that does not come in `printed` where it should.
pub fn missing<'a>(wanted: &'a str, printed: &str) -> Option<&'a str> {
    let mut lines = printed.lines();
    wanted
        .lines()
        .map(str::trim_end)
        .filter(|line| !line.is_empty() && *line != "…")
        .find(|wanted| !lines.by_ref().any(|line| matches(wanted, line.trim_end())))
}

/// Whether a line fits a pattern in which `…` stands for any text. Runs of spaces count as one.
fn matches(pattern: &str, line: &str) -> bool {
    let fold = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let line = fold(line);
    let pieces: Vec<String> = pattern.split('…').map(fold).collect();
    let mut rest = line.as_str();
    for (n, piece) in pieces.iter().enumerate() {
        match rest.find(piece.as_str()) {
            Some(0) => rest = &rest[piece.len()..],
            Some(at) if n > 0 => rest = &rest[at + piece.len()..],
            _ => return false,
        }
    }
    pieces.last().is_some_and(|last| last.is_empty() || rest.trim().is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_and_what_is_shown() {
        let document = "a\n```sh\necho hi\n```\n```text\nhi\n```\n```yaml\nx: 1\n```\n```sh\ntrue\n```\n";
        let found = blocks(document);
        assert_eq!(found.len(), 2);
        assert_eq!(
            (found[0].line, found[0].code.as_str(), found[0].shown.as_deref()),
            (3, "echo hi\n", Some("hi\n"))
        );
        assert_eq!(found[1].shown, None);
    }

    #[test]
    fn a_command_that_fails_is_named_unless_the_reader_sees_it() {
        let follow =
            |code: &str| follow("x.md", &[Block { line: 1, code: code.into(), shown: None }], &Bed::new());
        let fails = |code: &'static str| std::panic::catch_unwind(move || follow(code)).is_err();
        assert!(fails("true\nfalse\ntrue\n"));
        assert!(fails("runbook validate nothing.yaml\n"));
        for fine in ["false || true\n", "false; echo \"exit code $?\"\n", "if false; then true; fi\n"] {
            assert!(!fails(fine), "{fine}");
        }
    }

    #[test]
    fn what_is_missing_is_named() {
        assert_eq!(missing("a … c\n…\nz\n", "x\na b c\ny\nz\n"), None);
        assert_eq!(missing("a\nb\n", "b\na\n"), Some("b"));
        assert_eq!(missing("a … c", "a b d"), Some("a … c"));
        assert_eq!(missing("done …", "is done in 3 s"), Some("done …"));
    }
}
