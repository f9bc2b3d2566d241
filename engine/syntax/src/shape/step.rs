//! Steps, and what stands inside them.

use super::document::{PROMPT, TYPE, TYPE_NAME};
use super::foreign::{CHECK_WORDS, STEP_WORDS};
use super::{Names, Place, Shape, foreign, key, later, only, required};

/// Keys that say what a step does.
pub(crate) const KINDS: &[&str] =
    &["run", "argv", "uses", "wait", "approval", "checklist", "prompt", "window", "switch", "call", "steps"];

/// Kinds with attempts of their own.
const ACTIONS: &[&str] = &["run", "argv", "uses"];
/// Kinds that hold, or may hold, actions.
const ACTING: &[&str] = &["run", "argv", "uses", "steps", "switch", "call"];
/// All but those that wait for people.
const MACHINE: &[&str] = &["run", "argv", "uses", "wait", "steps", "switch", "call"];

/// A step.
pub static STEP: Place = Place {
    name: "step",
    example: "{id: hello, run: echo hello}",
    keys: &[
        // What it does.
        key("run", Shape::Script, "A script, run by `bash -euo pipefail` unless `shell` says otherwise."),
        key("argv", Shape::Some(&Shape::Template), "A program and its arguments, without a shell."),
        key("uses", Shape::Text, "A step type, such as `http.check`; `runbook steps` lists them."),
        only(&["uses"], key("with", Shape::Entries(Names::Any, &Shape::Data), "The step type's parameters.")),
        key("wait", Shape::Map(&WAIT), "Waits for a time, or until a check holds."),
        key("approval", Shape::Map(&APPROVAL), "Waits until people agree."),
        key(
            "checklist",
            Shape::Either(&[Shape::Some(&CHECKLIST_ITEM), Shape::Map(&CHECKLIST)]),
            "Waits until people have ticked everything.",
        ),
        key("prompt", Shape::Map(&PROMPT), "Asks a person; the answer is `outputs.answer`."),
        later("window", "Waits for a time in which deploying is allowed."),
        key("switch", Shape::Template, "Chooses one of `cases` by its value."),
        only(
            &["switch"],
            key(
                "cases",
                Shape::Entries(
                    Names::Any,
                    &Shape::Either(&[Shape::List(&Shape::Map(&STEP)), Shape::Map(&CASE)]),
                ),
                "Steps by value; `default` for all others.",
            ),
        ),
        key("call", Shape::Text, "Runs another runbook: its file, relative to this one."),
        only(
            &["call"],
            key("inputs", Shape::Entries(Names::Any, &Shape::Data), "Inputs of the called runbook."),
        ),
        key("steps", steps!(), "A group of steps."),
        only(
            &["steps"],
            key("parallel", Shape::Bool, "The steps of the group need not wait for those above them."),
        ),
        only(&["steps"], key("finally", steps!(), "Steps that run at the group's end, whatever happened.")),
        only(
            &["steps", "call"],
            key("on_failure", Shape::Map(&ON_FAILURE), "What happens when a step of the group fails."),
        ),
        // Who and when.
        key("id", Shape::Name, "What other steps call it."),
        key("name", Shape::Template, "What people read."),
        key(
            "needs",
            Shape::List(&Shape::Text),
            "Siblings that must be done first; all above it where left out.",
        ),
        key("when", Shape::Condition, "Skipped unless this holds."),
        key("for_each", Shape::Map(&FOR_EACH), "Once for each item of a list."),
        // Scripts.
        only(
            MACHINE,
            key(
                "env",
                Shape::Entries(Names::Variable, &Shape::Data),
                "Environment variables of scripts; here expressions may stand.",
            ),
        ),
        only(
            MACHINE,
            key("cwd", Shape::Template, "The folder that scripts run in; the runbook's where left out."),
        ),
        only(&["run"], key("shell", Shape::Text, "The program that runs the script.")),
        only(
            &["run", "argv"],
            key("stdout", Shape::OneOf(&["json"]), "`json`: outputs are read from standard output."),
        ),
        only(
            ACTIONS,
            key("outputs", Shape::Entries(Names::Name, &type_decl!()), "What it returns: names and types."),
        ),
        only(
            &["steps", "switch"],
            key(
                "outputs",
                Shape::Entries(Names::Name, &Shape::Data),
                "What the group gives to the steps outside.",
            ),
        ),
        // How it may fail.
        only(MACHINE, key("retry", Shape::Map(&RETRY), "When a failed attempt is repeated.")),
        only(MACHINE, key("timeout", Shape::Duration, "Of one attempt.")),
        only(MACHINE, key("deadline", Shape::Duration, "Of all attempts together.")),
        key("continue_on_error", Shape::Bool, "A failure is reported and does not stop the run."),
        only(
            MACHINE,
            key("on_warning", Shape::OneOf(&["continue", "ask", "fail"]), "What a check's warning does."),
        ),
        only(
            MACHINE,
            key(
                "on_inconclusive",
                Shape::OneOf(&["continue", "ask", "fail"]),
                "What a check without an answer does.",
            ),
        ),
        only(ACTIONS, key("required", Shape::Bool, "A failure to tell somebody fails the run.")),
        key("guard", Shape::Some(&Shape::Map(&GUARD)), "Checks that must hold while it runs."),
        only(
            ACTING,
            key(
                "assert_target",
                Shape::Some(&Shape::Map(&ACTION)),
                "Checks that must hold before anything is written.",
            ),
        ),
        // What it does to the world.
        only(
            ACTIONS,
            key(
                "effect",
                Shape::OneOf(&["read", "write", "notify"]),
                "What it does, where its type cannot know.",
            ),
        ),
        only(ACTING, key("verify", Shape::Map(&VERIFY), "Reads whether the effect is there.")),
        only(
            ACTING,
            key(
                "rollback",
                Shape::Either(&[
                    Shape::OneOf(&["none"]),
                    Shape::Some(&Shape::Map(&STEP)),
                    Shape::Map(&ROLLBACK),
                ]),
                "How it is undone: a step, steps, or `none`.",
            ),
        ),
        only(ACTING, key("reason", Shape::Prose, "Why `rollback: none` is right.")),
        only(ACTING, key("irreversible", Shape::Prose, "That it cannot be undone, and why.")),
        only(ACTING, key("pivot", Shape::Bool, "The point of no return.")),
        only(
            ACTIONS,
            key(
                "on_in_doubt",
                Shape::OneOf(&["ask", "retry", "compensate"]),
                "What happens when nobody knows whether it happened.",
            ),
        ),
    ],
    includes: &[],
    exactly_one: KINDS,
    foreign: STEP_WORDS,
};

/// A check or action inside another key.
pub(super) static ACTION: Place = Place {
    name: "check",
    example: "{uses: http.check, with: {url: http://localhost/health}}",
    keys: &[
        key("run", Shape::Script, "A script, run by `bash -euo pipefail` unless `shell` says otherwise."),
        key("argv", Shape::Some(&Shape::Template), "A program and its arguments, without a shell."),
        key("uses", Shape::Text, "A step type, such as `http.check`; `runbook steps` lists them."),
        only(&["uses"], key("with", Shape::Entries(Names::Any, &Shape::Data), "The step type's parameters.")),
        only(&["run"], key("shell", Shape::Text, "The program that runs the script.")),
        only(
            &["run", "argv"],
            key(
                "env",
                Shape::Entries(Names::Variable, &Shape::Data),
                "Environment variables, over those of the step.",
            ),
        ),
        only(&["run", "argv"], key("cwd", Shape::Template, "The folder that it runs in.")),
    ],
    includes: &[],
    exactly_one: ACTIONS,
    foreign: CHECK_WORDS,
};

static GUARD: Place = Place {
    name: "guard",
    example: "{uses: http.check, with: {url: http://localhost/health}, every: 5s, failures: 3}",
    keys: &[
        key("every", Shape::Duration, "How often it is checked."),
        key("failures", Shape::Count, "How many failures in a row trip it."),
    ],
    includes: &[&ACTION],
    exactly_one: ACTIONS,
    foreign: CHECK_WORDS,
};

static VERIFY: Place = Place {
    name: "verify",
    example: "verify: {uses: http.check, with: {url: http://localhost/version}, within: 30s}",
    keys: &[
        key("within", Shape::Duration, "How long the effect may take to show."),
        key("every", Shape::Duration, "How often it is looked for."),
        key("not_done", Shape::Map(&ACTION), "A second probe: that the effect did not happen."),
    ],
    includes: &[&ACTION],
    exactly_one: ACTIONS,
    foreign: CHECK_WORDS,
};

static WAIT: Place = Place {
    name: "wait",
    example: "wait: {for: 30s}",
    keys: &[
        key("for", Shape::Duration, "How long."),
        key("until", Shape::Map(&ACTION), "The check that must hold."),
        only(&["until"], key("every", Shape::Duration, "How often it is checked.")),
        only(&["until"], key("hold", Shape::Duration, "For how long it must hold without a break.")),
        only(&["until"], key("timeout", Shape::Duration, "When to give up.")),
    ],
    includes: &[],
    exactly_one: &["for", "until"],
    foreign: &[
        foreign("seconds", "for", "Write `for: 30s`."),
        foreign("minutes", "for", "Write `for: 5m`."),
        foreign("uses", "until", "Write `until: {uses: …}`."),
        foreign("interval", "every", "How often is `every`."),
        foreign("retries", "timeout", "How long it goes on is `timeout`, how often it looks is `every`."),
    ],
};

static APPROVAL: Place = Place {
    name: "approval",
    example: "approval: {count: 1, from: [ana], timeout: 30m}",
    keys: &[
        key("message", Shape::Template, "What is asked."),
        key("count", Shape::Count, "How many people must agree; 1 where left out."),
        key("from", Shape::List(&Shape::Text), "`role:NAME`, or names of people; anybody where left out."),
        key("exclude_requester", Shape::Bool, "Whoever started the run does not count."),
        key("timeout", Shape::Duration, "How long it waits."),
        key("valid_for", Shape::Duration, "How long an approval lasts."),
        key("show", Shape::Entries(Names::Any, &Shape::Data), "What people decide on."),
        later("bind", "Values that void the approval when they change."),
        later("notify", "Who is told."),
        later("escalate", "Who is told later."),
    ],
    includes: &[],
    exactly_one: &[],
    foreign: &[
        foreign("approvers", "from", "Who may approve is `from: [\"role:NAME\"]`."),
        foreign("reviewers", "from", "Who may approve is `from: [\"role:NAME\"]`."),
        foreign("required", "count", "How many must agree is `count`."),
        foreign("expires", "valid_for", "How long an approval lasts is `valid_for`."),
    ],
};

static CHECKLIST: Place = Place {
    name: "checklist",
    example: "checklist: {items: [The team is ready]}",
    keys: &[
        required("items", Shape::Some(&CHECKLIST_ITEM), "What is to be ticked."),
        key("timeout", Shape::Duration, "How long it waits."),
    ],
    includes: &[],
    exactly_one: &[],
    foreign: &[],
};

const CHECKLIST_ITEM: Shape = Shape::Either(&[Shape::Template, Shape::Map(&CHECKLIST_ITEM_MAP)]);

static CHECKLIST_ITEM_MAP: Place = Place {
    name: "item",
    example: "{text: The team is ready, owner: ana}",
    keys: &[
        key("id", Shape::Name, "What answers call it."),
        required("text", Shape::Template, "What is to be true."),
        key("owner", Shape::Prose, "Who answers for it. Anybody may tick it; who did is recorded."),
        key("required", Shape::Bool, "False: it may be left open."),
        key(
            "evidence",
            Shape::Prose,
            "What is wanted as evidence, in words; what is given is recorded as it was said, and not checked.",
        ),
    ],
    includes: &[],
    exactly_one: &[],
    foreign: &[
        foreign("name", "text", "What is to be true is `text`."),
        foreign("title", "text", "What is to be true is `text`."),
    ],
};

static CASE: Place = Place {
    name: "case",
    example: "{steps: [{run: echo hello}]}",
    keys: &[
        required("steps", Shape::List(&Shape::Map(&STEP)), "What is done in this case; `[]` for nothing."),
        key(
            "outputs",
            Shape::Entries(Names::Name, &Shape::Data),
            "What the case gives to the steps outside.",
        ),
    ],
    includes: &[],
    exactly_one: &[],
    foreign: &[],
};

static FOR_EACH: Place = Place {
    name: "for_each",
    example: "for_each: {items: [a, b], as: item}",
    keys: &[
        required("items", Shape::Data, "A list, or an expression for one."),
        key("as", Shape::Name, "What an item is called inside; `item` where left out."),
        key("key", Shape::Template, "An expression that tells items apart; required where they are maps."),
        key("max_parallel", Shape::Count, "How many at a time; 1 where left out."),
        key("max_failures", Shape::Count, "How many may fail; 0 where left out."),
        key(
            "batches",
            Shape::Some(&Shape::Either(&[Shape::Size, Shape::Map(&BATCH)])),
            "Sizes of batches, in order.",
        ),
        key("between", steps!(), "Checks or gates between two batches."),
        key(
            "undo",
            Shape::OneOf(&["all", "batch", "failed"]),
            "Which items a failure undoes; `all` where left out.",
        ),
        key("allow_empty", Shape::Bool, "No item at all is fine."),
        key("expect_count", Shape::Count, "How many items there must be."),
        key("max_targets", Shape::Count, "How many items there may be at most."),
    ],
    includes: &[],
    exactly_one: &[],
    foreign: &[
        foreign("in", "items", "The list is `items`."),
        foreign("list", "items", "The list is `items`."),
        foreign("var", "as", "What an item is called is `as`."),
        foreign("loop_var", "as", "What an item is called is `as`."),
        foreign("serial", "batches", "How many at a time is `batches: [{size: 1}, rest]`."),
        foreign("concurrency", "max_parallel", "How many at a time is `max_parallel`."),
        foreign("parallel", "max_parallel", "How many at a time is `max_parallel`."),
        foreign("fail-fast", "max_failures", "How many may fail is `max_failures`."),
        foreign("fail_fast", "max_failures", "How many may fail is `max_failures`."),
        foreign("max_fail_percentage", "max_failures", "How many may fail is `max_failures`."),
    ],
};

static BATCH: Place = Place {
    name: "batch",
    example: "{size: 25%, max_parallel: 3}",
    keys: &[
        required("size", Shape::Size, "A number, a percentage such as `25%`, or `rest`."),
        key("max_parallel", Shape::Count, "How many at a time; 1 where left out."),
        key("max_failures", Shape::Count, "How many of this batch may fail; 0 where left out."),
    ],
    includes: &[],
    exactly_one: &[],
    foreign: &[],
};

/// `retry`.
pub(super) static RETRY: Place = Place {
    name: "retry",
    example: "retry: {max_attempts: 3, delay: 10s}",
    keys: &[
        key("max_attempts", Shape::Count, "How often in all."),
        key("delay", Shape::Duration, "How long before the second attempt."),
        key("backoff", Shape::Number, "By how much the delay grows each time: 2 doubles it."),
        key("max_delay", Shape::Duration, "The longest delay."),
        key("jitter", Shape::Number, "Up to which share of the delay is added by chance: 0.1 is a tenth."),
        key("only", Shape::Some(&Shape::Text), "Which failures, such as `timeout`, `exit:75`, `http:503`."),
    ],
    includes: &[],
    exactly_one: &[],
    foreign: &[
        foreign("max", "max_attempts", "How often in all is `max_attempts`."),
        foreign("count", "max_attempts", "How often in all is `max_attempts`."),
        foreign("attempts", "max_attempts", "How often in all is `max_attempts`."),
        foreign("times", "max_attempts", "How often in all is `max_attempts`."),
        foreign("limit", "max_attempts", "How often in all is `max_attempts`."),
        foreign("retries", "max_attempts", "How often in all is `max_attempts`: one more than the retries."),
        foreign("interval", "delay", "The time between two attempts is `delay`."),
        foreign("wait", "delay", "The time between two attempts is `delay`."),
        foreign("on", "only", "Which failures are repeated is `only`."),
    ],
};

/// A rollback that is a map: a step, or steps, with probes that must hold first.
static ROLLBACK: Place = Place {
    name: "rollback",
    example: "rollback: {run: echo undone}",
    keys: &[key(
        "require",
        Shape::Some(&Shape::Map(&ACTION)),
        "Probes that must hold before anything is undone.",
    )],
    includes: &[&STEP],
    exactly_one: KINDS,
    foreign: &[],
};

/// `on_failure`.
pub(super) static ON_FAILURE: Place = Place {
    name: "on_failure",
    example: "on_failure: {rollback: auto}",
    keys: &[
        key(
            "rollback",
            Shape::OneOf(&["auto", "ask", "none"]),
            "Whether what was done is undone; `auto` where left out.",
        ),
        key("first", steps!(), "Steps that run once before the rollback."),
        key(
            "after_pivot",
            Shape::Either(&[Shape::OneOf(&["ask", "none"]), steps!()]),
            "What happens when a step fails after the point of no return.",
        ),
    ],
    includes: &[],
    exactly_one: &[],
    foreign: &[
        foreign("steps", "first", "What runs before the rollback is `first`."),
        foreign("then", "first", "What runs before the rollback is `first`."),
        foreign("run", "first", "What runs before the rollback is `first`, a list of steps."),
    ],
};
