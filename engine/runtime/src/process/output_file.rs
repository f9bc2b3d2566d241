//! `$RUNBOOK_OUTPUT`: the file through which a script returns outputs.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

use crate::files::{read_regular, words};

/// More is not read.
const LIMIT: usize = 1 << 20;

/// Reads the file and removes it. A script that returns nothing leaves none. Blocks; what a script puts there may be
/// anything.
pub(crate) fn take(path: &Path) -> Result<BTreeMap<String, String>, String> {
    let read = read_regular(path, LIMIT);
    // Left over, it would only cost space: the folder goes with the run.
    let _ = fs::remove_file(path);
    match read {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(BTreeMap::new()),
        Err(error) => Err(format!("$RUNBOOK_OUTPUT: {}", words(&error))),
        Ok(None) => Err(format!("$RUNBOOK_OUTPUT is longer than {LIMIT} bytes")),
        Ok(Some(bytes)) => {
            let text = String::from_utf8(bytes).map_err(|_| "$RUNBOOK_OUTPUT is not UTF-8")?;
            parse(&text)
        }
    }
}

/// `name=value` on a line, or `name<<END`, the lines of the value, and `END`. The last value of a name counts.
fn parse(text: &str) -> Result<BTreeMap<String, String>, String> {
    let mut outputs = BTreeMap::new();
    let mut lines = text.lines().enumerate();
    while let Some((number, line)) = lines.next() {
        let fault = |what: &str| Err(format!("$RUNBOOK_OUTPUT, line {}: {what}", number + 1));
        if line.trim().is_empty() {
            continue;
        }
        let end_of_name = line.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(line.len());
        let (name, rest) = line.split_at(end_of_name);
        if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) {
            return fault("wanted `name=value` or `name<<END`");
        }
        let value = if let Some(value) = rest.strip_prefix('=') {
            value.to_owned()
        } else if let Some(end) = rest.strip_prefix("<<").filter(|end| !end.is_empty()) {
            let mut value = Vec::new();
            loop {
                match lines.next() {
                    None => return fault(&format!("no line `{end}` ends the value of `{name}`")),
                    Some((_, line)) if line == end => break value.join("\n"),
                    Some((_, line)) => value.push(line),
                }
            }
        } else {
            return fault("wanted `name=value` or `name<<END`");
        };
        outputs.insert(name.to_owned(), value);
    }
    Ok(outputs)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_written_is_read(pairs in proptest::collection::btree_map("[a-z_][a-z0-9_]{0,5}", "[ -~é\\n]{0,20}", 0..5)) {
            // As a script would write it, long form for values of several lines; such a value cannot end in a newline
            // that would be told from the last line's own.
            let text: String = pairs.iter().map(|(name, value)| {
                if value.contains('\n') { format!("{name}<<E-O-F\n{value}\nE-O-F\n") } else { format!("{name}={value}\n") }
            }).collect();
            prop_assert_eq!(parse(&text).unwrap(), pairs);
        }
    }

    #[test]
    fn faults_name_their_line() {
        for (text, wanted) in [
            ("a=1\nnonsense\n", "$RUNBOOK_OUTPUT, line 2: wanted `name=value` or `name<<END`"),
            ("a<<E\nx\n", "$RUNBOOK_OUTPUT, line 1: no line `E` ends the value of `a`"),
            ("1a=2", "$RUNBOOK_OUTPUT, line 1: wanted `name=value` or `name<<END`"),
            ("a<<\n", "$RUNBOOK_OUTPUT, line 1: wanted `name=value` or `name<<END`"),
        ] {
            assert_eq!(parse(text).unwrap_err(), wanted);
        }
        assert_eq!(parse("\na=\n\na=b=c\n").unwrap()["a"], "b=c");
    }

    #[test]
    fn a_file_that_is_too_long_or_not_text_is_refused_and_removed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out");
        for (content, wanted) in
            [(vec![0xff], "is not UTF-8"), (vec![b'a'; 2 << 20], "is longer than 1048576 bytes")]
        {
            fs::write(&path, content).unwrap();
            assert!(take(&path).unwrap_err().ends_with(wanted));
            assert!(!path.exists());
        }
        assert_eq!(take(&path).unwrap(), BTreeMap::new());
    }

    #[test]
    fn what_is_not_a_file_is_refused_without_waiting_for_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out");
        rustix::fs::mkfifoat(rustix::fs::CWD, &path, rustix::fs::Mode::RUSR).unwrap();
        assert_eq!(take(&path).unwrap_err(), "$RUNBOOK_OUTPUT: not a regular file");
        fs::create_dir(&path).unwrap();
        assert_eq!(take(&path).unwrap_err(), "$RUNBOOK_OUTPUT: is a directory");
    }
}
