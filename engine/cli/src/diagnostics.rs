//! Diagnostics as a person reads them: the source, a caret, a hint; or as JSON.

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

/// A source with its name, borrowed: a file of nonsense has many diagnostics.
#[derive(Debug)]
struct Named<'a> {
    sources: &'a Sources,
    file: FileId,
}

impl SourceCode for Named<'_> {
    fn read_span<'a>(
        &'a self,
        span: &SourceSpan,
        before: usize,
        after: usize,
    ) -> Result<Box<dyn SpanContents<'a> + 'a>, MietteError> {
        let source = self.sources.file(self.file);
        let inner = source.text.read_span(span, before, after)?;
        let start = inner.span().offset();
        // The library counts bytes, and an editor characters.
        let column = self.sources.position(Span::new(self.file, start..start)).column;
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
        let mut labels = vec![label(&diagnostic.primary, true, &source.text)];
        let mut elsewhere = Vec::new();
        for other in &diagnostic.secondary {
            if other.span.file == file {
                labels.push(label(other, false, &source.text));
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
        Report { diagnostic, source: Named { sources, file }, labels, elsewhere }
    }
}

/// A label, cut at the end of its first line: a caret under a whole block hides what it points at.
fn label(label: &Label, primary: bool, text: &str) -> LabeledSpan {
    let start = text.floor_char_boundary(label.span.start as usize);
    let end = text.floor_char_boundary((label.span.end as usize).max(start));
    let line_end = text[start..end].find('\n').map_or(end, |at| start + at);
    let span = SourceSpan::from(start..line_end);
    let words = Some(label.text.clone()).filter(|text| !text.is_empty());
    if primary {
        LabeledSpan::new_primary_with_span(words, span)
    } else {
        LabeledSpan::new_with_span(words, span)
    }
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
