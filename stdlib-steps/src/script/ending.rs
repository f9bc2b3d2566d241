//! How a program ended, as an outcome.

use runbook_step::{
    Call, Cancelled, Context, Failure, FailureKind, LogStream, Map, Outcome, ProcessError, ProcessExit,
    Success, Type, TypeError, Value,
};

use super::wants_json;

/// So many outputs that nobody declared are named.
const MOST_NOTES: usize = 10;

/// What became of it.
pub(super) fn outcome(call: &Call, ended: Result<ProcessExit, ProcessError>, ctx: &dyn Context) -> Outcome {
    let exit = match ended {
        Ok(exit) => exit,
        Err(ProcessError { message, hint, started, cancelled }) => {
            let kind = match cancelled {
                None => FailureKind::Error,
                Some(Cancelled::Timeout) => FailureKind::Timeout,
                Some(Cancelled::Run) => FailureKind::Cancelled,
            };
            let failure = Failure { hint, ..Failure::new(kind, message) };
            return if started { Outcome::Unknown(failure) } else { Outcome::NotDone(failure) };
        }
    };
    if let Some(why) = exit.cancelled {
        let (kind, why) = match why {
            Cancelled::Timeout => (FailureKind::Timeout, "its time was over"),
            Cancelled::Run => (FailureKind::Cancelled, "the run asked it to stop"),
        };
        return Outcome::Unknown(Failure::new(kind, with_last_words(&format!("stopped: {why}"), &exit)));
    }
    match (exit.code, exit.signal) {
        (Some(0), _) => succeeded(call, &exit, ctx),
        (Some(code), _) => {
            let mut outputs = declared_outputs(call, &exit, ctx).0;
            outputs.insert("exit_code".into(), code.into());
            let message = with_last_words(&format!("exit code {code}"), &exit);
            Outcome::Failed(Failure::new(FailureKind::Exit(code), message).outputs(outputs))
        }
        // Whoever sent the signal, nobody knows how far it had come.
        (None, Some(signal)) => {
            let message = with_last_words(&format!("ended by signal {signal}{}", signal_name(signal)), &exit);
            Outcome::Unknown(Failure::new(FailureKind::Signal(signal), message))
        }
        (None, None) => Outcome::unknown(FailureKind::Error, "ended, and the system does not say how"),
    }
}

fn succeeded(call: &Call, exit: &ProcessExit, ctx: &dyn Context) -> Outcome {
    let (mut outputs, faults) = declared_outputs(call, exit, ctx);
    note_undeclared(call, exit, ctx);
    outputs.insert("exit_code".into(), 0.into());
    if faults.is_empty() {
        return Outcome::Done(Success { outputs, ..Success::default() });
    }
    let failure = Failure::new(FailureKind::Error, format!("it ended well, but {}", faults.join("; ")));
    Outcome::Failed(failure.outputs(outputs))
}

/// The outputs that the step in the file declares, and what is wrong with them.
fn declared_outputs(call: &Call, exit: &ProcessExit, ctx: &dyn Context) -> (Map, Vec<String>) {
    let mut outputs = Map::new();
    if call.declared.is_empty() && !wants_json(call) {
        return (outputs, Vec::new());
    }
    let returned = match returned(call, exit) {
        Ok(returned) => returned,
        Err(fault) => return (outputs, vec![fault]),
    };
    let mut faults = Vec::new();
    for (name, ty) in &call.declared {
        // The message quotes the beginning of what is wrong, so secrets in that are hidden first.
        let typed = match returned.get(name) {
            Some(Returned::Text(text)) => {
                ty.parse(text).map_err(|_| ty.parse(&ctx.hide(text)).err().unwrap_or_else(|| wanted(ty)))
            }
            Some(Returned::Data(value)) => ty
                .coerce(value.clone())
                .map_err(|_| ty.coerce(hidden(value, ctx)).err().unwrap_or_else(|| wanted(ty))),
            None => {
                faults.push(format!("did not return the output `{name}`"));
                continue;
            }
        };
        match typed {
            Ok(value) => drop(outputs.insert(name.clone(), value)),
            Err(error) => {
                let error = error.inside(name);
                faults.push(format!("its output `{}` is wrong: {}", error.path, error.message));
            }
        }
    }
    (outputs, faults)
}

/// What it returned and the step does not declare is dropped, which the log says. JSON on standard output is often
/// somebody else's, and not all of it is meant.
fn note_undeclared(call: &Call, exit: &ProcessExit, ctx: &dyn Context) {
    let Some(returned) = exit.outputs.as_ref().ok().filter(|_| !wants_json(call)) else { return };
    for name in returned.keys().filter(|name| !call.declared.contains_key(*name)).take(MOST_NOTES) {
        let note =
            format!("the output `{name}` is not declared under `outputs` of the step, so it is dropped");
        ctx.log(LogStream::Note, &note);
    }
}

/// A value as the program gave it.
enum Returned {
    Text(String),
    Data(Value),
}

fn returned(call: &Call, exit: &ProcessExit) -> Result<std::collections::BTreeMap<String, Returned>, String> {
    if !wants_json(call) {
        let texts = exit.outputs.clone().map_err(|error| format!("its outputs cannot be read: {error}"))?;
        return Ok(texts.into_iter().map(|(name, text)| (name, Returned::Text(text))).collect());
    }
    match Value::parse_json(exit.stdout.as_bytes()) {
        Ok(Value::Map(fields)) => {
            Ok(fields.into_iter().map(|(name, value)| (name, Returned::Data(value))).collect())
        }
        Ok(other) => Err(format!("its standard output is {}, not a JSON object", other.kind())),
        Err(_) if exit.stdout_cut => Err("its standard output is too long to be taken as JSON".into()),
        Err(error) => Err(format!("its standard output is not JSON: {error}")),
    }
}

/// What to say where only the secret in a value is wrong with it.
fn wanted(ty: &Type) -> TypeError {
    TypeError { path: String::new(), message: format!("wanted {ty}, and it is not") }
}

/// The value with secrets hidden in its texts.
fn hidden(value: &Value, ctx: &dyn Context) -> Value {
    match value {
        Value::Str(text) => ctx.hide(text).into(),
        Value::List(items) => Value::List(items.iter().map(|item| hidden(item, ctx)).collect()),
        Value::Map(fields) => {
            Value::Map(fields.iter().map(|(name, field)| (ctx.hide(name), hidden(field, ctx))).collect())
        }
        plain => plain.clone(),
    }
}

/// The last line that it wrote to standard error says most about why.
fn with_last_words(message: &str, exit: &ProcessExit) -> String {
    match exit.stderr_tail.lines().rev().map(str::trim).find(|line| !line.is_empty()) {
        Some(line) => format!("{message}: {line}"),
        None => message.to_owned(),
    }
}

fn signal_name(signal: i32) -> &'static str {
    match signal {
        1 => " (HUP)",
        2 => " (INT)",
        3 => " (QUIT)",
        6 => " (ABRT)",
        9 => " (KILL)",
        11 => " (SEGV)",
        13 => " (PIPE)",
        15 => " (TERM)",
        _ => "",
    }
}
