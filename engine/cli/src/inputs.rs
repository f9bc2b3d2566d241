//! Asking for inputs before a run.

use inquire::{InquireError, Select, Text};
use runbook_plan::{InputSpec, Planned};
use runbook_step::Type;

use crate::error::CommandError;
use crate::output;

/// Required inputs of the runbook that have no value yet.
pub(crate) fn missing(planned: &Planned) -> Vec<&InputSpec> {
    let declared =
        planned.plan.as_ref().and_then(|plan| plan.modules.first()).map(|module| module.inputs.as_slice());
    declared.unwrap_or_default().iter().filter(|input| planned.missing.contains(&input.name)).collect()
}

/// Asks for one input. The plan checks its type afterwards, with the same words as for `-i`.
pub(crate) fn ask(input: &InputSpec) -> Result<String, CommandError> {
    let question = input.prompt.clone().unwrap_or_else(|| format!("{}?", input.name));
    if !output::moves_cursor() {
        return ask_in_lines(input, &question);
    }
    let help = input.summary.as_deref();
    let answer = match &input.ty {
        Type::String { one_of, .. } if !one_of.is_empty() => {
            let select = Select::new(&question, one_of.clone());
            match help {
                Some(help) => select.with_help_message(help).prompt(),
                None => select.prompt(),
            }
        }
        Type::Boolean => Select::new(&question, vec!["true".to_owned(), "false".to_owned()]).prompt(),
        // A slip of the hand is asked about again, on an empty line; the plan says the same of `-i`.
        _ => loop {
            let text = Text::new(&question);
            let typed = match help {
                Some(help) => text.with_help_message(help).prompt(),
                None => text.prompt(),
            };
            match typed.as_deref().map(|text| runbook_plan::may_be_given(&input.ty, text)) {
                Ok(Err(error)) => output::line_to_stderr(&error),
                Ok(Ok(())) | Err(_) => break typed,
            }
        },
    };
    answer.map_err(|error| match error {
        InquireError::OperationCanceled | InquireError::OperationInterrupted => {
            CommandError::usage(format!("no value for {}; nothing was run", input.name))
        }
        other => CommandError::unexpected(other.to_string()),
    })
}

/// The same on a terminal that shows text and no more.
fn ask_in_lines(input: &InputSpec, question: &str) -> Result<String, CommandError> {
    let choices = match &input.ty {
        Type::String { one_of, .. } if !one_of.is_empty() => format!("  [{}]", one_of.join(" | ")),
        Type::Boolean => "  [true | false]".to_owned(),
        _ => String::new(),
    };
    loop {
        output::line_to_stderr(&format!("? {question}{choices}"));
        let mut line = String::new();
        let read = std::io::stdin().read_line(&mut line);
        if read.map_err(|error| CommandError::unexpected(format!("stdin: {error}")))? == 0 {
            return Err(CommandError::usage(format!("no value for {}; nothing was run", input.name)));
        }
        let typed = line.trim_end_matches(['\n', '\r']);
        match runbook_plan::may_be_given(&input.ty, typed) {
            Err(error) => output::line_to_stderr(&error),
            Ok(()) => return Ok(typed.to_owned()),
        }
    }
}
