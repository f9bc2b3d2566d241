//! `tcp.check`.

use runbook_step::{
    BadParam, BoxFuture, Call, Cancelled, Comparison, Context, Declaration, Failure, FailureKind, Map,
    Outcome, Param, Quantity, Step, Stopped, Success, Type, Value, World, format_duration, step_type,
};

step_type! {
    /// Connects to a TCP port and closes the connection again.
    ///
    /// ```yaml
    /// - uses: tcp.check
    ///   with: {host: db.internal, port: 5432, latency: "< 50ms"}
    /// ```
    ///
    /// It shows that somebody accepts connections there, not who. A connection that is refused or does not come about is
    /// inconclusive (`connect`, `timeout`); one that takes too long is a failure (`check`).
    pub struct Check = "tcp.check", declare;
}

fn declare(it: Declaration) -> Declaration {
    it.checks()
        .param(Param::required("host", Type::string()).doc("Name or address."))
        .param(Param::required("port", Type::integer_in(1, 65535)).doc("Port."))
        .param(
            Param::optional("latency", Type::Comparison(Quantity::Duration))
                .doc("How long connecting may take, such as `< 50ms`."),
        )
        .param(Param::optional("timeout", Type::positive_duration()).default("5s").doc("How long to try."))
        .output("latency", Type::number(), "Milliseconds until the connection stood.")
        .reads_resource("tcp", &["host", "port"])
}

impl Step for Check {
    fn declaration(&self) -> &Declaration {
        Self::declared()
    }

    fn run<'a>(&'a self, call: &'a Call, ctx: &'a dyn Context) -> BoxFuture<'a, Outcome> {
        Box::pin(async move { look(call, ctx).await.into() })
    }

    fn simulate(&self, _call: &Call, _world: &mut World) -> Map {
        Map::new()
    }
}

async fn look(call: &Call, ctx: &dyn Context) -> Result<Success, Outcome> {
    let (host, timeout) = (call.str("host")?, call.duration("timeout")?);
    let port = u16::try_from(call.int("port")?).map_err(|_| BadParam::new("port", "wanted 1 to 65535"))?;
    let wanted = match call.get("latency").and_then(Value::as_str) {
        Some(text) => Some(
            Comparison::parse(text, Quantity::Duration).map_err(|error| BadParam::new("latency", error))?,
        ),
        None => None,
    };
    let failed = |kind, what: String| Failure::new(kind, format!("{host}:{port}: {what}"));
    let latency_ns = match ctx.within(timeout, ctx.net().connect(host, port)).await {
        Ok(Ok(latency_ns)) => latency_ns,
        Ok(Err(message)) => {
            let (kind, what) = ctx.stopping().await.map_or((FailureKind::Connect, message), cancelled);
            return Err(Outcome::Failed(failed(kind, what)));
        }
        Err(Stopped::TooLong) => {
            let what = format!("no connection within {}", format_duration(timeout));
            return Err(Outcome::Failed(failed(FailureKind::Timeout, what)));
        }
        Err(Stopped::Cancelled(why)) => {
            let (kind, what) = cancelled(why);
            return Err(Outcome::Failed(failed(kind, what)));
        }
    };
    let latency = (latency_ns as f64 / 10_000.0).round() / 100.0;
    let outputs = Map::from([("latency".into(), latency.into())]);
    match wanted.filter(|wanted| !wanted.holds(latency)) {
        Some(wanted) => {
            let failure = failed(FailureKind::Check, format!("latency = {latency}ms, wanted {wanted}"));
            Err(Outcome::Failed(failure.outputs(outputs)))
        }
        None => Ok(Success { outputs, ..Success::default() }.note(format!("connected in {latency} ms"))),
    }
}

fn cancelled(why: Cancelled) -> (FailureKind, String) {
    match why {
        Cancelled::Timeout => (FailureKind::Timeout, "the step's time was over".into()),
        Cancelled::Run => (FailureKind::Cancelled, "stopped".into()),
    }
}

#[cfg(test)]
mod tests {
    use runbook_step::testing::{Answer, Fake};

    use super::*;

    fn said(fake: &Fake, params: serde_json::Value) -> String {
        let given = Value::from_json(params).as_map().unwrap().clone();
        let call = Call { params: Check.declaration().fill(given).unwrap(), ..Call::default() };
        match fake.block_on(Check.run(&call, fake)) {
            Outcome::Done(success) => success.note.unwrap(),
            Outcome::Failed(failure) => format!("{} {}", failure.kind, failure.message),
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn each_ending() {
        use serde_json::json;
        let open = || Fake::new().on_connect(|_| Answer::now(Ok(())).after(20));
        let silent = || Fake::new().on_connect(|_| Answer::now(Ok(())).never());
        let endings = [
            said(&open(), json!({"host": "db", "port": 5432})),
            said(&open(), json!({"host": "db", "port": 5432, "latency": "< 20ms"})),
            said(&Fake::new(), json!({"host": "db", "port": 5432})),
            said(&silent(), json!({"host": "db", "port": 5432, "timeout": "1s"})),
            said(&silent().cancel_at(9, Cancelled::Run), json!({"host": "db", "port": 5432})),
        ];
        let patient = silent();
        said(&patient, json!({"host": "db", "port": 5432, "timeout": "3s"}));
        assert_eq!(patient.elapsed_ms(), 3_000);
        insta::assert_snapshot!(endings.join("\n"), @"
        connected in 20 ms
        check db:5432: latency = 20ms, wanted < 20ms
        connect db:5432: connection refused
        timeout db:5432: no connection within 1s
        cancelled db:5432: stopped
        ");
    }
}
