//! The filters, tests and functions that [`runbook_syntax::vocabulary`] lists, and the environment that holds them.

use std::sync::OnceLock;

use minijinja::value::{Kwargs, Rest, ValueKind};
use minijinja::{
    Environment, Error, ErrorKind, State, UndefinedBehavior, Value as Jinja, filters, functions, tests,
};
use regex::RegexBuilder;
use runbook_step::{Value, format_duration};

use super::conversion;
use crate::model::Withheld;

/// Work that one expression may do; a unit is an instruction, or 64 bytes of data.
const FUEL: u64 = 200_000;

/// The most bytes of a compiled pattern, of a small one and of any, and the work that it is to compile one.
const PATTERNS: [(usize, u64); 2] = [(1 << 16, 2_000), (4 << 20, 100_000)];

/// The one environment: nothing in it depends on the run.
pub(super) fn environment() -> &'static Environment<'static> {
    static ENVIRONMENT: OnceLock<Environment<'static>> = OnceLock::new();
    ENVIRONMENT.get_or_init(build)
}

fn build() -> Environment<'static> {
    let mut env = Environment::empty();
    env.set_undefined_behavior(UndefinedBehavior::Strict);
    env.set_fuel(Some(FUEL));
    env.set_debug(false);

    env.add_filter("__get", get);
    env.add_filter("__find", find);
    env.add_filter("__having", having);
    env.add_filter("__picked", picked);
    env.add_filter("__present", present);
    env.add_filter("__whole", whole);
    env.add_filter("__concat", concat);

    env.add_filter("abs", filters::abs);
    env.add_filter("default", default);
    env.add_filter("duration", duration);
    env.add_filter("first", filters::first);
    env.add_filter("float", filters::float);
    env.add_filter("fromjson", fromjson);
    env.add_filter("indent", filters::indent);
    env.add_filter("int", filters::int);
    env.add_filter("items", filters::items);
    env.add_filter("join", join);
    env.add_filter("keys", keys);
    env.add_filter("last", filters::last);
    env.add_filter("length", filters::length);
    env.add_filter("lines", filters::lines);
    env.add_filter("list", filters::list);
    env.add_filter("lower", filters::lower);
    env.add_filter("map", filters::map);
    env.add_filter("max", filters::max);
    env.add_filter("min", filters::min);
    env.add_filter("regex_replace", regex_replace);
    env.add_filter("reject", filters::reject);
    env.add_filter("rejectattr", filters::rejectattr);
    env.add_filter("replace", filters::replace);
    env.add_filter("reverse", filters::reverse);
    env.add_filter("round", filters::round);
    env.add_filter("select", filters::select);
    env.add_filter("selectattr", filters::selectattr);
    env.add_filter("sort", filters::sort);
    env.add_filter("split", split);
    env.add_filter("string", string);
    env.add_filter("sum", filters::sum);
    env.add_filter("tojson", tojson);
    env.add_filter("trim", filters::trim);
    env.add_filter("unique", filters::unique);
    env.add_filter("upper", filters::upper);
    env.add_filter("urlencode", filters::urlencode);
    env.add_filter("values", values);

    env.add_test("boolean", tests::is_boolean);
    env.add_test("defined", tests::is_defined);
    env.add_test("divisibleby", tests::is_divisibleby);
    env.add_test("endingwith", tests::is_endingwith);
    env.add_test("eq", tests::is_eq);
    env.add_test("even", tests::is_even);
    env.add_test("float", tests::is_float);
    env.add_test("ge", tests::is_ge);
    env.add_test("gt", tests::is_gt);
    env.add_test("in", tests::is_in);
    env.add_test("integer", tests::is_integer);
    env.add_test("le", tests::is_le);
    env.add_test("lt", tests::is_lt);
    env.add_test("mapping", tests::is_mapping);
    env.add_test("matching", matching);
    env.add_test("ne", tests::is_ne);
    env.add_test("none", |value: Jinja| value.is_none() || value.is_undefined());
    env.add_test("number", tests::is_number);
    env.add_test("odd", tests::is_odd);
    env.add_test("sequence", tests::is_sequence);
    env.add_test("startingwith", tests::is_startingwith);
    env.add_test("string", tests::is_string);
    env.add_test("undefined", tests::is_undefined);

    env.add_function("range", functions::range);
    env
}

/// What an error carries beside its message.
#[derive(Debug)]
struct Hint {
    text: String,
    withheld: bool,
}

impl std::fmt::Display for Hint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for Hint {}

pub(super) fn fail(message: String, hint: Option<String>) -> Error {
    let error = Error::new(ErrorKind::InvalidOperation, message);
    match hint {
        Some(text) => error.with_source(Hint { text, withheld: false }),
        None => error,
    }
}

/// What stands in place of a value that nobody may read.
pub(super) fn withhold(Withheld { reason, hint, .. }: &Withheld) -> Error {
    Error::new(ErrorKind::InvalidOperation, reason.clone())
        .with_source(Hint { text: hint.clone(), withheld: true })
}

/// The work that an expression without a value took. The engine does not say, so it is a guess: all that it may take where
/// it ran out, a part of it elsewhere.
pub(super) fn work_of_failure(error: &Error) -> u64 {
    if error.kind() == ErrorKind::OutOfFuel { FUEL } else { FUEL / 10 }
}

/// An error of the engine in our words.
pub(super) struct Explained {
    pub(super) message: String,
    pub(super) hint: Option<String>,
    /// It is that of [`withhold`].
    pub(super) withheld: bool,
}

pub(super) fn explain(error: &Error) -> Explained {
    if error.kind() == ErrorKind::OutOfFuel {
        return Explained {
            message: "the expression takes too much work".into(),
            hint: Some("Compute less here, or do it in a step.".into()),
            withheld: false,
        };
    }
    let mut message = error.detail().map_or_else(|| error.kind().to_string(), str::to_owned);
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        if let Some(Hint { text, withheld }) = cause.downcast_ref::<Hint>() {
            return Explained { message, hint: Some(text.clone()), withheld: *withheld };
        }
        if let Some(inner) = cause.downcast_ref::<Error>().and_then(Error::detail) {
            message = format!("{message}: {inner}");
        }
        source = cause.source();
    }
    Explained { message, hint: None, withheld: false }
}

/// A lookup that must find something. `path` is how the base is written.
fn get(base: &Jinja, key: &Jinja, path: &str) -> Result<Jinja, Error> {
    valid(base)?;
    let found = base.get_item(key).unwrap_or_default();
    if !found.is_undefined() {
        return Ok(found);
    }
    let key_text = key.as_str().map_or_else(|| key.to_string(), str::to_owned);
    Err(match base.kind() {
        ValueKind::None => fail(
            format!("`{path}` is null, so it has no `{key_text}`"),
            Some("`… | default(…)` covers what may be absent.".into()),
        ),
        ValueKind::Map => {
            let names: Vec<String> =
                base.try_iter().map(|keys| keys.map(|k| k.to_string()).collect()).unwrap_or_default();
            let hint = match runbook_syntax::nearest(&key_text, names.iter().map(String::as_str)) {
                Some(name) => format!("Did you mean `{name}`?"),
                None if names.is_empty() => "It is empty.".into(),
                None if names.len() <= 12 => format!(
                    "It has {}.",
                    runbook_syntax::alternatives(names.iter().map(String::as_str)).replace(" or ", " and ")
                ),
                None => "`… | default(…)` covers what may be absent.".into(),
            };
            fail(format!("`{path}` has no `{key_text}`"), Some(hint))
        }
        ValueKind::Seq | ValueKind::Iterable => {
            fail(format!("`{path}` has {} items, and no [{key_text}]", base.len().unwrap_or_default()), None)
        }
        kind => fail(format!("`{path}` is a {kind}, which has no `{key_text}`"), None),
    })
}

/// A lookup under `default`: nothing is fine.
fn find(base: &Jinja, key: &Jinja, _path: &str) -> Result<Jinja, Error> {
    valid(base)?;
    Ok(base.get_item(key).unwrap_or_default())
}

/// What was found, if nothing is withheld in it.
fn whole(value: Jinja) -> Result<Jinja, Error> {
    fn look(value: &Jinja) -> Result<(), Error> {
        valid(value)?;
        match value.kind() {
            ValueKind::Map => value.try_iter()?.try_for_each(|key| look(&value.get_item(&key)?)),
            ValueKind::Seq | ValueKind::Iterable => value.try_iter()?.try_for_each(|item| look(&item)),
            _ => Ok(()),
        }
    }
    look(&value)?;
    Ok(value)
}

/// What `map(attribute=…)` took from the items of a list, if each has it.
fn picked(values: Jinja, attribute: &Jinja) -> Result<Jinja, Error> {
    match values.try_iter()?.position(|value| value.is_undefined()) {
        Some(at) => {
            Err(lacking(at, &attribute.to_string(), &format!("`map(attribute='{attribute}', default=…)`")))
        }
        None => Ok(values),
    }
}

/// A list that `selectattr` or `rejectattr` looks through, if each item has the attribute.
fn having(values: Jinja, attribute: &Jinja) -> Result<Jinja, Error> {
    let attribute = attribute.to_string();
    let mut found = values.try_iter()?.map(|item| {
        attribute.split('.').try_fold(item, |item, part| match part.parse::<usize>() {
            Ok(at) => item.get_item_by_index(at),
            Err(_) => item.get_attr(part),
        })
    });
    match found.position(|value| value.is_ok_and(|value| value.is_undefined())) {
        Some(at) => Err(lacking(at, &attribute, "`selectattr(…, 'defined')` before it")),
        None => Ok(values),
    }
}

fn lacking(at: usize, attribute: &str, cover: &str) -> Error {
    fail(
        format!("item {} of the list has no `{attribute}`", at + 1),
        Some(format!(
            "{cover} covers it; `selectattr('status', 'eq', 'done')` leaves out items of a `for_each` that did not come to it."
        )),
    )
}

/// The error that stands in place of a value that is withheld.
fn valid(value: &Jinja) -> Result<(), Error> {
    if value.kind() != ValueKind::Invalid {
        return Ok(());
    }
    // The engine gives it away to those who iterate.
    Jinja::from(vec![value.clone()]).try_iter()?.checked().try_for_each(|item| item.map(drop))
}

fn present(value: Jinja, filter: &str) -> Result<Jinja, Error> {
    if value.is_undefined() {
        return Err(fail(
            format!("`{filter}` of an empty list has no value"),
            Some(format!("`… | {filter} | default(…)` covers it.")),
        ));
    }
    Ok(value)
}

/// Covers what is undefined and what is null; the second argument is required.
fn default(value: &Jinja, other: Jinja) -> Jinja {
    if value.is_undefined() || value.is_none() { other } else { value.clone() }
}

fn text_of(value: &Jinja) -> Result<String, Error> {
    conversion::from_jinja(value).map(|value| value.to_string()).map_err(|message| fail(message, None))
}

fn concat(left: &Jinja, right: &Jinja) -> Result<String, Error> {
    let mut out = text_of(left)?;
    out.push_str(&text_of(right)?);
    Ok(out)
}

fn string(value: &Jinja) -> Result<String, Error> {
    text_of(value)
}

fn join(value: &Jinja, separator: Option<&str>) -> Result<String, Error> {
    let mut out = String::new();
    for (i, item) in value.try_iter()?.enumerate() {
        if i > 0 {
            out.push_str(separator.unwrap_or(""));
        }
        out.push_str(&text_of(&item)?);
        if out.len() > super::MAX_TEXT || i > conversion::MAX_ITEMS {
            return Err(fail(format!("the text is longer than {} bytes", super::MAX_TEXT), None));
        }
    }
    Ok(out)
}

/// At every separator; without one, at white space, and no empty pieces.
fn split(value: &str, separator: Option<&str>) -> Result<Vec<String>, Error> {
    match separator {
        Some("") => Err(fail("`split` takes a separator of at least one character".into(), None)),
        Some(separator) => Ok(value.split(separator).map(str::to_owned).collect()),
        None => Ok(value.split_whitespace().map(str::to_owned).collect()),
    }
}

fn keys(value: &Jinja) -> Result<Jinja, Error> {
    of_map(value, "keys")?;
    Ok(Jinja::from(value.try_iter()?.collect::<Vec<_>>()))
}

fn values(value: &Jinja) -> Result<Jinja, Error> {
    of_map(value, "values")?;
    let items: Result<Vec<_>, _> = value.try_iter()?.map(|key| value.get_item(&key)).collect();
    Ok(Jinja::from(items?))
}

fn of_map(value: &Jinja, filter: &str) -> Result<(), Error> {
    if value.kind() == ValueKind::Map {
        return Ok(());
    }
    Err(fail(format!("`{filter}` takes a map, and this is a {}", value.kind()), None))
}

fn tojson(value: &Jinja, options: Kwargs) -> Result<String, Error> {
    let indent: Option<usize> = options.get("indent")?;
    options.assert_all_used()?;
    let value = conversion::from_jinja(value).map_err(|message| fail(message, None))?;
    let json = match indent {
        Some(n) if n > 0 => serde_json::to_string_pretty(&value),
        _ => serde_json::to_string(&value),
    };
    json.map_err(|e| fail(e.to_string(), None))
}

fn fromjson(value: &str) -> Result<Jinja, Error> {
    let value =
        Value::parse_json(value.as_bytes()).map_err(|e| fail(format!("this is not JSON: {e}"), None))?;
    // Data that came from outside holds no secrets.
    Ok(conversion::to_jinja(&value).unwrap_or_default())
}

/// Milliseconds as `1h30m`.
fn duration(value: &Jinja) -> Result<String, Error> {
    match value.as_i64().and_then(|ms| u64::try_from(ms).ok()) {
        Some(ms) => Ok(format_duration(ms)),
        None => Err(fail("`duration` takes a length of time".into(), None)),
    }
}

fn pattern(state: &State<'_, '_>, source: &str) -> Result<regex::Regex, Error> {
    for (size, work) in PATTERNS {
        state.consume_fuel(work)?;
        match RegexBuilder::new(source).size_limit(size).build() {
            Err(regex::Error::CompiledTooBig(_)) => {}
            built => return built.map_err(|_| fail(format!("{source:?} is not a regular expression"), None)),
        }
    }
    Err(fail(format!("{source:?} is too large a pattern"), None))
}

fn regex_replace(state: &State<'_, '_>, value: &str, find: &str, with: &str) -> Result<String, Error> {
    Ok(pattern(state, find)?.replace_all(value, with).into_owned())
}

/// Whether the pattern matches somewhere in the text.
fn matching(state: &State<'_, '_>, value: &str, source: &str, rest: Rest<Jinja>) -> Result<bool, Error> {
    if !rest.is_empty() {
        return Err(fail("`matching` takes one pattern".into(), None));
    }
    Ok(pattern(state, source)?.is_match(value))
}
