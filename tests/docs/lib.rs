//! Runs a document's code blocks as a reader would: one shell from the first block to the last.
//!
//! A `sh` block is typed as it stands. A `text` block after it is what the reader should see: its lines must come in that
//! order in what was printed, where `…` stands for any text within a line, and a line that is only `…` for any lines.

use std::path::Path;

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

/// A script that types the blocks one after another, each behind a mark, in a shell that goes on after a failure as a
/// reader's does.
pub fn script(blocks: &[Block], binary: &Path) -> String {
    let folder = binary.parent().unwrap_or(Path::new("/")).display();
    let mut script = format!("exec 2>&1\nexport PATH=\"{folder}:$PATH\"\n");
    for (number, block) in blocks.iter().enumerate() {
        script.push_str(&format!("printf '\\n\\001{number}\\n'\n{}", block.code));
    }
    script
}

/// What each block printed, by the marks of [`script`].
pub fn printed(output: &str, count: usize) -> Vec<String> {
    let mut parts = vec![String::new(); count];
    for part in output.split('\u{1}').skip(1) {
        let (number, text) = part.split_once('\n').unwrap_or((part, ""));
        if let Some(slot) = number.trim().parse::<usize>().ok().and_then(|number| parts.get_mut(number)) {
            text.clone_into(slot);
        }
    }
    parts
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
    fn what_is_missing_is_named() {
        assert_eq!(missing("a … c\n…\nz\n", "x\na b c\ny\nz\n"), None);
        assert_eq!(missing("a\nb\n", "b\na\n"), Some("b"));
        assert_eq!(missing("a … c", "a b d"), Some("a … c"));
        assert_eq!(missing("done …", "is done in 3 s"), Some("done …"));
    }
}
