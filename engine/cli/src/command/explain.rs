//! `runbook explain CODE`.

use std::io::IsTerminal;

use clap::Args;

use crate::args::{Format, Global};
use crate::error::{CommandError, Exit};
use crate::output;

/// The pages of `docs/errors`, by code.
const PAGES: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/error_pages.rs"));

/// Explain an error code: what it means, a wrong example, the right one.
#[derive(Debug, Args)]
pub(crate) struct Explain {
    /// The code, such as E204. Without one: the list of all codes.
    #[arg(add = crate::complete::codes())]
    code: Option<String>,
}

pub(crate) fn run(explain: &Explain, global: &Global) -> Result<Exit, CommandError> {
    let Some(code) = &explain.code else {
        for (code, page) in PAGES {
            match global.output {
                Format::Text => output::data_line(&format!("{code}  {}", title(code, page)))?,
                Format::Json => output::data_line(&json(code, page))?,
            }
        }
        return Ok(Exit::SUCCESS);
    };
    let wanted = code.to_uppercase();
    match PAGES.iter().find(|(code, _)| *code == wanted) {
        Some((code, page)) => match global.output {
            Format::Text if std::io::stdout().is_terminal() => output::data(&flowed(page, output::width()))?,
            Format::Text => output::data(page)?,
            Format::Json => output::data_line(&json(code, page))?,
        },
        None => {
            return Err(CommandError::usage(format!("there is no error code {code}"))
                .hint("`runbook explain` lists all codes"));
        }
    }
    Ok(Exit::SUCCESS)
}

/// A page with its paragraphs as wide as the terminal.
fn flowed(page: &str, width: usize) -> String {
    let (mut out, mut paragraph, mut code) = (String::new(), String::new(), false);
    for line in page.lines().chain([""]) {
        let fence = line.starts_with("```");
        let text = !code && !fence && !line.is_empty() && !line.starts_with(['#', '|', ' ']);
        if !paragraph.is_empty() && (!text || line.starts_with("- ")) {
            let lines = runbook_view::wrap(&std::mem::take(&mut paragraph), width);
            out.extend(lines.into_iter().map(|line| line + "\n"));
        }
        code ^= fence;
        match text {
            true => paragraph.extend([" ", line]),
            false => out.extend([line, "\n"]),
        }
    }
    out.truncate(out.trim_end().len());
    out + "\n"
}

/// All codes, with what each is about.
pub(crate) fn codes() -> impl Iterator<Item = (&'static str, &'static str)> {
    PAGES.iter().map(|(code, page)| (*code, title(code, page)))
}

fn json(code: &str, page: &str) -> String {
    let title = title(code, page);
    serde_json::json!({"version": 1, "type": "error_code", "code": code, "title": title, "page": page})
        .to_string()
}

/// The first heading of a page, without the code.
fn title<'a>(code: &str, page: &'a str) -> &'a str {
    let heading = page.lines().next().unwrap_or_default().trim_start_matches('#').trim();
    heading.strip_prefix(code).unwrap_or(heading).trim_start_matches([':', ' ', '—', '-'])
}
