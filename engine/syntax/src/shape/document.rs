//! Runbooks, environments, and what they declare.

use super::step::{ACTION, ON_FAILURE, RETRY, STEP};
use super::{Names, Place, Shape, elsewhere, foreign, key, later, required};

/// `kind: Runbook`.
pub static RUNBOOK: Place = Place {
    name: "runbook",
    example: "{apiVersion: runbook/v1, name: hello, steps: [{run: echo hello}]}",
    keys: &[
        required("apiVersion", Shape::OneOf(&["runbook/v1"]), "The version of the language: `runbook/v1`."),
        key("kind", Shape::OneOf(&["Runbook"]), "`Runbook`, which is the default."),
        required("name", Shape::Prose, "What the runbook is called in lists and reports."),
        key("summary", Shape::Prose, "What it does, in one sentence."),
        key("owner", Shape::Prose, "The team that answers for it."),
        key(
            "inputs",
            Shape::Entries(Names::Name, &Shape::Either(&[TYPE_NAME, Shape::Map(&INPUT)])),
            "What a run is given.",
        ),
        key(
            "secrets",
            Shape::Entries(Names::Name, &Shape::Map(&SECRET)),
            "Where secrets come from; resolved when used, never stored.",
        ),
        later("libraries", "Step libraries, pinned by `runbook.lock`."),
        key("locks", Shape::List(&Shape::Map(&LOCK)), "Named locks that are held throughout the run."),
        key(
            "files",
            Shape::List(&Shape::Text),
            "Globs that computed paths must match; the files are stored with the plan.",
        ),
        key("env_pass", Shape::List(&Shape::Text), "Patterns of environment variables that scripts may see."),
        key(
            "assert_target",
            Shape::List(&Shape::Map(&ACTION)),
            "Checks that must hold before anything is written.",
        ),
        key("defaults", Shape::Map(&DEFAULTS), "Values for what steps leave out."),
        key("on_failure", Shape::Map(&ON_FAILURE), "What happens when a step fails."),
        required("steps", steps!(), "What is done, from top to bottom."),
        key("finally", steps!(), "Steps that run once at the end, whatever happened."),
        key(
            "outputs",
            Shape::Entries(Names::Name, &Shape::Data),
            "What a run gives to its caller and its report.",
        ),
        key("revert", steps!(), "Steps that roll a finished run back, in place of the undos of its steps."),
    ],
    includes: &[],
    exactly_one: &[],
    foreign: &[
        foreign("version", "apiVersion", "The version of the language is `apiVersion: runbook/v1`."),
        foreign("title", "name", "The title is `name`."),
        foreign("description", "summary", "A description is `summary`."),
        foreign("jobs", "steps", "There are no jobs: write `steps`, and groups of steps inside it."),
        foreign("stages", "steps", "There are no stages: write `steps`, and groups of steps inside it."),
        foreign("tasks", "steps", "Tasks are `steps`."),
        foreign("plays", "steps", "There are no plays: write `steps`."),
        foreign(
            "vars",
            "inputs",
            "What a run is given is `inputs`; what an environment sets is `vars` in its own file.",
        ),
        foreign(
            "variables",
            "inputs",
            "What a run is given is `inputs`; what an environment sets is `vars` in its own file.",
        ),
        foreign("params", "inputs", "What a run is given is `inputs`."),
        foreign("parameters", "inputs", "What a run is given is `inputs`."),
        foreign("concurrency", "locks", "What must not run twice at a time takes a lock under `locks`."),
        foreign("always", "finally", "What runs at the end, whatever happened, is `finally`."),
        foreign("cleanup", "finally", "What runs at the end, whatever happened, is `finally`."),
        foreign(
            "rollback",
            "on_failure",
            "Write `on_failure: {rollback: auto}`; how a step is undone stands at the step.",
        ),
        foreign("imports", "libraries", "Another runbook is run by a step with `call`."),
        foreign("include", "libraries", "Another runbook is run by a step with `call`."),
        elsewhere("on", "A runbook has no triggers: a run is started with `runbook exec`."),
        elsewhere("triggers", "A runbook has no triggers: a run is started with `runbook exec`."),
        elsewhere("hosts", "A runbook has no hosts: steps say where they act."),
        elsewhere("environment", "The environment is chosen when a run is started: `runbook exec -e NAME`."),
        elsewhere("env", "Put `env` at the step or group whose scripts read it."),
        elsewhere("timeout", "Write `defaults: {timeout: 10m}`, or put `timeout` at a step."),
        elsewhere("retry", "Write `defaults: {retry: …}`, or put `retry` at a step."),
        elsewhere("shell", "Write `defaults: {shell: …}`, or put `shell` at a step."),
    ],
};

/// `kind: Environment`.
pub static ENVIRONMENT: Place = Place {
    name: "environment",
    example: "{apiVersion: runbook/v1, kind: Environment, vars: {url: http://localhost}}",
    keys: &[
        required("apiVersion", Shape::OneOf(&["runbook/v1"]), "The version of the language: `runbook/v1`."),
        required("kind", Shape::OneOf(&["Environment"]), "`Environment`."),
        key("name", Shape::Prose, "What it is called; the file's name where it is left out."),
        key("summary", Shape::Prose, "What it is, in one sentence."),
        key(
            "vars",
            Shape::Entries(Names::Any, &Shape::Data),
            "Values that runbooks read as `environment.vars.NAME`.",
        ),
        key(
            "secrets",
            Shape::Entries(Names::Name, &Shape::Map(&SECRET)),
            "Where secrets come from; resolved when used, never stored.",
        ),
        key("protected", Shape::Bool, "Production: stricter checks, no answers file."),
        key("setup", steps!(), "Steps that run before anything else."),
        key(
            "assert_target",
            Shape::List(&Shape::Map(&ACTION)),
            "Checks that must hold before anything is written.",
        ),
        key("defaults", Shape::Map(&DEFAULTS), "Values for what steps leave out."),
        key(
            "answers",
            Shape::Text,
            "A file of answers, relative to this one. Not in a protected environment.",
        ),
        key("inputs", Shape::Entries(Names::Any, &Shape::Data), "Values for the runbook's inputs."),
        key("env_pass", Shape::List(&Shape::Text), "Patterns of environment variables that scripts may see."),
        key("roles", Shape::Entries(Names::Any, &Shape::List(&Shape::Text)), "Who has which role."),
        later("freezes", "Times in which nothing is deployed."),
    ],
    includes: &[],
    exactly_one: &[],
    foreign: &[
        foreign("variables", "vars", "Variables are `vars`."),
        foreign("description", "summary", "A description is `summary`."),
        foreign("version", "apiVersion", "The version of the language is `apiVersion: runbook/v1`."),
        foreign("people", "roles", "Who may approve is under `roles`."),
        elsewhere(
            "env",
            "Environment variables that scripts may see are listed under `env_pass`; values are `vars`.",
        ),
        elsewhere("steps", "Steps that run before anything else are `setup`."),
    ],
};

const TYPE_NAMES: &[&str] =
    &["string", "integer", "number", "boolean", "duration", "enum", "list", "map", "secret", "file", "any"];

/// A type's name alone.
pub(super) const TYPE_NAME: Shape = Shape::OneOf(TYPE_NAMES);

/// A type.
pub(super) static TYPE: Place = Place {
    name: "type",
    example: "{type: string, pattern: '^v'}",
    keys: &[
        required("type", TYPE_NAME, "The name of the type."),
        key("pattern", Shape::Text, "Of a string: a regular expression that must match."),
        key("min", Shape::Data, "The least value, inclusive."),
        key("max", Shape::Data, "The greatest value, inclusive."),
        key("one_of", Shape::Some(&Shape::Data), "The values that are allowed."),
        key("of", type_decl!(), "Of a list: the type of its items."),
        key("fields", Shape::Entries(Names::Any, &type_decl!()), "Of a map: its fields."),
        key("extra", Shape::OneOf(&["ignore"]), "Of a map: `ignore` lets other fields through."),
    ],
    includes: &[],
    exactly_one: &[],
    foreign: TYPE_WORDS,
};

const TYPE_WORDS: &[super::Foreign] = &[
    foreign("enum", "one_of", "The allowed values are `one_of`."),
    foreign("options", "one_of", "The allowed values are `one_of`."),
    foreign("choices", "one_of", "The allowed values are `one_of`."),
    foreign("values", "one_of", "The allowed values are `one_of`."),
    foreign("regex", "pattern", "A regular expression is `pattern`."),
    foreign("items", "of", "The type of a list's items is `of`."),
    foreign("properties", "fields", "The fields of a map are `fields`."),
    foreign("minimum", "min", "The least value is `min`."),
    foreign("maximum", "max", "The greatest value is `max`."),
    foreign("description", "summary", "A description is `summary`."),
];

static INPUT: Place = Place {
    name: "input",
    example: "{type: string, default: v1}",
    keys: &[
        key("default", Shape::Data, "The value where nobody gives one."),
        key("prompt", Shape::Prose, "The question that is asked on a terminal."),
        key("summary", Shape::Prose, "What it is for, in one sentence."),
        key("required", Shape::Bool, "False: null where nobody gives a value."),
    ],
    includes: &[&TYPE],
    exactly_one: &[],
    foreign: TYPE_WORDS,
};

/// A type and a question.
pub(super) static PROMPT: Place = Place {
    name: "prompt",
    example: "prompt: {message: Which version?}",
    keys: &[
        required("message", Shape::Template, "The question."),
        key("type", TYPE_NAME, "The type of the answer: `string` where it is left out."),
        key("timeout", Shape::Duration, "How long it waits for an answer."),
    ],
    includes: &[&TYPE],
    exactly_one: &[],
    foreign: TYPE_WORDS,
};

static SECRET: Place = Place {
    name: "secret",
    example: "{env: SLACK_WEBHOOK_URL}",
    keys: &[
        key("env", Shape::Text, "An environment variable of the `runbook` process."),
        key("file", Shape::Text, "A file; one newline at its end is left out."),
        key(
            "command",
            Shape::Some(&Shape::Text),
            "A program and its arguments; its output, without a newline at the end.",
        ),
    ],
    includes: &[],
    exactly_one: &["env", "file", "command"],
    foreign: &[
        foreign(
            "value",
            "env",
            "A secret's value never stands in a file: say where it comes from with `env`, `file` or `command`.",
        ),
        foreign("vault", "command", "Call the vault's own program with `command`."),
        foreign("from", "env", "Say where it comes from with `env`, `file` or `command`."),
    ],
};

static LOCK: Place = Place {
    name: "lock",
    example: "{name: deploy/shop, if_held: wait, timeout: 10m}",
    keys: &[
        required("name", Shape::Template, "What is locked; inputs and environment may stand in it."),
        key(
            "if_held",
            Shape::OneOf(&["wait", "fail", "skip"]),
            "What happens when another run holds it: `fail` where left out.",
        ),
        key("timeout", Shape::Duration, "How long `wait` waits."),
    ],
    includes: &[],
    exactly_one: &[],
    foreign: &[],
};

static DEFAULTS: Place = Place {
    name: "defaults",
    example: "defaults: {timeout: 10m}",
    keys: &[
        key("timeout", Shape::Duration, "Of one attempt of a script, program, step type or undo."),
        key("retry", Shape::Map(&RETRY), "When a failed attempt is repeated."),
        key("shell", Shape::Text, "The program that runs scripts."),
        key(
            "with",
            Shape::Entries(Names::Any, &Shape::Entries(Names::Any, &Shape::Data)),
            "Parameters, by step type.",
        ),
    ],
    includes: &[],
    exactly_one: &[],
    foreign: &[foreign("run", "shell", "The program that runs scripts is `shell`.")],
};
