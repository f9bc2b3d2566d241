//! What a file says: keys checked, shapes checked, nothing resolved.
//!
//! Lowered from the YAML tree by hand, so that all faults of a well-formed file come out in one go.
//! Values that may hold expressions are [`Data`]; whether an expression is allowed *here*, and what type comes out, is
//! the plan's business.

use crate::{Span, Spanned};

/// A name and what it stands for, in the order of the file. Duplicate names have been reported and dropped.
pub type Entries<T> = Vec<(Spanned<String>, T)>;

/// A document by its `kind`.
#[derive(Debug, Clone, PartialEq)]
pub enum Document {
    Runbook(Box<Runbook>),
    Environment(Box<Environment>),
}

/// `kind: Runbook`.
#[derive(Debug, Clone, PartialEq)]
pub struct Runbook {
    pub span: Span,
    pub name: Spanned<String>,
    pub summary: Option<Spanned<String>>,
    pub owner: Option<Spanned<String>>,
    pub inputs: Entries<InputDecl>,
    pub secrets: Entries<SecretDecl>,
    pub locks: Vec<LockDecl>,
    /// Globs that computed paths must match.
    pub files: Vec<Spanned<String>>,
    /// Patterns of environment variables that scripts may see.
    pub env_pass: Vec<Spanned<String>>,
    pub assert_target: Vec<ActionUse>,
    pub defaults: Defaults,
    pub on_failure: Option<OnFailure>,
    pub steps: Vec<Step>,
    pub finally: Vec<Step>,
    pub outputs: Entries<Spanned<Data>>,
    pub revert: Option<Vec<Step>>,
}

/// `kind: Environment`.
#[derive(Debug, Clone, PartialEq)]
pub struct Environment {
    pub span: Span,
    pub name: Option<Spanned<String>>,
    pub summary: Option<Spanned<String>>,
    pub vars: Entries<Spanned<Data>>,
    pub secrets: Entries<SecretDecl>,
    pub protected: bool,
    /// Steps that run before anything else.
    pub setup: Vec<Step>,
    pub assert_target: Vec<ActionUse>,
    pub defaults: Defaults,
    /// A file of answers, relative to the environment's file. Not in a protected environment.
    pub answers: Option<Spanned<String>>,
    /// Values for the runbook's inputs.
    pub inputs: Entries<Spanned<Data>>,
    pub env_pass: Vec<Spanned<String>>,
    /// Role → names of people.
    pub roles: Entries<Vec<Spanned<String>>>,
}

/// A value that may hold expressions.
#[derive(Debug, Clone, PartialEq)]
pub enum Data {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    /// A scalar of text, taken apart into literals and expressions.
    Text(Text),
    List(Vec<Spanned<Data>>),
    Map(Entries<Spanned<Data>>),
}

/// Text with expressions. A scalar that is exactly one expression (`segments` has one `Expr`) keeps its type.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Text {
    pub segments: Vec<Segment>,
}

/// A piece of a [`Text`].
#[derive(Debug, Clone, PartialEq)]
pub enum Segment {
    /// Text as it stands (`$${{` already turned into `${{`).
    Literal(String),
    /// Between `${{` and `}}`.
    Expr(Expr),
}

/// An expression, parsed once to see that it is one.
#[derive(Debug, Clone, PartialEq)]
pub struct Expr {
    /// Trimmed source text.
    pub source: String,
    /// Where `source` stands.
    pub span: Span,
    /// What it reads, in the order of the text. Empty where the expression is wrong (which has been reported).
    pub reads: Vec<Read>,
}

/// A name that an expression reads, with the attributes that follow it: `steps.target.outputs.colour`.
/// The expression language binds no names, so that every name is read from outside.
#[derive(Debug, Clone, PartialEq)]
pub struct Read {
    /// `["steps", "target", "outputs", "colour"]`; never empty. It ends before a subscript (`[0]`), a call or a filter.
    pub path: Vec<String>,
    /// Where the path stands.
    pub span: Span,
    /// Absence is provided for: the path is what `default` is applied to, or what is asked to be `defined` or `none`.
    pub guarded: bool,
}

/// An input's declaration.
#[derive(Debug, Clone, PartialEq)]
pub struct InputDecl {
    pub span: Span,
    pub ty: TypeDecl,
    pub default: Option<Spanned<Data>>,
    pub prompt: Option<Spanned<String>>,
    pub summary: Option<Spanned<String>>,
    pub required: Option<Spanned<bool>>,
}

/// A type as written: `type: list, of: {type: string}`.
#[derive(Debug, Clone, PartialEq)]
pub struct TypeDecl {
    pub span: Span,
    /// `string`, `integer`, `number`, `boolean`, `duration`, `enum`, `list`, `map`, `secret`, `file`.
    pub name: Spanned<String>,
    pub pattern: Option<Spanned<String>>,
    pub min: Option<Spanned<Data>>,
    pub max: Option<Spanned<Data>>,
    pub one_of: Vec<Spanned<Data>>,
    /// Of a list: the type of its items.
    pub of: Option<Box<TypeDecl>>,
    /// Of a map.
    pub fields: Entries<TypeDecl>,
    /// `extra: ignore`.
    pub extra_ignore: bool,
}

/// Where a secret comes from.
#[derive(Debug, Clone, PartialEq)]
pub struct SecretDecl {
    pub span: Span,
    pub provider: SecretProvider,
}

/// A provider.
#[derive(Debug, Clone, PartialEq)]
pub enum SecretProvider {
    /// An environment variable of the `runbook` process.
    Env(Spanned<String>),
    /// A file's content, one trailing newline removed.
    File(Spanned<String>),
    /// A program's stdout (argv), one trailing newline removed.
    Command(Vec<Spanned<String>>),
}

/// A named lock.
#[derive(Debug, Clone, PartialEq)]
pub struct LockDecl {
    pub span: Span,
    pub name: Spanned<Data>,
    pub if_held: Option<Spanned<String>>,
    pub timeout: Option<Spanned<Data>>,
}

/// `defaults:`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Defaults {
    pub timeout: Option<Spanned<Data>>,
    pub retry: Option<Retry>,
    pub shell: Option<Spanned<String>>,
    /// Per step type: parameters.
    pub with: Entries<Entries<Spanned<Data>>>,
}

/// `uses` + `with`, where a check or an action stands inside another key.
#[derive(Debug, Clone, PartialEq)]
pub struct ActionUse {
    pub span: Span,
    pub action: Action,
    /// Over the `env` of the step that it belongs to.
    pub env: Entries<Spanned<Data>>,
    pub cwd: Option<Spanned<Data>>,
}

/// What a leaf does.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// `run:`, a script. It holds no expressions.
    Run { script: Spanned<String>, shell: Option<Spanned<String>> },
    /// `argv:`, a program and its arguments.
    Argv(Vec<Spanned<Data>>),
    /// `uses:` and `with:`.
    Uses { step: Spanned<String>, with: Entries<Spanned<Data>> },
}

/// A step. What few steps have is boxed: a file may have a hundred thousand of them.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// The first token of the step.
    pub span: Span,
    pub id: Option<Spanned<String>>,
    pub name: Option<Spanned<Data>>,
    pub kind: StepKind,
    /// `None`: everything above. `Some([])`: nothing.
    pub needs: Option<Spanned<Vec<Spanned<String>>>>,
    /// An expression, braces optional.
    pub when: Option<Box<Expr>>,
    pub env: Entries<Spanned<Data>>,
    pub cwd: Option<Spanned<Data>>,
    /// `stdout: json`.
    pub stdout: Option<Spanned<String>>,
    /// Of a group or a switch: what it gives to the outside.
    pub outputs: Entries<Spanned<Data>>,
    /// Of an action: the names and types of what it returns (scripts, and step types whose outputs the step declares).
    pub output_types: Entries<TypeDecl>,
    pub for_each: Option<Box<ForEach>>,
    pub retry: Option<Box<Retry>>,
    pub timeout: Option<Spanned<Data>>,
    pub deadline: Option<Spanned<Data>>,
    pub verify: Option<Box<VerifyDecl>>,
    pub rollback: Option<Box<RollbackDecl>>,
    pub reason: Option<Spanned<String>>,
    pub irreversible: Option<Spanned<String>>,
    pub pivot: Option<Spanned<bool>>,
    /// Empty where it is broken.
    pub effect: Option<Spanned<String>>,
    pub required: Option<Spanned<bool>>,
    pub on_in_doubt: Option<Spanned<String>>,
    pub on_warning: Option<Spanned<String>>,
    pub on_inconclusive: Option<Spanned<String>>,
    pub continue_on_error: Option<Spanned<bool>>,
    pub guard: Vec<GuardDecl>,
    pub assert_target: Vec<ActionUse>,
    /// Of a group.
    pub parallel: Option<Spanned<bool>>,
    pub on_failure: Option<Box<OnFailure>>,
    pub finally: Vec<Step>,
}

/// Exactly one kind.
#[derive(Debug, Clone, PartialEq)]
pub enum StepKind {
    Action(Action),
    Wait(Box<Spanned<Wait>>),
    Approval(Box<Spanned<Approval>>),
    Checklist(Box<Spanned<Checklist>>),
    Prompt(Box<Spanned<Prompt>>),
    Switch {
        on: Spanned<Data>,
        cases: Vec<Case>,
    },
    Call {
        path: Spanned<String>,
        inputs: Entries<Spanned<Data>>,
    },
    Group(Vec<Step>),
    /// The kind could not be told; reported. The rest of the step is still looked at.
    Broken,
}

/// A case of a switch; `label` is a value, or `default`.
#[derive(Debug, Clone, PartialEq)]
pub struct Case {
    pub label: Spanned<String>,
    pub steps: Vec<Step>,
    /// Declared outputs of the case.
    pub outputs: Entries<Spanned<Data>>,
}

/// `wait:`.
#[expect(clippy::large_enum_variant, reason = "it is boxed where it stands")]
#[derive(Debug, Clone, PartialEq)]
pub enum Wait {
    For(Spanned<Data>),
    Until {
        check: ActionUse,
        every: Option<Spanned<Data>>,
        hold: Option<Spanned<Data>>,
        timeout: Option<Spanned<Data>>,
    },
}

/// `approval:`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Approval {
    pub message: Option<Spanned<Data>>,
    pub count: Option<Spanned<Data>>,
    /// `role:NAME` or a person's name.
    pub from: Vec<Spanned<String>>,
    pub exclude_requester: Option<Spanned<bool>>,
    pub timeout: Option<Spanned<Data>>,
    pub valid_for: Option<Spanned<Data>>,
    pub show: Entries<Spanned<Data>>,
}

/// `checklist:`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Checklist {
    pub items: Vec<ChecklistItem>,
    pub timeout: Option<Spanned<Data>>,
}

/// An item of a checklist.
#[derive(Debug, Clone, PartialEq)]
pub struct ChecklistItem {
    pub span: Span,
    pub id: Option<Spanned<String>>,
    pub text: Spanned<Data>,
    pub owner: Option<Spanned<String>>,
    /// Default true.
    pub required: Option<Spanned<bool>>,
    /// What evidence is wanted, in words.
    pub evidence: Option<Spanned<String>>,
}

/// `prompt:`.
#[derive(Debug, Clone, PartialEq)]
pub struct Prompt {
    pub message: Spanned<Data>,
    pub ty: Option<TypeDecl>,
    pub timeout: Option<Spanned<Data>>,
}

/// `for_each:`.
#[derive(Debug, Clone, PartialEq)]
pub struct ForEach {
    pub span: Span,
    pub items: Spanned<Data>,
    pub name: Option<Spanned<String>>,
    /// An expression over the item.
    pub key: Option<Spanned<Data>>,
    pub max_parallel: Option<Spanned<Data>>,
    pub max_failures: Option<Spanned<Data>>,
    pub batches: Vec<BatchDecl>,
    pub between: Vec<Step>,
    /// `all`, `batch`, `failed`.
    pub undo: Option<Spanned<String>>,
    pub allow_empty: Option<Spanned<bool>>,
    pub expect_count: Option<Spanned<Data>>,
    pub max_targets: Option<Spanned<Data>>,
}

/// A batch.
#[derive(Debug, Clone, PartialEq)]
pub struct BatchDecl {
    pub span: Span,
    /// A number, `25%`, or `rest`.
    pub size: Spanned<Data>,
    pub max_parallel: Option<Spanned<Data>>,
    pub max_failures: Option<Spanned<Data>>,
}

/// `retry:`.
#[derive(Debug, Clone, PartialEq)]
pub struct Retry {
    pub span: Span,
    pub max_attempts: Option<Spanned<Data>>,
    pub delay: Option<Spanned<Data>>,
    pub backoff: Option<Spanned<Data>>,
    pub max_delay: Option<Spanned<Data>>,
    pub jitter: Option<Spanned<Data>>,
    pub only: Vec<Spanned<String>>,
}

/// `verify:`.
#[derive(Debug, Clone, PartialEq)]
pub struct VerifyDecl {
    pub span: Span,
    pub check: ActionUse,
    pub within: Option<Spanned<Data>>,
    pub every: Option<Spanned<Data>>,
    pub not_done: Option<ActionUse>,
}

/// `rollback:` of a step.
#[derive(Debug, Clone, PartialEq)]
pub enum RollbackDecl {
    /// `rollback: none`.
    None(Span),
    /// A step or steps, after `require` probes.
    Steps { span: Span, require: Vec<ActionUse>, steps: Vec<Step> },
}

/// `guard:`.
#[derive(Debug, Clone, PartialEq)]
pub struct GuardDecl {
    pub span: Span,
    pub check: ActionUse,
    pub every: Option<Spanned<Data>>,
    pub failures: Option<Spanned<Data>>,
}

/// `on_failure:` of a runbook or a group.
#[derive(Debug, Clone, PartialEq)]
pub struct OnFailure {
    pub span: Span,
    pub rollback: Option<Spanned<String>>,
    pub first: Vec<Step>,
    pub after_pivot: Option<AfterPivotDecl>,
}

/// `after_pivot:`.
#[derive(Debug, Clone, PartialEq)]
pub enum AfterPivotDecl {
    /// `ask` or `none`.
    Policy(Spanned<String>),
    Steps(Vec<Step>),
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_step_stays_small() {
        // A megabyte holds a hundred thousand steps, and is to be read within 200 MB.
        assert!(size_of::<super::Step>() <= 1000, "{} bytes", size_of::<super::Step>());
    }
}
