//! A project in memory, and step types of every kind.

use std::collections::BTreeMap;
use std::fmt::Write;

use runbook_kernel::{Kind, Undo};
use runbook_plan::{
    Bundle, EnvironmentFile, Given, GivenValue, LoadError, Loader, Plan, Planned, Request, plan,
};
use runbook_step::{
    BoxFuture, Call, Context, Declaration, Field, Idempotence, Outcome, Param, Registry, Step, Type,
};
use runbook_syntax::Severity;

/// Files and a request.
#[derive(Default, Clone)]
pub(crate) struct Project {
    pub(crate) files: BTreeMap<String, Vec<u8>>,
    pub(crate) request: Request,
}

impl Project {
    /// A project with one runbook; `body` goes below its head.
    pub(crate) fn new(body: &str) -> Project {
        let request = Request { file: "main.yaml".into(), ..Request::default() };
        Project { request, ..Project::default() }.runbook("main.yaml", body)
    }

    pub(crate) fn runbook(self, path: &str, body: &str) -> Project {
        let name = path.rsplit('/').next().unwrap_or_default().trim_end_matches(".yaml").to_owned();
        self.file(path, &format!("apiVersion: runbook/v1\nname: {name}\n{body}"))
    }

    pub(crate) fn file(mut self, path: &str, content: &str) -> Project {
        self.files.insert(path.into(), content.into());
        self
    }

    /// The environment of the request.
    pub(crate) fn environment(mut self, body: &str) -> Project {
        let path = "environments/test.yaml";
        self.request.environment = Some(EnvironmentFile { name: "test".into(), path: path.into() });
        self.file(path, &format!("apiVersion: runbook/v1\nkind: Environment\n{body}"))
    }

    pub(crate) fn input(mut self, name: &str, value: &str) -> Project {
        let value = GivenValue::Text(value.into());
        self.request.inputs.push(Given { name: name.into(), value, origin: format!("-i {name}") });
        self
    }

    pub(crate) fn incomplete(mut self) -> Project {
        self.request.incomplete = true;
        self
    }

    pub(crate) fn strict(mut self) -> Project {
        self.request.strict = true;
        self
    }

    pub(crate) fn planned(&self) -> Planned {
        plan(&self.request, self, &registry())
    }

    /// The plan; warnings are fine.
    pub(crate) fn plan(&self) -> Plan {
        let planned = self.planned();
        match planned.plan {
            Some(plan) => plan,
            None => panic!("{}", self.faults()),
        }
    }

    /// Everything that is wrong, one line each: place, code, message, hint.
    pub(crate) fn faults(&self) -> String {
        let planned = self.planned();
        let mut out = String::new();
        for diagnostic in &planned.diagnostics {
            let span = diagnostic.primary.span;
            let position = planned.sources.position(span);
            let file = planned.sources.file(span.file).name.trim_end_matches(".yaml").to_owned();
            let warning = if diagnostic.severity == Severity::Warning { " warning" } else { "" };
            let text = planned.sources.text(span).lines().next().unwrap_or_default();
            let (line, column) = (position.line, position.column);
            let _ = writeln!(
                out,
                "{file}:{line}:{column}{warning} {} {} ⟨{text}⟩",
                diagnostic.code, diagnostic.message
            );
            if let Some(hint) = &diagnostic.hint {
                let _ = writeln!(out, "    {hint}");
            }
        }
        assert_eq!(
            planned.plan.is_none(),
            out.lines().any(is_error),
            "a plan exactly if there is no error:\n{out}"
        );
        out
    }
}

fn is_error(line: &str) -> bool {
    !line.starts_with(' ') && !line.contains(" warning E")
}

/// A plan as text, one line for each node: its path, what it is, and what it waits for.
pub(crate) fn shape(plan: &Plan) -> String {
    let mut out = String::new();
    for (number, (node, entry)) in plan.program.nodes.iter().zip(&plan.outline.entries).enumerate() {
        let needs: Vec<String> = node.needs.iter().map(|node| path(plan, node.0)).collect();
        let _ = write!(out, "{} {} {}", path(plan, number as u32), name(&node.kind), entry.effect);
        if !needs.is_empty() {
            let _ = write!(out, " after {}", needs.join(", "));
        }
        if !node.gates.is_empty() {
            let gates: Vec<String> = node.gates.iter().map(|node| path(plan, node.0)).collect();
            let _ = write!(out, " gated by {}", gates.join(", "));
        }
        let asserts: Vec<&str> = plan.nodes[number].asserts.iter().map(|check| check.step.as_str()).collect();
        if !asserts.is_empty() {
            let _ = write!(out, " asserts {}", asserts.join(", "));
        }
        match node.undo {
            Undo::Left => out.push_str(" left"),
            Undo::Missing => out.push_str(" for good"),
            Undo::Scope(_) => out.push_str(" undoable"),
            Undo::Nothing => {}
        }
        if node.pivot {
            out.push_str(" PIVOT");
        }
        out.push('\n');
    }
    out
}

/// As the engine calls it: `broker.joined`, `finally[0]`.
pub(crate) fn path(plan: &Plan, node: u32) -> String {
    let entry = &plan.outline.entries[node as usize];
    match entry.parent {
        Some(parent) if entry.segment.is_empty() => format!("{}[]", path(plan, parent)),
        Some(parent) => format!("{}.{}", path(plan, parent), entry.segment),
        None => entry.segment.clone(),
    }
}

fn name(kind: &Kind) -> &'static str {
    match kind {
        Kind::Action => "action",
        Kind::WaitFor(_) | Kind::WaitUntil(_) => "wait",
        Kind::Human(_) => "human",
        Kind::Group { .. } => "group",
        Kind::Switch { .. } => "switch",
        Kind::Each(_) => "each",
    }
}

impl Loader for Project {
    fn load(&self, path: &str) -> Result<Vec<u8>, LoadError> {
        Bundle { files: self.files.clone(), ..Bundle::default() }.load(path)
    }

    fn list(&self, folder: &str) -> Result<Vec<String>, LoadError> {
        Bundle { files: self.files.clone(), ..Bundle::default() }.list(folder)
    }
}

/// A step type that is only ever planned.
struct Planned1(Declaration);

impl Step for Planned1 {
    fn declaration(&self) -> &Declaration {
        &self.0
    }

    fn run<'a>(&'a self, _call: &'a Call, _ctx: &'a dyn Context) -> BoxFuture<'a, Outcome> {
        unreachable!("nothing runs here")
    }
}

/// A step type of each kind.
pub(crate) fn registry() -> Registry {
    let script = |it: Declaration| {
        it.effect_declared(Idempotence::No)
            .param(Param::optional("env", Type::map_of(Type::printable())))
            .param(Param::optional("cwd", Type::string()))
            .param(Param::optional("stdout", Type::one_of(["json"])))
            .output("exit_code", Type::integer(), "")
            .outputs_declared()
    };
    let declarations = [
        script(
            Declaration::new("run")
                .param(Param::required("script", Type::string()).verbatim())
                .param(Param::optional("shell", Type::string())),
        ),
        script(Declaration::new("argv").param(Param::required(
            "argv",
            Type::list(Type::either([Type::string(), Type::integer(), Type::Boolean])),
        ))),
        Declaration::new("set").pure().outputs_from_all(),
        Declaration::new("assert").pure().checks().param(Param::required(
            "that",
            Type::either([
                Type::Boolean,
                Type::list(Type::record([
                    Field::required("that", Type::Boolean),
                    Field::optional("message", Type::string()),
                ])),
            ]),
        )),
        Declaration::new("look")
            .param(Param::optional("at", Type::string()))
            .param(Param::optional("within", Type::duration()).default("10s"))
            .output("colour", Type::one_of(["blue", "green"]), "")
            .output("count", Type::integer(), "")
            .output("any", Type::Any, ""),
        Declaration::new("get")
            .param(Param::required("select", Type::map_of(Type::string())))
            .outputs_from("select"),
        Declaration::new("check").checks().param(Param::optional("url", Type::url())).param(Param::optional(
            "expect",
            Type::record([
                Field::optional("status", Type::integer_in(100, 599)),
                Field::optional("body", Type::string()),
            ]),
        )),
        Declaration::new("put")
            .writes(Idempotence::Idempotent)
            .param(Param::required("to", Type::string()))
            .param(Param::optional("content", Type::string()))
            .param(Param::optional("file", Type::File))
            .param(Param::optional("token", Type::Secret { plain: false }))
            .choice(runbook_step::Choice::AtMostOne, &["content", "file"])
            .output("path", Type::string(), "")
            .undo("puts the old content back")
            .verify(true),
        Declaration::new("drop").writes(Idempotence::No).param(Param::optional("what", Type::string())),
        Declaration::new("query")
            .effect_declared(Idempotence::WithKey)
            .param(Param::required("sql", Type::string()).verbatim()),
        Declaration::new("tell")
            .notifies(Idempotence::No)
            .param(Param::required("text", Type::string()))
            .output("id", Type::string(), ""),
    ];
    let mut registry = Registry::default();
    declarations.into_iter().for_each(|declaration| registry.add(Planned1(declaration)));
    registry
}
