//! The names that expressions may use. Everything else is an error, so that a word that only some version of the
//! evaluator knows cannot slip into a runbook.

/// Filters: `value | name(…)`. `default` is ours: it stands in for an absent value and for null alike.
pub const FILTERS: &[&str] = &[
    "abs",
    "default",
    "duration",
    "first",
    "float",
    "fromjson",
    "indent",
    "int",
    "items",
    "join",
    "keys",
    "last",
    "length",
    "lines",
    "list",
    "lower",
    "map",
    "max",
    "min",
    "regex_replace",
    "reject",
    "rejectattr",
    "replace",
    "reverse",
    "round",
    "select",
    "selectattr",
    "sort",
    "split",
    "string",
    "sum",
    "tojson",
    "trim",
    "unique",
    "upper",
    "urlencode",
    "values",
];

/// Tests: `value is name`.
pub const TESTS: &[&str] = &[
    "boolean",
    "defined",
    "divisibleby",
    "endingwith",
    "eq",
    "even",
    "float",
    "ge",
    "gt",
    "in",
    "integer",
    "le",
    "lt",
    "mapping",
    "matching",
    "ne",
    "none",
    "number",
    "odd",
    "sequence",
    "startingwith",
    "string",
    "undefined",
];

/// Functions: `name(…)`.
pub const FUNCTIONS: &[&str] = &["range"];

/// Roots whose members are known before a run, so that each is named where it is read.
pub const CLOSED_ROOTS: &[&str] = &["steps", "inputs", "secrets", "environment"];
