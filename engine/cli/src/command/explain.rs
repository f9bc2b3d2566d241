//! `runbook explain CODE`.

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
