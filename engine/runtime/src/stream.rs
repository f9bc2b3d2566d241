//! A process's output on its way into the log: cut into lines, masked, a tail kept.

use runbook_step::LogStream;

use crate::logs::format_line;
use crate::mask::Mask;

/// A longer line is logged in pieces, so that memory stays flat whatever a process prints.
const LONGEST_LINE: usize = 16 * 1024;

/// How much of the end is kept for messages.
const TAIL: usize = 4 * 1024;

/// One output stream of a process.
pub(crate) struct OutputStream {
    stream: LogStream,
    mask: Mask,
    /// The beginning of a line whose end has not come yet.
    line: Vec<u8>,
    /// The end of what was logged, masked.
    tail: String,
    /// All of it, up to the limit, where somebody wants it.
    kept: Option<Kept>,
}

struct Kept {
    bytes: Vec<u8>,
    limit: usize,
    over: bool,
}

impl OutputStream {
    /// `keep`: the most bytes of the whole stream that are kept.
    pub(crate) fn new(stream: LogStream, mask: Mask, keep: Option<usize>) -> OutputStream {
        let kept = keep.map(|limit| Kept { bytes: Vec::new(), limit, over: false });
        OutputStream { stream, mask, line: Vec::new(), tail: String::new(), kept }
    }

    /// Takes a chunk; whole lines go to `log`, in the log file's form, and each of them to `seen`.
    pub(crate) fn push(&mut self, chunk: &[u8], at: u64, log: &mut Vec<u8>, seen: &mut dyn FnMut(&str)) {
        self.keep(chunk);
        let mut rest = chunk;
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            if self.line.is_empty() && end <= LONGEST_LINE {
                self.emit(&rest[..end], true, at, log, seen);
            } else {
                self.line.extend_from_slice(&rest[..end]);
                self.cut_long(at, log, seen);
                let line = std::mem::take(&mut self.line);
                self.emit(&line, true, at, log, seen);
            }
            rest = &rest[end + 1..];
        }
        self.line.extend_from_slice(rest);
        self.cut_long(at, log, seen);
    }

    /// The stream is over: what had no newline is a line as well.
    pub(crate) fn finish(&mut self, at: u64, log: &mut Vec<u8>, seen: &mut dyn FnMut(&str)) {
        if !self.line.is_empty() {
            let line = std::mem::take(&mut self.line);
            self.emit(&line, false, at, log, seen);
        }
    }

    /// The end of what was logged, masked, from the beginning of a line where that is not too far.
    pub(crate) fn tail(&self) -> String {
        let mut start = self.tail.floor_char_boundary(self.tail.len().saturating_sub(TAIL));
        if start > 0 {
            start += self.tail[start..].find('\n').map_or(0, |newline| newline + 1);
        }
        self.tail[start..].to_owned()
    }

    /// All of it, if that was wanted and it was not too long.
    pub(crate) fn whole(&self) -> Option<String> {
        let kept = self.kept.as_ref().filter(|kept| !kept.over)?;
        Some(String::from_utf8_lossy(&kept.bytes).into_owned())
    }

    fn keep(&mut self, chunk: &[u8]) {
        if let Some(kept) = &mut self.kept {
            kept.over |= kept.bytes.len() + chunk.len() > kept.limit;
            if !kept.over {
                kept.bytes.extend_from_slice(chunk);
            }
        }
    }

    /// Logs the beginning of a line that has become too long, but for an end in which a secret may have begun.
    fn cut_long(&mut self, at: u64, log: &mut Vec<u8>, seen: &mut dyn FnMut(&str)) {
        while self.line.len() > LONGEST_LINE {
            // A character whose end has not come yet stays behind.
            let torn = self.line.utf8_chunks().last().map_or(0, |chunk| chunk.invalid().len());
            let (whole, torn) = self.line.split_at(self.line.len() - torn);
            let text = String::from_utf8_lossy(whole);
            let masked = self.mask.text(&text);
            let held = self.mask.longest();
            let cut = masked.floor_char_boundary(masked.len().saturating_sub(held).min(LONGEST_LINE));
            let (piece, rest) = masked.split_at(cut);
            if piece.is_empty() {
                break;
            }
            let rest = [rest.as_bytes(), torn].concat();
            say(&mut self.tail, self.stream, piece, false, at, log, seen);
            self.line = rest;
        }
    }

    fn emit(&mut self, line: &[u8], ended: bool, at: u64, log: &mut Vec<u8>, seen: &mut dyn FnMut(&str)) {
        let text = String::from_utf8_lossy(line);
        let text = self.mask.text(&text);
        // A carriage return ends lines elsewhere, and inside a line it only redraws a terminal.
        let text = text.strip_suffix('\r').unwrap_or(&text);
        say(&mut self.tail, self.stream, text, ended, at, log, seen);
    }
}

/// A masked line, or a piece of one, on its way to everybody.
fn say(
    tail: &mut String,
    stream: LogStream,
    text: &str,
    ended: bool,
    at: u64,
    log: &mut Vec<u8>,
    seen: &mut dyn FnMut(&str),
) {
    format_line(log, at, stream, text, ended);
    seen(text);
    tail.push_str(&text[text.ceil_char_boundary(text.len().saturating_sub(2 * TAIL))..]);
    if ended {
        tail.push('\n');
    }
    if tail.len() > 4 * TAIL {
        tail.drain(..tail.ceil_char_boundary(tail.len() - 2 * TAIL));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::logs::parse_line;

    /// Pushes chunks and puts the text of the log together again.
    fn logged(chunks: &[&[u8]], mask: &Mask) -> (String, OutputStream) {
        let mut stream = OutputStream::new(LogStream::Stdout, mask.clone(), None);
        let mut log = Vec::new();
        for chunk in chunks {
            stream.push(chunk, 1, &mut log, &mut |_| ());
        }
        stream.finish(1, &mut log, &mut |_| ());
        let text = String::from_utf8(log).unwrap();
        let lines = text.lines().map(|line| parse_line(line).unwrap());
        let joined = lines.fold(String::new(), |mut out, line| {
            out.push_str(line.text);
            out.push_str(if line.ended { "\n" } else { "" });
            out
        });
        (joined, stream)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn any_text_in_any_pieces_comes_out_as_it_was(
            text in "([a-zé\\n]{0,40}|x{20000}){0,4}", cuts in proptest::collection::vec(0.0..1.0f64, 0..6)
        ) {
            let bytes = text.as_bytes();
            let mut at: Vec<usize> = cuts.iter().map(|cut| (cut * bytes.len() as f64) as usize).collect();
            at.extend([0, bytes.len()]);
            at.sort_unstable();
            let chunks: Vec<&[u8]> = at.windows(2).map(|pair| &bytes[pair[0]..pair[1]]).collect();
            prop_assert_eq!(logged(&chunks, &Mask::default()).0, text);
        }

        #[test]
        fn a_secret_is_hidden_wherever_it_is_cut(before in 0usize..40_000, cut in 0usize..8) {
            let mask = Mask::default();
            mask.hide("hunter22");
            let text = format!("{}hunter22 and more\n", "x".repeat(before));
            let (first, second) = text.as_bytes().split_at(before + cut);
            let (out, _) = logged(&[first, second], &mask);
            prop_assert!(!out.contains("hunter22"));
            prop_assert!(out.ends_with("x*** and more\n") || before == 0);
        }
    }

    /// Whatever is cut off, it is cut off what was masked.
    #[test]
    fn no_part_of_a_secret_is_in_the_log_or_the_tail() {
        for (length, times) in [(1_200, 40), (12_000, 1), (40_000, 2)] {
            let secret: String = (0..length).map(|n| char::from(b'a' + (n * n % 26) as u8)).collect();
            let mask = Mask::default();
            mask.hide(&secret);
            for between in ["", " ", "\n"] {
                let text = format!("{secret}{between}").repeat(times);
                let chunks: Vec<&[u8]> = text.as_bytes().chunks(7_000).collect();
                let (log, stream) = logged(&chunks, &mask);
                for text in [log, stream.tail()] {
                    let plain: String = text.split("***").collect();
                    assert_eq!(plain.trim(), "", "{length} {times} {between:?}");
                }
            }
        }
    }

    #[test]
    fn invalid_utf8_is_shown_as_such() {
        assert_eq!(logged(&[b"a\xff", b"b\n\xc3"], &Mask::default()).0, "a\u{fffd}b\n\u{fffd}");
    }

    #[test]
    fn the_tail_is_short_and_starts_at_a_line() {
        let text: String = (0..10_000).map(|n| format!("line {n}\n")).collect();
        let chunks: Vec<&[u8]> = text.as_bytes().chunks(1000).collect();
        let tail = logged(&chunks, &Mask::default()).1.tail();
        assert!(tail.len() <= TAIL && tail.len() > TAIL - 20 && tail.starts_with("line "), "{tail}");
        assert!(tail.ends_with("line 9999\n"));
    }

    #[test]
    fn the_whole_is_kept_up_to_its_limit() {
        let mut stream = OutputStream::new(LogStream::Stdout, Mask::default(), Some(4));
        stream.push(b"ab\nc", 0, &mut Vec::new(), &mut |_| ());
        assert_eq!(stream.whole().as_deref(), Some("ab\nc"));
        stream.push(b"d", 0, &mut Vec::new(), &mut |_| ());
        assert_eq!(stream.whole(), None);
    }
}
