//! `runbook steps`.

use clap::Args;

use crate::args::{Format, Global};
use crate::error::{CommandError, Exit};
use crate::output;

/// List the step types, or show the page of one.
#[derive(Debug, Args)]
pub(crate) struct Steps {
    /// A step type, such as http.check. Without one: all of them, a line each.
    #[arg(add = crate::complete::steps())]
    name: Option<String>,
}

pub(crate) fn run(steps: &Steps, global: &Global) -> Result<Exit, CommandError> {
    let registry = runbook_stdlib::registry();
    let Some(name) = &steps.name else {
        let width = registry.declarations().map(|d| d.name.len()).max().unwrap_or_default();
        for declaration in registry.declarations() {
            match global.output {
                Format::Text => {
                    output::data_line(&format!("{:width$}  {}", declaration.name, declaration.summary))?
                }
                Format::Json => output::data_line(&json(declaration))?,
            }
        }
        return Ok(Exit::SUCCESS);
    };
    let Some(step) = registry.get(name) else {
        let near = runbook_syntax::nearest(name, registry.declarations().map(|d| d.name));
        let hint = near.map_or("`runbook steps` lists all step types".to_owned(), |near| {
            format!("did you mean `{near}`?")
        });
        return Err(CommandError::usage(format!("there is no step type {name}")).hint(hint));
    };
    match global.output {
        Format::Text => output::data(&runbook_step::reference_page(step.declaration()))?,
        Format::Json => output::data_line(&json(step.declaration()))?,
    }
    Ok(Exit::SUCCESS)
}

fn json(declaration: &runbook_step::Declaration) -> String {
    let mut json = declaration.to_json();
    json["version"] = 1.into();
    json["type"] = "step".into();
    json.to_string()
}
