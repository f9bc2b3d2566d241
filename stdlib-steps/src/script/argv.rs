//! `argv`.

use runbook_step::{
    BadParam, BoxFuture, Call, Change, ChangeSource, Context, Declaration, Map, Outcome, Param,
    ProcessRequest, Resource, Step, Type, World, step_type,
};

use super::{declare_process, ending, request};

step_type! {
    /// Runs a program with arguments, without a shell.
    ///
    /// In a file this is a kind of step of its own; `env`, `cwd` and `stdout` are keys beside it.
    ///
    /// ```yaml
    /// - id: image
    ///   argv: [docker, image, inspect, "shop:${{ inputs.version }}"]
    ///   effect: read
    /// ```
    ///
    /// Each item is one argument, whatever characters are in it, so expressions are safe here. Secrets are not allowed:
    /// everybody on the machine can read the arguments of a program. Pass them through `env`.
    ///
    /// Outputs and endings are those of [`run`](run.md).
    pub struct Argv = "argv", declare;
}

fn declare(it: Declaration) -> Declaration {
    let argument = Type::either([Type::string(), Type::integer(), Type::Boolean]);
    let argv = Param::required("argv", Type::list(argument))
        .doc("The program, found through PATH, and its arguments.");
    declare_process(it.param(argv))
}

fn process(call: &Call) -> Result<ProcessRequest, BadParam> {
    let argv: Vec<_> = call.list("argv")?.iter().map(ToString::to_string).collect();
    if argv.first().is_none_or(String::is_empty) {
        return Err(BadParam::new("argv", "the program is missing"));
    }
    if argv.iter().any(|argument| argument.contains('\0')) {
        return Err(BadParam::new("argv", "an argument contains a NUL character"));
    }
    request(call, argv)
}

impl Step for Argv {
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
            let Ok(ProcessRequest { argv, .. }) = process(call) else { return Vec::new() };
            vec![Change {
                resource: Resource { kind: "process".into(), id: argv[0].clone() },
                verb: "run",
                detail: Some(argv.join(" ")),
                source: ChangeSource::Unknown,
            }]
        })
    }

    fn simulate(&self, _call: &Call, _world: &mut World) -> Map {
        Map::from([("exit_code".into(), 0.into())])
    }
}
