//! The plan: what the runtime executes beside the kernel's program.

use std::collections::BTreeMap;
use std::sync::Arc;

use runbook_kernel::{Ms, NodeId, Program};
use runbook_step::{Map, Path, Type, Value};
use runbook_syntax::{Sources, Span};
use runbook_wire::Outline;

use crate::load::Bundle;

/// Hex of BLAKE3 over the plan's content: sources, environment, inputs' declarations, pinned files and programs,
/// kernel semantics. What people approve.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest(pub String);

/// An instance of a runbook in the plan: the called one, each call of another, the environment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ModuleId(pub u32);

impl ModuleId {
    /// The runbook that was asked for.
    pub const ROOT: ModuleId = ModuleId(0);
    /// The environment, where there is one.
    pub const ENVIRONMENT: ModuleId = ModuleId(1);
}

/// A whole plan.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    pub name: String,
    pub program: Program,
    /// By the program's node number.
    pub nodes: Vec<PlanNode>,
    pub outline: Outline,
    /// [`ModuleId::ROOT`] is the runbook that was asked for, [`ModuleId::ENVIRONMENT`] the environment if there is one.
    pub modules: Vec<Module>,
    /// `environment` in expressions: `{name, vars, protected}`.
    pub environment: Value,
    pub protected: bool,
    /// Path of the environment's answers file, if it names one.
    pub answers: Option<String>,
    /// In sorted order, those of called runbooks included; names are already rendered.
    pub locks: Vec<LockSpec>,
    /// Patterns of environment variables that scripts may see besides the allowlist.
    pub env_pass: Vec<String>,
    /// The inputs of module 0, typed and defaulted.
    pub inputs: Map,
    /// The runbook's `outputs`.
    pub outputs: Vec<(String, Template)>,
    /// Source text, for places in messages: by [`runbook_syntax::FileId`].
    pub sources: Sources,
    /// What was asked and everything that was read for it: what is stored with a run.
    pub bundle: Bundle,
    /// Files that steps read or run, pinned by content; paths relative to the root. They may be large, and are shared.
    pub pinned: Arc<BTreeMap<String, Vec<u8>>>,
    /// Required inputs that have no value. The plan of an incomplete request (`bundle.request.incomplete`) is for
    /// looking at: it must not be run.
    pub missing: Vec<String>,
    pub digest: Digest,
}

impl Plan {
    /// The name under which a secret of a module is known in the whole plan: [`runbook_step::SecretPart::Name`] holds
    /// it. Those of the runbook that was asked for keep their names.
    pub fn secret_name(module: ModuleId, name: &str) -> String {
        match module {
            ModuleId(0) => name.to_owned(),
            ModuleId(number) => format!("{name}@{number}"),
        }
    }

    /// The secret behind such a name, and the module whose folder a file or command of it is relative to.
    pub fn secret(&self, name: &str) -> Option<(&Module, &SecretSpec)> {
        let (name, number) = match name.rsplit_once('@') {
            Some((name, number)) => (name, number.parse().ok()?),
            None => (name, 0usize),
        };
        let module = self.modules.get(number)?;
        Some((module, module.secrets.get(name)?))
    }
}

/// A runbook in the plan.
#[derive(Debug, Clone, PartialEq)]
pub struct Module {
    pub name: String,
    /// As shown.
    pub file: String,
    /// The folder that relative paths of this module start from (scripts run there), relative to the root; `""` is the
    /// root itself.
    pub folder: String,
    /// The `call` that brought it in.
    pub caller: Option<NodeId>,
    /// Ids of the file.
    pub ids: BTreeMap<String, NodeId>,
    pub inputs: Vec<InputSpec>,
    /// Its own. Those of the environment belong to the environment's module; a secret input of the runbook that was
    /// asked for is here as `inputs.NAME`.
    pub secrets: BTreeMap<String, SecretSpec>,
}

/// An input.
#[derive(Debug, Clone, PartialEq)]
pub struct InputSpec {
    pub name: String,
    pub ty: Type,
    pub default: Option<Value>,
    pub required: bool,
    pub prompt: Option<String>,
    pub summary: Option<String>,
}

/// Where a secret comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretSpec {
    Env(String),
    /// Relative to the module's folder.
    File(String),
    Command(Vec<String>),
}

/// A lock to take at the start.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct LockSpec {
    pub name: String,
    /// `wait`, `fail`, `skip`.
    pub if_held: String,
    pub timeout: Ms,
}

/// What the runtime needs of a node, beside the kernel's [`runbook_kernel::Node`].
#[derive(Debug, Clone, PartialEq)]
pub struct PlanNode {
    pub module: ModuleId,
    pub id: Option<String>,
    /// Where it stands, for messages.
    pub span: Span,
    pub name: Option<Template>,
    pub when: Option<Expression>,
    pub work: Work,
    /// One attempt's time.
    pub timeout: Option<Ms>,
    /// `assert_target` that bind this write (its own and its scopes'): must hold before `Started`, again before the
    /// effect, and before an undo.
    pub asserts: Vec<Invocation>,
    /// The file's `verify`; without one, the step type's own.
    pub verify: Option<Invocation>,
    pub verify_not_done: Option<Invocation>,
    pub guards: Vec<Invocation>,
    /// Declared outputs of a group or a case, computed when it ends.
    pub outputs: Vec<(String, Template)>,
}

/// What a node does.
#[derive(Debug, Clone, PartialEq)]
pub enum Work {
    Step(Invocation),
    /// [`runbook_step::Step::undo`] of this node's step, with what its `Started` stored.
    OwnUndo {
        of: NodeId,
    },
    WaitFor,
    WaitUntil(Invocation),
    Approval(ApprovalSpec),
    Checklist(Vec<ChecklistItemSpec>),
    Prompt(PromptSpec),
    Group,
    Call {
        inputs: Vec<(String, Template)>,
    },
    Switch {
        on: Template,
        labels: Vec<String>,
        default: Option<u32>,
        outputs: Vec<Vec<(String, Template)>>,
    },
    Each {
        items: Template,
        name: String,
        key: Option<Template>,
        allow_empty: bool,
        expect_count: Option<u64>,
        max_targets: Option<u64>,
    },
}

/// A call of a step type, not yet rendered.
#[derive(Debug, Clone, PartialEq)]
pub struct Invocation {
    /// Name in the registry; `run` and `argv` are step types too.
    pub step: String,
    pub params: Vec<(String, Template)>,
    /// Names that a script's outputs are declared under, with their types.
    pub outputs: Vec<(String, Type)>,
    /// Programs of the project that it runs, by their path from the root: pinned, and checked before use.
    pub programs: Vec<String>,
    /// What decides which program it runs and is only known in the run, so that nothing is pinned: a phrase.
    pub unpinned: Option<&'static str>,
    pub span: Span,
}

/// An approval.
#[derive(Debug, Clone, PartialEq)]
pub struct ApprovalSpec {
    pub message: Option<Template>,
    pub count: u32,
    /// Names of people who may approve, roles resolved through the environment; empty: anybody.
    pub from: Vec<String>,
    /// As written, for messages: `role:release_manager`.
    pub from_text: Vec<String>,
    pub exclude_requester: bool,
    pub valid_for: Option<Ms>,
    pub show: Vec<(String, Template)>,
}

/// An item of a checklist.
#[derive(Debug, Clone, PartialEq)]
pub struct ChecklistItemSpec {
    /// Its id, or `item_1`, ….
    pub id: String,
    pub text: Template,
    pub owner: Option<String>,
    pub required: bool,
    pub evidence: Option<String>,
}

/// A prompt.
#[derive(Debug, Clone, PartialEq)]
pub struct PromptSpec {
    pub message: Template,
    pub ty: Type,
}

/// A value that is known when the node runs.
#[derive(Debug, Clone, PartialEq)]
pub enum Template {
    Const(Value),
    /// Exactly one expression: keeps its type.
    Expr(Expression),
    /// Text around expressions; becomes a string, or a secret if one of them is.
    Concat(Vec<Template>),
    List(Vec<Template>),
    Map(Vec<(String, Template)>),
}

/// An expression with its references resolved.
#[derive(Debug, Clone, PartialEq)]
pub struct Expression {
    pub source: String,
    pub span: Span,
    /// What it reads.
    pub refs: Vec<Reference>,
}

/// Something that an expression reads.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reference {
    /// `inputs.NAME` of a module.
    Input(ModuleId, String),
    /// `environment`.
    Environment,
    /// `steps.ID`: `{outputs: {…}, status: "…", each: […]}`.
    Step { id: String, node: NodeId },
    /// The item of an enclosing `for_each`, under the name that its `as` gave.
    Item { name: String, each: NodeId },
    /// The key of that item; an expression writes it `NAME_key`.
    ItemKey { name: String, each: NodeId },
    /// `secrets.NAME` of a module.
    Secret(ModuleId, String),
    /// `run`: `{id, status, name, started_at}`.
    Run,
    /// `rollback`: `{status}`.
    Rollback,
    /// `prepared`, inside an undo: what the owner's `prepare` stored.
    Prepared(NodeId),
}

/// Looks references up, for [`Template::evaluate`].
pub trait Resolve {
    /// The value behind a reference. For `Step` of one that was skipped or failed: outputs are null.
    fn resolve(&self, reference: &Reference) -> Result<Value, EvalError>;

    /// What no expression may read of that value.
    fn withheld(&self, _reference: &Reference) -> Vec<Withheld> {
        Vec::new()
    }

    /// For what people read: an expression that merely hands on what is withheld has the value that was recorded, and
    /// this is that of one which computes with it. `None`: neither has a value.
    fn stand_in(&self) -> Option<&'static str> {
        None
    }

    /// Whether there is work left for expressions; without it none is evaluated. Each has a limit of its own besides.
    fn may_work(&self) -> bool {
        true
    }

    /// Told how much work the expression there took.
    fn worked(&self, _units: u64, _at: Span) {}
}

/// A place in a value that no expression may read.
#[derive(Debug, Clone, PartialEq)]
pub struct Withheld {
    pub at: Path,
    /// Why, in one sentence.
    pub reason: String,
    pub hint: String,
}

/// Why an expression has no value.
#[derive(Debug, Clone, PartialEq)]
pub struct EvalError {
    pub span: Span,
    /// One sentence.
    pub message: String,
    pub hint: Option<String>,
    /// It reads what is [`Withheld`].
    pub withheld: bool,
}
