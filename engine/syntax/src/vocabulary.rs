//! The names that expressions may use. Everything else is an error, so that a word that only some version of the
//! evaluator knows cannot slip into a runbook.

/// Filters: `value | name(…)`. `default` is ours: it stands in for an absent value and for null alike.
pub const FILTERS: &[&str] = &[
    "abs",
    "bool",
    "capitalize",
    "count",
    "default",
    "dictsort",
    "first",
    "float",
    "indent",
    "int",
    "items",
    "join",
    "last",
    "length",
    "lines",
    "list",
    "lower",
    "map",
    "max",
    "min",
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
    "title",
    "tojson",
    "trim",
    "unique",
    "upper",
    "urlencode",
];

/// Tests: `value is name`.
pub const TESTS: &[&str] = &[
    "boolean",
    "defined",
    "divisibleby",
    "endingwith",
    "eq",
    "even",
    "false",
    "float",
    "ge",
    "gt",
    "in",
    "integer",
    "iterable",
    "le",
    "lower",
    "lt",
    "mapping",
    "ne",
    "none",
    "number",
    "odd",
    "sequence",
    "startingwith",
    "string",
    "true",
    "undefined",
    "upper",
];

/// Functions: `name(…)`.
pub const FUNCTIONS: &[&str] = &["range"];

/// Roots whose members are known before a run, so that each is named where it is read.
pub const CLOSED_ROOTS: &[&str] = &["steps", "inputs", "secrets", "environment"];
