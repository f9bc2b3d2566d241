//! `assert`.

use runbook_step::{
    BadParam, BoxFuture, Call, Context, Declaration, Failure, FailureKind, Field, Map, Outcome, Param, Step,
    Success, Type, Value, step_type,
};

step_type! {
    /// Fails unless something is true.
    ///
    /// One condition, or several with a message each; all of them are looked at, and all that do not hold are listed.
    ///
    /// ```yaml
    /// - uses: assert
    ///   with:
    ///     that: "${{ steps.current.outputs.colour != steps.target.outputs.colour }}"
    ///     message: the new colour is the one that is live
    ///
    /// - uses: assert
    ///   with:
    ///     that:
    ///       - {that: "${{ steps.load.outputs.failures == 0 }}", message: no request may fail}
    ///       - {that: "${{ steps.load.outputs.p95 < 500 }}", message: "95 of 100 requests in half a second"}
    /// ```
    ///
    /// A condition is `true` or `false`; anything else, `null` included, is an error, and so is a list of none.
    pub struct Assert = "assert", declare;
}

fn declare(it: Declaration) -> Declaration {
    let one = Type::record([
        Field::required("that", Type::Boolean).doc("What must be true."),
        Field::optional("message", Type::string()).doc("What is said if it is not."),
    ]);
    it.pure()
        .checks()
        .param(
            Param::required("that", Type::either([Type::Boolean, Type::list(one)])).doc("What must be true."),
        )
        .param(
            Param::optional("message", Type::string())
                .doc("What is said if it is not, for a single condition."),
        )
}

impl Step for Assert {
    fn declaration(&self) -> &Declaration {
        Self::declared()
    }

    fn run<'a>(&'a self, call: &'a Call, _ctx: &'a dyn Context) -> BoxFuture<'a, Outcome> {
        Box::pin(async { look(call).into() })
    }
}

fn look(call: &Call) -> Result<Success, Outcome> {
    let broken = match call.value("that")? {
        Value::List(conditions) if conditions.is_empty() => {
            return Err(BadParam::new("that", "the list is empty, so nothing is checked").into());
        }
        Value::List(conditions) => conditions
            .iter()
            .enumerate()
            .filter_map(|(index, condition)| {
                let condition = condition.as_map()?;
                broken(call, condition, &format!("that[{index}].that"))
            })
            .collect(),
        _ => Vec::from_iter(broken(call, &call.params, "that")),
    };
    if broken.is_empty() {
        return Ok(Success::default());
    }
    Err(Outcome::Failed(Failure::new(FailureKind::Check, broken.join("; "))))
}

/// What is said of a condition that is not true.
fn broken(call: &Call, condition: &Map, place: &str) -> Option<String> {
    if condition.get("that") == Some(&Value::Bool(true)) {
        return None;
    }
    let written = call.written.get(place);
    Some(match (condition.get("message").and_then(Value::as_str), written) {
        (Some(message), Some(written)) => format!("{message}: {written}"),
        (Some(message), None) => message.to_owned(),
        (None, Some(written)) => format!("not true: {written}"),
        (None, None) => format!("`{place}` is not true"),
    })
}

#[cfg(test)]
mod tests {
    use runbook_step::testing::Fake;

    use super::*;

    fn said(params: serde_json::Value, written: &[(&str, &str)]) -> String {
        let given = Value::from_json(params).as_map().unwrap().clone();
        let written = written.iter().map(|(place, text)| ((*place).into(), (*text).into())).collect();
        let call = Call { params: Assert.declaration().fill(given).unwrap(), written, ..Call::default() };
        let fake = Fake::new();
        match fake.block_on(Assert.run(&call, &fake)) {
            Outcome::Failed(failure) if failure.kind == FailureKind::Check => failure.message,
            Outcome::Done(_) => "holds".into(),
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn says_what_is_not_true() {
        use serde_json::json;
        insta::assert_snapshot!(said(json!({"that": true}), &[]), @"holds");
        insta::assert_snapshot!(said(json!({"that": false}), &[]), @"`that` is not true");
        assert!(said(json!({"that": []}), &[]).contains("the list is empty"));
        insta::assert_snapshot!(said(json!({"that": false, "message": "no"}), &[("that", "inputs.n == 3 (inputs.n = 4)")]), @"no: inputs.n == 3 (inputs.n = 4)");
        let list = json!({"that": [{"that": true}, {"that": false, "message": "first"}, {"that": false}]});
        insta::assert_snapshot!(said(list, &[("that[2].that", "steps.a.outputs.ok")]), @"first; not true: steps.a.outputs.ok");
    }

    #[test]
    fn only_booleans_are_conditions() {
        for that in [serde_json::json!("true"), serde_json::json!(1), serde_json::json!([{"that": "yes"}])] {
            let given = Map::from([("that".into(), Value::from_json(that))]);
            Assert.declaration().fill(given).unwrap_err();
        }
    }
}
