//! Why a text is no YAML, in our words. A YAML fault ends the parse, so there is only ever one.

use serde_saphyr::Error;
use serde_saphyr::budget::BudgetBreach;

use crate::{Code, Diagnostic, FileId, Sources, Span, codes, scalar, tree};

/// Puts the reader's error into our words, at the place that the person has to change.
pub(crate) fn diagnose(sources: &Sources, file: FileId, error: &Error) -> Diagnostic {
    let text = &sources.file(file).text;
    // Where an alias is used, rather than where what it stands for was defined.
    let at = offset(text, error);
    let error = innermost(error);
    let here = Span::new(file, at..end_of_token(text, at));
    match error {
        Error::Budget { breach: BudgetBreach::Depth { .. }, .. } => too_deep(here),
        Error::Budget { breach: BudgetBreach::Nodes { .. } | BudgetBreach::Events { .. }, .. } => {
            Diagnostic::error(codes::TOO_LARGE, here, "the file holds more than a million values")
                .hint("Split it into runbooks that `call` each other.")
        }
        Error::Budget { .. }
        | Error::AliasReplayLimitExceeded { .. }
        | Error::AliasReplayCounterOverflow { .. }
        | Error::AliasReplayStackDepthExceeded { .. }
        | Error::AliasExpansionLimitExceeded { .. } => {
            Diagnostic::error(codes::ALIAS, here, "aliases repeat more than a file may hold")
                .hint("Anchors that contain aliases of anchors multiply. Write the values out.")
        }
        Error::RecursiveReferencesRequireWeakTypes { .. } => {
            Diagnostic::error(codes::ALIAS, here, "this alias stands inside what it repeats")
                .hint("Write the value out in place of the alias.")
        }
        Error::UnknownAnchor { .. } => unknown_anchor(text, here),
        Error::MergeValueNotMapOrSeqOfMaps { .. } => {
            Diagnostic::error(codes::ALIAS, here, "`<<` merges maps, and this is none")
                .hint("Write `<<: *name`, where `&name` stands before a map.")
        }
        Error::MultipleDocuments { .. } => {
            let line =
                text[..at].rfind("\n---").map_or(here, |newline| Span::new(file, newline + 1..newline + 4));
            Diagnostic::error(codes::SEVERAL_DOCUMENTS, line, "a second YAML document begins here")
                .hint("A file holds one document. Put the other one into a file of its own.")
        }
        Error::UnsupportedTag { tag, .. } => {
            let line = line_of(text, at).start;
            let place = text[line..at]
                .rfind(tag.as_str())
                .map_or(here, |found| Span::new(file, line + found..line + found + tag.len()));
            Diagnostic::error(codes::TAG, place, format!("the tag `{tag}` means nothing here"))
                .hint("Remove it, or quote the text if the `!` belongs to it.")
        }
        Error::NonFiniteFloat { value, .. } => {
            Diagnostic::error(codes::NUMBER, here, format!("`{value}` is not a number that can be kept"))
                .hint("Put it in quotes if it is text.")
        }
        Error::ExternalMessage { msg, .. } => scanner(text, file, at, here, msg),
        other => not_yaml(here, &first_line(&other.render())),
    }
}

/// A file that is longer than is read.
pub(crate) fn too_long(file: FileId, bytes: usize) -> Diagnostic {
    let megabytes = tree::MAX_BYTES >> 20;
    let message = format!("the file has {bytes} bytes, and at most {megabytes} MiB are read");
    Diagnostic::error(codes::TOO_LARGE, Span::new(file, 0..0), message)
        .hint("Split it into runbooks that `call` each other.")
}

/// What the reader says, where we know nothing better.
fn not_yaml(here: Span, message: &str) -> Diagnostic {
    Diagnostic::error(codes::YAML_SYNTAX, here, message)
        .hint("Look at this line and the one above it; text with signs of its own goes into quotes.")
}

fn too_deep(here: Span) -> Diagnostic {
    let message = format!("maps and lists are nested more than {} deep", tree::MAX_DEPTH);
    Diagnostic::error(codes::TOO_DEEP, here, message)
        .hint("Move the inner steps into a runbook of their own and `call` it.")
}

fn unknown_anchor(text: &str, here: Span) -> Diagnostic {
    let name = text.get(here.range()).unwrap_or_default();
    Diagnostic::error(
        codes::ALIAS,
        here,
        format!("`{name}` is an alias, and no anchor of this name stands above it"),
    )
    .hint("A text that begins with `*` needs quotes.")
}

/// What the YAML scanner says, which is known only as text.
fn scanner(text: &str, file: FileId, at: usize, here: Span, message: &str) -> Diagnostic {
    if let Some(range) = unquoted_expression(text, at) {
        return quote_it(text, file, range);
    }
    let has = |part: &str| message.contains(part);
    let fault = |code: Code, said: &str| Diagnostic::error(code, here, said);
    if let Some(tab) = indenting_tab(text, at, has("tab")) {
        return Diagnostic::error(
            codes::TAB_INDENTATION,
            Span::new(file, tab..tab + 1),
            "YAML is indented with spaces, and this is a tab",
        )
        .hint("Replace it with two spaces, in an editor that shows tabs.");
    }
    if has("recursion limit") {
        return too_deep(here);
    }
    if has("unknown anchor") {
        return unknown_anchor(text, here);
    }
    if has("anchor or alias") {
        return fault(
            codes::ALIAS,
            "a text that begins with `*` is an alias, with `&` an anchor, and neither has a name here",
        )
        .hint("Put the text in quotes.");
    }
    if has("unclosed quote") {
        return fault(codes::UNCLOSED, "this quote is not closed")
            .hint("Put the same quote at the end of the text. Inside '…' a quote is written twice.");
    }
    if has("trailing content after") {
        return fault(codes::UNCLOSED, "the quoted text ends before this")
            .hint("Inside '…' a quote is written twice, inside \"…\" it is written \\\".");
    }
    if has("unexpected character") || has("unexpected end of plain scalar") {
        return character(text, at, here);
    }
    if has("escape") {
        let place = bad_escape(&text[at..]).map_or(here, |found| Span::new(file, at + found..at + found + 2));
        return Diagnostic::error(
            codes::CHARACTER,
            place,
            "this `\\` is followed by what YAML does not know",
        )
        .hint("Between \"…\" a backslash is written twice. Between '…' it stands for itself.");
    }
    if has("expected ',' or") || has("unclosed bracket") || has("illegal placement of ':'") || has("flow") {
        return fault(codes::UNCLOSED, "a `,` or a closing bracket is missing before this").hint(
            "A `{` or `[` above is not closed, or a text with `{`, `}`, `[`, `]` or `,` in it needs quotes.",
        );
    }
    if has("mapping values are not allowed") {
        return fault(codes::COLON_IN_TEXT, "this colon makes the text before it a key")
            .hint("Put a text that contains `: ` in quotes.");
    }
    if has("expected ':'") {
        return fault(codes::YAML_SYNTAX, "this line is neither `key: value` nor `- item`").hint(
            "A `: ` is missing, or the line belongs to the text above it: indent it further, below `key: |`.",
        );
    }
    if has("did not find expected key") || has("did not find expected '-'") || has("indent") || has("block") {
        return fault(codes::INDENTATION, "this line does not line up with those above it")
            .hint("The keys of one map, and the dashes of one list, stand in one column.");
    }
    not_yaml(here, &first_line(message))
}

fn character(text: &str, at: usize, here: Span) -> Diagnostic {
    let Some(found) = text[at..].chars().next() else {
        return Diagnostic::error(codes::UNCLOSED, here, "the file ends in the middle of a value")
            .hint("Close its quote or bracket.");
    };
    if found.is_control() {
        let message = format!("the file contains the control character U+{:04X}", u32::from(found));
        return Diagnostic::error(codes::CHARACTER, here, message).hint("Is this a text file?");
    }
    Diagnostic::error(codes::CHARACTER, here, format!("a text cannot begin with `{found}` here"))
        .hint("Put the text in quotes.")
}

/// The expression that the fault is about, if it is one: where `${{` stands and what follows broke on it.
fn unquoted_expression(text: &str, at: usize) -> Option<std::ops::Range<usize>> {
    let line = line_of(text, at);
    let mut from = line.start;
    // In flow style the scanner stops at the first brace; in block style at a colon inside the expression. So only what
    // begins before that place counts, and each character of the line is looked at once.
    while let Some(start) = text[from..line.end.max(from)].find("${{").map(|found| from + found) {
        if start >= at {
            break;
        }
        let end = scalar::close(text, start + 3).map_or(line.end, |close| close + 2);
        if at <= end {
            return Some(start..end);
        }
        from = end;
    }
    None
}

/// `{url: ${{ x }}}`: shows the value in quotes.
fn quote_it(text: &str, file: FileId, expression: std::ops::Range<usize>) -> Diagnostic {
    let line = line_of(text, expression.start);
    let before = &text[line.start..expression.start];
    let start = before.rfind([' ', ',', '[', '{']).map_or(0, |at| at + 1) + line.start;
    let after = &text[expression.end..line.end.max(expression.end)];
    let end = expression.end + after.find([',', ']', '}', ' ', '\r', '\n']).unwrap_or(after.len());
    let value = &text[start..end];
    let quote = if value.contains('"') { '\'' } else { '"' };
    Diagnostic::error(
        codes::UNQUOTED_EXPRESSION,
        Span::new(file, start..end),
        "the braces of this expression are YAML's own here",
    )
    .hint(format!("Put the value in quotes: {quote}{value}{quote}"))
}

/// A tab in the indentation of the line of the fault, or of the next one, which the scanner may have begun to read.
fn indenting_tab(text: &str, at: usize, certain: bool) -> Option<usize> {
    let line = line_of(text, at);
    let next = line_of(text, (line.end + 1).min(text.len()));
    let tab = |line: std::ops::Range<usize>| {
        let line_text = &text[line.clone()];
        let indentation = &line_text[..line_text.len() - line_text.trim_start().len()];
        indentation.find('\t').map(|tab| line.start + tab)
    };
    let anywhere = || text[line.clone()].find('\t').filter(|_| certain).map(|tab| line.start + tab);
    tab(line.clone()).or_else(|| tab(next)).or_else(anywhere)
}

/// The first escape of a double-quoted scalar that YAML does not have.
fn bad_escape(scalar: &str) -> Option<usize> {
    let mut escapes = scalar.match_indices('\\').map(|(at, _)| at);
    let mut done = 0;
    escapes.find(|at| {
        let fresh = *at >= done;
        done = if fresh { at + 2 } else { done };
        fresh && !scalar[at + 1..].starts_with(|c: char| "0abt\tnvfre \"/\\N_LPxuU\n\r".contains(c))
    })
}

fn innermost(error: &Error) -> &Error {
    match error {
        Error::AliasError { error, .. } | Error::WithSnippet { error, .. } => innermost(error),
        other => other,
    }
}

/// The byte at which the error stands. The scanner counts lines and characters.
fn offset(text: &str, error: &Error) -> usize {
    let Some(location) = error.location() else { return 0 };
    if let Some(byte) = location.span().byte_offset() {
        return text.floor_char_boundary(usize::try_from(byte).unwrap_or(text.len()));
    }
    let line = usize::try_from(location.line()).unwrap_or(1).max(1) - 1;
    let column = usize::try_from(location.column()).unwrap_or(1).max(1) - 1;
    let start: usize = text.split_inclusive('\n').take(line).map(str::len).sum();
    let rest = &text[start..];
    start + rest.char_indices().nth(column).map_or(rest.len(), |(at, _)| at)
}

/// The line that a byte stands on, without its newline.
fn line_of(text: &str, at: usize) -> std::ops::Range<usize> {
    let start = text[..at].rfind('\n').map_or(0, |newline| newline + 1);
    let end = text[at..].find('\n').map_or(text.len(), |newline| at + newline);
    start..end
}

/// Up to the next space: something for the caret to underline.
fn end_of_token(text: &str, at: usize) -> usize {
    let rest = &text[at..];
    let token = rest.find(char::is_whitespace).unwrap_or(rest.len());
    text.floor_char_boundary(at + token.clamp(rest.chars().next().map_or(0, char::len_utf8), 40))
}

fn first_line(message: &str) -> String {
    message.lines().next().unwrap_or("not YAML").trim_end_matches('.').to_owned()
}
