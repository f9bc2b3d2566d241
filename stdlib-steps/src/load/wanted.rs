//! What the figures must be.

use runbook_step::{BadParam, Call, Comparison, Field, Map, Quantity, Type, Value};

use crate::http::expect::status_type;

/// `expect:`, taken apart.
pub(super) struct Wanted {
    /// Of a request that does not fail.
    status: Option<Value>,
    /// Figures, what they are compared with, and their unit, in the order of the message.
    figures: Vec<(&'static str, Comparison, &'static str)>,
}

/// Figures in milliseconds.
const DURATIONS: [&str; 5] = ["p50", "p90", "p95", "p99", "max"];

impl Wanted {
    pub(super) fn ty() -> Type {
        let most = Type::either([Type::integer_in(0, i64::MAX), Type::Comparison(Quantity::Number)]);
        let durations = DURATIONS.map(|name| {
            Field::optional(name, Type::Comparison(Quantity::Duration)).doc("Such as `< 500ms`.")
        });
        let failures =
            Field::optional("failures", most).doc("How many may fail, or a comparison. Default 0.");
        let rps = Field::optional("rps", Type::Comparison(Quantity::Number)).doc("Such as `> 50`.");
        let status = Field::optional("status", status_type()).doc(
            "Of a request that does not fail: a status, a class such as `2xx`, or a list. Default `2xx`.",
        );
        Type::record([status, failures, rps].into_iter().chain(durations))
    }

    pub(super) fn read(call: &Call) -> Result<Self, BadParam> {
        let nothing = Map::new();
        let wanted = call.get("expect").and_then(Value::as_map).unwrap_or(&nothing);
        let fault = |name: &str, error: String| BadParam::new(&format!("expect.{name}"), error);
        let failures = match wanted.get("failures") {
            Some(Value::Str(text)) => Comparison::parse(text, Quantity::Number),
            Some(most) => Comparison::parse(&format!("<= {most}"), Quantity::Number),
            None => Comparison::parse("== 0", Quantity::Number),
        };
        let mut figures = vec![("failures", failures.map_err(|error| fault("failures", error))?, "")];
        if let Some(text) = wanted.get("rps").and_then(Value::as_str) {
            figures.push((
                "rps",
                Comparison::parse(text, Quantity::Number).map_err(|error| fault("rps", error))?,
                "",
            ));
        }
        for name in DURATIONS {
            if let Some(text) = wanted.get(name).and_then(Value::as_str) {
                figures.push((
                    name,
                    Comparison::parse(text, Quantity::Duration).map_err(|error| fault(name, error))?,
                    "ms",
                ));
            }
        }
        Ok(Wanted { status: wanted.get("status").cloned(), figures })
    }

    /// The status of a request that does not fail, if it is said.
    pub(super) fn status(&self) -> Option<&Value> {
        self.status.as_ref()
    }

    /// Figures that are not as wanted. One that cannot be told is not.
    pub(super) fn missed(&self, outputs: &Map) -> Vec<String> {
        let missed = |(name, wanted, unit): &(&str, Comparison, &str)| match outputs
            .get(*name)
            .and_then(Value::as_float)
        {
            Some(figure) if wanted.holds(figure) => None,
            Some(figure) => Some(format!("{name} = {figure}{unit}, wanted {wanted}")),
            None => Some(format!("{name} cannot be told, since no request succeeded; wanted {wanted}")),
        };
        self.figures.iter().filter_map(missed).collect()
    }
}
