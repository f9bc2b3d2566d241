//! `http.wait`.

use runbook_step::{
    BadParam, BoxFuture, Call, Cancelled, Context, Declaration, Failure, FailureKind, Map, Outcome, Param,
    Step, Success, Type, Value, World, format_duration, step_type,
};

use super::check::{declare_check, look, simulate};
use super::exchange::declare_response;

step_type! {
    /// Asks an HTTP endpoint until the answer is what is wanted.
    ///
    /// ```yaml
    /// - uses: http.wait
    ///   with:
    ///     url: "${{ environment.vars.url }}/health"
    ///     expect: {json: {status: healthy}}
    ///     within: 2m
    ///     every: 1s
    /// ```
    ///
    /// Parameters and outputs are those of [`http.check`](http.check.md), with `within` and `every`. What comes in
    /// between is no failure: it is shown while it waits, and the last of it is in the message if time runs out.
    ///
    /// A wait that has to hold for some time, survive a restart of `runbook` without starting anew, or look at anything
    /// but HTTP, is `wait: {until: …, hold: …}`.
    pub struct Wait = "http.wait", declare;
}

fn declare(it: Declaration) -> Declaration {
    let within =
        Param::optional("within", Type::positive_duration()).default("5m").doc("How long to go on asking.");
    let every =
        Param::optional("every", Type::positive_duration()).default("2s").doc("The time between two tries.");
    declare_response(declare_check(it).param(within).param(every))
        .output("attempts", Type::integer(), "How many tries it took.")
        .output("waited", Type::number(), "Milliseconds until the wanted answer came.")
}

impl Step for Wait {
    fn declaration(&self) -> &Declaration {
        Self::declared()
    }

    fn run<'a>(&'a self, call: &'a Call, ctx: &'a dyn Context) -> BoxFuture<'a, Outcome> {
        Box::pin(async move { wait(call, ctx).await.into() })
    }

    fn simulate(&self, call: &Call, _world: &mut World) -> Map {
        simulate(call)
    }
}

async fn wait(call: &Call, ctx: &dyn Context) -> Result<Success, Outcome> {
    let (within, every) = (call.duration("within")?, call.duration("every")?);
    let start = ctx.monotonic_ns();
    let waited_ms = || ctx.monotonic_ns().saturating_sub(start) / 1_000_000;
    for attempt in 1.. {
        let left = within.saturating_sub(waited_ms());
        let failure = match look(&limited(call, left)?, ctx).await {
            Ok(success) => {
                let success = success.output("attempts", attempt).output("waited", waited_ms() as f64);
                let note = format!("after {}, {attempt} tries", format_duration(waited_ms()));
                return Ok(success.note(note));
            }
            Err(Outcome::Failed(failure)) => failure,
            Err(refused) => return Err(refused),
        };
        if let Some(why) = ctx.stopping().await {
            return Err(stopped(why, failure));
        }
        if waited_ms() + every >= within {
            let message =
                format!("not within {} ({attempt} tries): {}", format_duration(within), failure.message);
            return Err(Outcome::Failed(Failure { kind: FailureKind::Timeout, message, ..failure }));
        }
        ctx.progress(&format!("try {attempt}: {}", failure.message));
        if let Err(why) = ctx.pause(every).await {
            return Err(stopped(why, failure));
        }
    }
    unreachable!("tries are numbered without end")
}

/// The call with a request timeout that does not go beyond the time that is left.
fn limited(call: &Call, left_ms: u64) -> Result<Call, BadParam> {
    let timeout = call.duration("timeout")?.min(left_ms.max(1));
    let mut limited = call.clone();
    limited.params.insert("timeout".into(), Value::Int(i64::try_from(timeout).unwrap_or(i64::MAX)));
    Ok(limited)
}

fn stopped(why: Cancelled, last: Failure) -> Outcome {
    let (kind, why) = match why {
        Cancelled::Timeout => (FailureKind::Timeout, "the step's time was over"),
        Cancelled::Run => (FailureKind::Cancelled, "stopped"),
    };
    Outcome::Failed(Failure { kind, message: format!("{why}; the last try: {}", last.message), ..last })
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use runbook_step::testing::{Fake, response};

    use super::*;

    fn call(params: serde_json::Value) -> Call {
        let given = Value::from_json(params).as_map().unwrap().clone();
        Call { params: Wait.declaration().fill(given).unwrap(), ..Call::default() }
    }

    #[test]
    fn waits_until_it_holds() {
        let tries = AtomicU32::new(0);
        let fake = Fake::new().on_http(move |_| match tries.fetch_add(1, Ordering::Relaxed) {
            0..3 => response(503, "").after(10),
            _ => response(200, "").after(10),
        });
        let call = call(serde_json::json!({"url": "http://shop/", "within": "1m", "every": "5s"}));
        let outcome = fake.block_on(Wait.run(&call, &fake));
        let Outcome::Done(success) = outcome else { panic!("{outcome:?}") };
        insta::assert_snapshot!(success.note.unwrap(), @"after 15s40ms, 4 tries");
        assert_eq!(success.outputs["attempts"], Value::Int(4));
        assert_eq!(fake.elapsed_ms(), 15_040);
        insta::assert_snapshot!(fake.seen().progress.join("\n"), @"
        try 1: GET http://shop/: status = 503, wanted 2xx
        try 2: GET http://shop/: status = 503, wanted 2xx
        try 3: GET http://shop/: status = 503, wanted 2xx
        ");
    }

    #[test]
    fn gives_up_and_says_what_came_last() {
        let ask =
            call(serde_json::json!({"url": "http://shop/", "within": "20s", "every": "2s", "timeout": "5s"}));
        let said = |fake: Fake| {
            let outcome = fake.block_on(Wait.run(&ask, &fake));
            let failure = outcome.failure().unwrap();
            assert!(fake.elapsed_ms() <= 20_000, "{}", fake.elapsed_ms());
            format!("{} {}", failure.kind, failure.message)
        };
        let failures = [
            said(Fake::new()),
            said(Fake::new().on_http(|_| response(200, "").never())),
            said(Fake::new().on_http(|_| response(503, "down for work")).cancel_at(3_000, Cancelled::Run)),
            said(Fake::new().on_http(|_| response(200, "").never()).cancel_at(3_000, Cancelled::Timeout)),
        ];
        insta::assert_snapshot!(failures.join("\n"), @"
        timeout not within 20s (10 tries): GET http://shop/: connection refused
        timeout not within 20s (3 tries): GET http://shop/: no answer
        cancelled stopped; the last try: GET http://shop/: status = 503, wanted 2xx, saying `down for work`
        timeout the step's time was over; the last try: GET http://shop/: its time was over before an answer came
        ");
    }

    #[test]
    fn the_last_try_does_not_go_beyond_the_time() {
        let ask = call(serde_json::json!({"url": "http://shop/", "within": "4s", "timeout": "1m"}));
        let fake = Fake::new().on_http(|_| response(200, "").never());
        fake.block_on(Wait.run(&ask, &fake));
        assert_eq!(fake.elapsed_ms(), 4_000);
    }

    #[test]
    fn a_bad_parameter_is_not_tried_again() {
        let fake = Fake::new();
        let outcome = fake.block_on(Wait.run(&call(serde_json::json!({"url": "shop"})), &fake));
        assert!(matches!(outcome, Outcome::NotDone(_)));
        assert_eq!(fake.elapsed_ms(), 0);
    }
}
