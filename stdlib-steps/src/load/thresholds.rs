//! What the figures must be.

use runbook_step::{BadParam, Call, Field, Map, Type, Value};

use crate::comparison::Comparison;

/// `thresholds:`, taken apart: figures and what they are compared with, in this order.
pub(super) struct Thresholds(Vec<(&'static str, Comparison, &'static str)>);

/// Figures in milliseconds.
const DURATIONS: [&str; 5] = ["p50", "p90", "p95", "p99", "max"];

impl Thresholds {
    pub(super) fn ty() -> Type {
        let most = Type::either([Type::integer_in(0, i64::MAX), Comparison::number_type()]);
        let durations = DURATIONS
            .map(|name| Field::optional(name, Comparison::duration_type()).doc("Such as `< 500ms`."));
        let failures =
            Field::optional("failures", most).doc("How many may fail, or a comparison. Default 0.");
        let rps = Field::optional("rps", Comparison::number_type()).doc("Such as `> 50`.");
        Type::record(durations.into_iter().chain([failures, rps]))
    }

    pub(super) fn read(call: &Call) -> Result<Self, BadParam> {
        let nothing = Map::new();
        let wanted = call.get("thresholds").and_then(Value::as_map).unwrap_or(&nothing);
        let fault = |name: &str, error: String| BadParam::new(&format!("thresholds.{name}"), error);
        let failures = match wanted.get("failures") {
            Some(Value::Str(text)) => Comparison::of_number(text),
            Some(most) => Comparison::of_number(&format!("<= {most}")),
            None => Comparison::of_number("== 0"),
        };
        let mut thresholds = vec![("failures", failures.map_err(|error| fault("failures", error))?, "")];
        if let Some(text) = wanted.get("rps").and_then(Value::as_str) {
            thresholds.push(("rps", Comparison::of_number(text).map_err(|error| fault("rps", error))?, ""));
        }
        for name in DURATIONS {
            if let Some(text) = wanted.get(name).and_then(Value::as_str) {
                thresholds.push((
                    name,
                    Comparison::of_duration(text).map_err(|error| fault(name, error))?,
                    "ms",
                ));
            }
        }
        Ok(Thresholds(thresholds))
    }

    /// Those that are not met. A figure that there is none of meets no threshold.
    pub(super) fn missed(&self, outputs: &Map) -> Vec<String> {
        let missed = |(name, wanted, unit): &(&str, Comparison, &str)| match outputs
            .get(*name)
            .and_then(Value::as_float)
        {
            Some(figure) if wanted.holds(figure) => None,
            Some(figure) => Some(format!("{name} = {figure}{unit}, wanted {wanted}")),
            None => Some(format!("{name} cannot be told, since no request succeeded; wanted {wanted}")),
        };
        self.0.iter().filter_map(missed).collect()
    }
}
