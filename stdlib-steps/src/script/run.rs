//! `run`.

use runbook_step::{
    BadParam, BoxFuture, Call, Change, ChangeSource, Context, Declaration, Map, Outcome, Param,
    ProcessRequest, Resource, Step, Type, World, step_type,
};

use super::{declare_process, ending, request};

/// Linux refuses a single argument longer than this (`MAX_ARG_STRLEN`), NUL included.
const LONGEST_SCRIPT: usize = 128 * 1024 - 1;

step_type! {
    /// Runs a script.
    ///
    /// In a file a script is a kind of step of its own; `env`, `cwd`, `stdout` and `shell` are keys beside it.
    ///
    /// ```yaml
    /// - id: migrations
    ///   run: |
    ///     pending=$(./manage migrations --pending --schema "$SCHEMA" | wc -l)
    ///     echo "pending=$pending" >> "$RUNBOOK_OUTPUT"
    ///   env: {SCHEMA: "${{ inputs.schema }}"}
    ///   outputs: {pending: integer}
    ///   effect: read
    /// ```
    ///
    /// The script reaches the shell exactly as it is written: `${{ }}` in it is an error, and values come in through
    /// `env`, so that no value can become code. It runs in the runbook's folder unless `cwd` says otherwise.
    ///
    /// **Outputs** are declared under `outputs:` with their types, and returned by writing `name=value` lines (or
    /// `name<<END` … `END` for several lines) to the file `$RUNBOOK_OUTPUT`; with `stdout: json`, standard output is one
    /// JSON object with a field for each. A declared output that is missing or of another type fails the step; one that is
    /// written to the file and not declared is dropped, and the step's log names it. Of a name that is written twice the
    /// last value counts. A whole number beyond 64 signed bits comes back as text, so that no digit is lost.
    ///
    /// **How it ends.** Exit code 0 is success, any other is a failure whose effect may be partially there
    /// (`exit:N` in `retry.only`). A script that was ended by a signal, by its timeout or by a cancel is in doubt:
    /// nobody knows how far it came. A shell that does not exist means that nothing happened.
    ///
    /// A script counts as a change unless the step says `effect: read`. It has no undo of its own: say `rollback:`.
    pub struct Run = "run", declare;
}

fn declare(it: Declaration) -> Declaration {
    let script = Param::required("script", Type::string()).doc("The script, as it is.").verbatim();
    let shell = Param::optional("shell", Type::string())
        .default("bash -euo pipefail")
        .doc("The shell and its options, separated by spaces; it gets the script after `-c`.")
        .verbatim();
    declare_process(it.param(script).param(shell))
}

fn process(call: &Call) -> Result<ProcessRequest, BadParam> {
    let script = call.str("script")?;
    if script.len() > LONGEST_SCRIPT {
        let message = format!(
            "it is {} bytes long, and the system takes {LONGEST_SCRIPT}; put it into a file",
            script.len()
        );
        return Err(BadParam::new("script", message));
    }
    if script.contains('\0') {
        return Err(BadParam::new("script", "it contains a NUL character"));
    }
    let mut argv: Vec<_> = call.str("shell")?.split_whitespace().map(str::to_owned).collect();
    if argv.is_empty() {
        return Err(BadParam::new("shell", "it is empty"));
    }
    argv.extend(["-c".to_owned(), script.to_owned()]);
    request(call, argv)
}

impl Step for Run {
    fn declaration(&self) -> &Declaration {
        Self::declared()
    }

    fn run<'a>(&'a self, call: &'a Call, ctx: &'a dyn Context) -> BoxFuture<'a, Outcome> {
        Box::pin(async move {
            match process(call) {
                Ok(request) => ending::outcome(call, ctx.processes().run(&request).await, ctx),
                Err(error) => error.into(),
            }
        })
    }

    fn plan<'a>(&'a self, call: &'a Call, _ctx: &'a dyn Context) -> BoxFuture<'a, Vec<Change>> {
        Box::pin(async move {
            let Ok(script) = call.str("script") else { return Vec::new() };
            let lines: Vec<_> = script.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
            let more = if lines.len() > 1 { format!(" … ({} lines)", lines.len()) } else { String::new() };
            vec![Change {
                resource: Resource { kind: "process".into(), id: call.str("shell").unwrap_or("").into() },
                verb: "run",
                detail: Some(format!("{}{more}", lines.first().unwrap_or(&""))),
                source: ChangeSource::Unknown,
            }]
        })
    }

    fn simulate(&self, _call: &Call, _world: &mut World) -> Map {
        Map::from([("exit_code".into(), 0.into())])
    }
}
