//! What the figures must be.

use runbook_step::{BadParam, Call, Comparison, Field, Map, Quantity, Type, Value};

use crate::http::expect::status_type;

/// `expect:` and `warn:`, taken apart.
pub(super) struct Wanted {
    /// Of a request that does not fail.
    status: Option<Value>,
    must: Vec<Figure>,
    should: Vec<Figure>,
}

/// A figure's name, what it is compared with, and its unit.
type Figure = (&'static str, Comparison, &'static str);

/// Figures in milliseconds.
const DURATIONS: [&str; 5] = ["p50", "p90", "p95", "p99", "max"];

impl Wanted {
    /// The type of `expect`.
    pub(super) fn expect_type() -> Type {
        let status = Field::optional("status", status_type()).doc(
            "Of a request that does not fail: a status, a class such as `2xx`, or a list. Default `2xx`.",
        );
        Type::record([status].into_iter().chain(fields("How many may fail, or a comparison. Default 0.")))
    }

    /// The type of `warn`.
    pub(super) fn warn_type() -> Type {
        Type::record(fields("How many should fail at most, or a comparison."))
    }

    pub(super) fn read(call: &Call) -> Result<Self, BadParam> {
        let expect = call.get("expect").and_then(Value::as_map);
        let mut must = figures(call, "expect")?;
        if expect.is_none_or(|expect| !expect.contains_key("failures")) {
            must.insert(0, ("failures", failures("== 0", "expect")?, ""));
        }
        let status = expect.and_then(|expect| expect.get("status")).cloned();
        Ok(Wanted { status, must, should: figures(call, "warn")? })
    }

    /// The status of a request that does not fail, if it is said.
    pub(super) fn status(&self) -> Option<&Value> {
        self.status.as_ref()
    }

    /// Figures that are not as they must be. One that cannot be told is not.
    pub(super) fn missed(&self, outputs: &Map) -> Vec<String> {
        missed(&self.must, outputs)
    }

    /// Figures that are not as they should be.
    pub(super) fn short_of(&self, outputs: &Map) -> Vec<String> {
        missed(&self.should, outputs)
    }
}

fn fields(failures: &str) -> impl Iterator<Item = Field> {
    let most = Type::either([Type::integer_in(0, i64::MAX), Type::Comparison(Quantity::Number)]);
    let durations = DURATIONS
        .map(|name| Field::optional(name, Type::Comparison(Quantity::Duration)).doc("Such as `< 500ms`."));
    let failures = Field::optional("failures", most).doc(failures);
    let rps = Field::optional("rps", Type::Comparison(Quantity::Number)).doc("Such as `> 50`.");
    [failures, rps].into_iter().chain(durations)
}

/// What a parameter says of figures, in the order of the message.
fn figures(call: &Call, param: &str) -> Result<Vec<Figure>, BadParam> {
    let nothing = Map::new();
    let wanted = call.get(param).and_then(Value::as_map).unwrap_or(&nothing);
    let mut figures = Vec::new();
    match wanted.get("failures") {
        Some(Value::Str(text)) => figures.push(("failures", failures(text, param)?, "")),
        Some(most) => figures.push(("failures", failures(&format!("<= {most}"), param)?, "")),
        None => {}
    }
    if let Some(text) = wanted.get("rps").and_then(Value::as_str) {
        figures.push(("rps", comparison(text, Quantity::Number, param, "rps")?, ""));
    }
    for name in DURATIONS {
        if let Some(text) = wanted.get(name).and_then(Value::as_str) {
            figures.push((name, comparison(text, Quantity::Duration, param, name)?, "ms"));
        }
    }
    Ok(figures)
}

fn failures(text: &str, param: &str) -> Result<Comparison, BadParam> {
    comparison(text, Quantity::Number, param, "failures")
}

fn comparison(text: &str, of: Quantity, param: &str, name: &str) -> Result<Comparison, BadParam> {
    Comparison::parse(text, of).map_err(|error| BadParam::new(&format!("{param}.{name}"), error))
}

fn missed(figures: &[Figure], outputs: &Map) -> Vec<String> {
    let missed = |(name, wanted, unit): &Figure| match outputs.get(*name).and_then(Value::as_float) {
        Some(figure) if wanted.holds(figure) => None,
        Some(figure) => Some(format!("{name} = {figure}{unit}, wanted {wanted}")),
        None => Some(format!("{name} cannot be told, since no request succeeded; wanted {wanted}")),
    };
    figures.iter().filter_map(missed).collect()
}
