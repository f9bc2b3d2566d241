//! Step types that run a program.

mod argv;
mod ending;
mod run;

use std::collections::BTreeMap;
use std::path::PathBuf;

use runbook_step::{BadParam, Call, Declaration, Idempotence, Param, ProcessRequest, Type, Value};

pub use argv::Argv;
pub use run::Run;

/// What all of them have besides the program itself.
fn declare_process(it: Declaration) -> Declaration {
    it.effect_declared(Idempotence::No)
        .param(
            Param::optional("env", Type::map_of(Type::printable()))
                .doc("Environment variables besides the allowlisted ones. Values may be secrets.")
                .told(),
        )
        .param(Param::optional("cwd", Type::string()).doc("Working folder, relative to the runbook's."))
        .param(
            Param::optional("stdout", Type::one_of(["json"]))
                .doc("`json`: standard output is one JSON object, and the declared outputs are its fields."),
        )
        .output("exit_code", Type::integer(), "The exit code; absent if the program was ended by a signal.")
        .outputs_declared()
}

/// The request for a program with its arguments, with what the parameters of [`declare_process`] say.
fn request(call: &Call, argv: Vec<String>) -> Result<ProcessRequest, BadParam> {
    if call.declared.contains_key("exit_code") {
        return Err(BadParam::new("outputs", "`exit_code` is the program's exit code; choose another name"));
    }
    let env = match call.get("env") {
        Some(_) => {
            call.map("env")?.iter().map(|(name, value)| variable(name, value)).collect::<Result<_, _>>()?
        }
        None => BTreeMap::new(),
    };
    let cwd = call.get("cwd").and_then(Value::as_str).map(PathBuf::from);
    Ok(ProcessRequest { argv, env, cwd, stdin: None, capture_stdout: wants_json(call) })
}

fn wants_json(call: &Call) -> bool {
    call.get("stdout").and_then(Value::as_str) == Some("json")
}

/// A variable as the system takes it: a name without `=`, and text without NUL.
fn variable(name: &str, value: &Value) -> Result<(String, Value), BadParam> {
    if name.is_empty() || name.contains(['=', '\0']) {
        return Err(BadParam::new(
            "env",
            format!("`{}` cannot be the name of a variable", name.escape_debug()),
        ));
    }
    let value = match value {
        Value::Secret(_) => value.clone(),
        plain => Value::Str(plain.to_string()),
    };
    if value.as_str().is_some_and(|text| text.contains('\0')) {
        return Err(BadParam::new("env", format!("the value of `{name}` contains a NUL character")));
    }
    Ok((name.to_owned(), value))
}

#[cfg(test)]
mod tests;
