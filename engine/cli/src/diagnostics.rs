//! Diagnostics as a person reads them: the source, a caret, a hint; or as JSON.

use std::borrow::Cow;

use miette::{
    GraphicalReportHandler, GraphicalTheme, LabeledSpan, MietteError, MietteSpanContents, SourceCode,
    SourceSpan, SpanContents,
};
use runbook_syntax::{Diagnostic, FileId, Label, Severity, Sources, Span};

use crate::args::{Format, Global};
use crate::error::CommandError;
use crate::output;

/// How many there were.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) errors: usize,
    pub(crate) warnings: usize,
}

impl Tally {
    pub(crate) fn of(diagnostics: &[Diagnostic]) -> Tally {
        let errors = diagnostics.iter().filter(|d| d.severity == Severity::Error).count();
        Tally { errors, warnings: diagnostics.len() - errors }
    }

    /// `2 errors, 1 warning`; `None` where there is nothing to count.
    pub(crate) fn words(self) -> Option<String> {
        let count = |n: usize, word: &str| match n {
            0 => None,
            1 => Some(format!("1 {word}")),
            n => Some(format!("{n} {word}s")),
        };
        let words: Vec<String> =
            [count(self.errors, "error"), count(self.warnings, "warning")].into_iter().flatten().collect();
        if words.is_empty() { None } else { Some(words.join(", ")) }
    }
}

/// Diagnostics are shown in full up to this many; a file of nonsense should not scroll the first one away.
const SHOWN: usize = 50;

/// Writes diagnostics to stderr for people, with the source under each; as JSON they are data and go to stdout.
pub(crate) fn show(
    diagnostics: &[Diagnostic],
    sources: &Sources,
    global: &Global,
) -> Result<(), CommandError> {
    if global.output == Format::Json {
        for diagnostic in diagnostics {
            output::data_line(&json(diagnostic, sources).to_string())?;
        }
        return Ok(());
    }
    let theme = if output::coloured_stderr(global) {
        GraphicalTheme::unicode()
    } else {
        GraphicalTheme::unicode_nocolor()
    };
    let handler =
        GraphicalReportHandler::new_themed(theme).with_width(output::width().min(120)).with_context_lines(1);
    // An error is not to be lost among warnings, which only take the place that errors leave.
    let (errors, warnings): (Vec<_>, Vec<_>) =
        diagnostics.iter().partition(|diagnostic| diagnostic.severity == Severity::Error);
    for diagnostic in errors.into_iter().chain(warnings).take(SHOWN) {
        let mut text = String::new();
        // Rendering into a string fails only where the string does.
        let _ = handler.render_report(&mut text, &Report::new(diagnostic, sources));
        output::line_to_stderr(text.trim_end());
        output::line_to_stderr("");
    }
    if diagnostics.len() > SHOWN {
        output::line_to_stderr(&format!("… and {} more; `-o json` prints all", diagnostics.len() - SHOWN));
    }
    Ok(())
}

/// One diagnostic as JSON, with places as lines and columns.
fn json(diagnostic: &Diagnostic, sources: &Sources) -> serde_json::Value {
    let place = |label: &Label| {
        let at = sources.position(label.span);
        serde_json::json!({
            "file": sources.file(label.span.file).name, "line": at.line, "column": at.column, "text": label.text,
        })
    };
    serde_json::json!({
        "version": 1,
        "type": "diagnostic",
        "code": diagnostic.code.0,
        "severity": if diagnostic.severity == Severity::Error { "error" } else { "warning" },
        "message": diagnostic.message,
        "at": place(&diagnostic.primary),
        "related": diagnostic.secondary.iter().map(place).collect::<Vec<_>>(),
        "hint": diagnostic.hint,
    })
}

/// A diagnostic as miette wants it.
#[derive(Debug)]
struct Report<'a> {
    diagnostic: &'a Diagnostic,
    source: Named<'a>,
    labels: Vec<LabeledSpan>,
    /// Labels in other files cannot be drawn under this one's source.
    elsewhere: Vec<String>,
}

/// A source with its name, borrowed: a file of nonsense has many diagnostics. Lines that no screen holds are cut.
#[derive(Debug)]
struct Named<'a> {
    sources: &'a Sources,
    file: FileId,
    text: Cow<'a, str>,
    /// Where each label begins in `text`, and where in the source.
    starts: Vec<(usize, usize)>,
}

impl SourceCode for Named<'_> {
    fn read_span<'a>(
        &'a self,
        span: &SourceSpan,
        before: usize,
        after: usize,
    ) -> Result<Box<dyn SpanContents<'a> + 'a>, MietteError> {
        let source = self.sources.file(self.file);
        let inner = self.text.read_span(span, before, after)?;
        let start = inner.span().offset();
        // It begins where a label does, or where a line does. The library counts bytes, and an editor characters.
        let label = self.starts.iter().find(|(here, _)| *here == start);
        let column =
            label.map_or(1, |(_, there)| self.sources.position(Span::new(self.file, *there..*there)).column);
        Ok(Box::new(MietteSpanContents::new_named(
            source.name.clone(),
            inner.data(),
            *inner.span(),
            inner.line(),
            column.saturating_sub(1) as usize,
            inner.line_count(),
        )))
    }
}

impl<'a> Report<'a> {
    fn new(diagnostic: &'a Diagnostic, sources: &'a Sources) -> Self {
        let file = diagnostic.primary.span.file;
        let source = sources.file(file);
        let mut marks = vec![Mark::of(&diagnostic.primary, true, &source.text)];
        let mut elsewhere = Vec::new();
        for other in &diagnostic.secondary {
            if other.span.file == file {
                marks.push(Mark::of(other, false, &source.text));
            } else {
                let at = sources.position(other.span);
                elsewhere.push(format!(
                    "{}:{}:{}: {}",
                    sources.file(other.span.file).name,
                    at.line,
                    at.column,
                    other.text
                ));
            }
        }
        let there: Vec<usize> = marks.iter().map(|mark| mark.start).collect();
        let text = cut(&source.text, &mut marks);
        let starts = marks.iter().map(|mark| mark.start).zip(there).collect();
        let labels = marks.into_iter().map(Mark::label).collect();
        Report { diagnostic, source: Named { sources, file, text, starts }, labels, elsewhere }
    }
}

/// What a caret points at, in bytes.
#[derive(Debug)]
struct Mark {
    start: usize,
    len: usize,
    words: Option<String>,
    primary: bool,
}

impl Mark {
    /// A label, cut at the end of its first line: a caret under a whole block hides what it points at.
    fn of(label: &Label, primary: bool, text: &str) -> Mark {
        let start = text.floor_char_boundary(label.span.start as usize);
        let end = text.floor_char_boundary((label.span.end as usize).max(start));
        let len = text[start..end].find('\n').unwrap_or(end - start);
        let words = Some(label.text.clone()).filter(|text| !text.is_empty());
        Mark { start, len, words, primary }
    }

    fn label(self) -> LabeledSpan {
        let span = SourceSpan::from(self.start..self.start + self.len);
        match self.primary {
            true => LabeledSpan::new_primary_with_span(self.words, span),
            false => LabeledSpan::new_with_span(self.words, span),
        }
    }
}

/// A line of more bytes than this is shown in part: from so many before what is pointed at.
const LINE: usize = 240;
const BEFORE: usize = 80;

/// The text with its long lines cut to what is around the marks, which move along.
fn cut<'t>(text: &'t str, marks: &mut [Mark]) -> Cow<'t, str> {
    if text.lines().all(|line| line.len() <= LINE) {
        return Cow::Borrowed(text);
    }
    let there: Vec<usize> = marks.iter().map(|mark| mark.start).collect();
    let mut short = String::new();
    let mut begin = 0;
    for whole in text.split_inclusive('\n') {
        let line = whole.trim_end_matches(['\n', '\r']);
        let inside = |start: usize| start >= begin && start < begin + whole.len();
        let first =
            there.iter().filter(|start| inside(**start)).map(|start| start - begin).min().unwrap_or(0);
        let (from, to) = match line.len() {
            0..=LINE => (0, line.len()),
            _ => {
                let from = line.floor_char_boundary(first.saturating_sub(BEFORE));
                (from, line.floor_char_boundary(from + LINE))
            }
        };
        short.push_str(if from > 0 { "…" } else { "" });
        for (mark, start) in marks.iter_mut().zip(&there).filter(|(_, start)| inside(**start)) {
            let at = (start - begin).clamp(from, to);
            mark.len = mark.len.min(to - at);
            mark.start = short.len() + at - from;
        }
        short.push_str(&line[from..to]);
        short.push_str(if to < line.len() { "…" } else { "" });
        short.push_str(&whole[line.len()..]);
        begin += whole.len();
    }
    for (mark, _) in marks.iter_mut().zip(&there).filter(|(_, start)| **start >= begin) {
        mark.start = short.len();
    }
    Cow::Owned(short)
}

impl std::fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.diagnostic.message)
    }
}

impl std::error::Error for Report<'_> {}

impl miette::Diagnostic for Report<'_> {
    fn code<'a>(&'a self) -> Option<Box<dyn std::fmt::Display + 'a>> {
        Some(Box::new(self.diagnostic.code.0))
    }

    fn severity(&self) -> Option<miette::Severity> {
        Some(match self.diagnostic.severity {
            Severity::Error => miette::Severity::Error,
            Severity::Warning => miette::Severity::Warning,
        })
    }

    fn help<'a>(&'a self) -> Option<Box<dyn std::fmt::Display + 'a>> {
        let mut lines: Vec<&str> = self.diagnostic.hint.iter().map(String::as_str).collect();
        lines.extend(self.elsewhere.iter().map(String::as_str));
        if lines.is_empty() { None } else { Some(Box::new(lines.join("\n"))) }
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        Some(&self.source)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        Some(Box::new(self.labels.iter().cloned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(start: usize, len: usize) -> Mark {
        Mark { start, len, words: None, primary: true }
    }

    #[test]
    fn a_long_line_is_cut_to_what_is_around_its_mark() {
        let text = format!("a: 1\n{}ü: x{}\nb: 2\n", "-".repeat(5_000), "+".repeat(9_000));
        let at = text.find('ü').unwrap();
        let last = text.find("b: 2").unwrap();
        let mut marks = [mark(at, 2), mark(last, 1), mark(text.len(), 0), mark(at, 9_000)];
        let short = cut(&text, &mut marks);
        assert!(short.len() < 300, "{short}");
        assert_eq!(short.lines().count(), 3);
        assert!(short[marks[0].start..].starts_with("ü: x+"), "{short}");
        assert!(short[marks[1].start..].starts_with("b: 2"), "{short}");
        assert_eq!(marks[2].start, short.len());
        assert!(short[marks[3].start + marks[3].len..].starts_with('…'), "{short}");
        assert!(matches!(cut("a: 1\n", &mut [mark(0, 1)]), Cow::Borrowed(_)));
    }
}
