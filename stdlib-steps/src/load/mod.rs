//! `load.run`.

mod stats;
mod wanted;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use runbook_step::{
    BoxFuture, Call, Cancelled, Choice, Context, Declaration, Failure, FailureKind, HttpError, HttpRequest,
    Map, Outcome, Param, Step, Success, Type, World, format_duration, step_type,
};

use self::stats::Stats;
use self::wanted::Wanted;
use crate::http::exchange::{self, bare_request};
use crate::http::expect::Expect;

step_type! {
    /// Sends many HTTP requests and measures how they are answered.
    ///
    /// ```yaml
    /// - id: load
    ///   uses: load.run
    ///   with:
    ///     url: "${{ environment.vars.url }}/api/orders"
    ///     requests: 100
    ///     concurrency: 10
    ///     expect: {status: 200, failures: 0, p95: "< 500ms", max: "< 2s"}
    /// ```
    ///
    /// It stops after `requests`, after `duration`, or after whichever comes first; requests that are under way are waited
    /// for. `concurrency` requests are under way at any time, each new one starting as one ends, so a slow server is asked
    /// less: the figures say how these requests fared, not what a given rate would do.
    ///
    /// A request **fails** if its answer is lost, late, or of another status than `expect.status`. Percentiles are those of the
    /// requests that did not fail. A connection that is refused is followed by a pause of 100 ms in its place.
    ///
    /// Unless `expect.failures` says otherwise, no request may fail; and whatever it says, not all of them may. Every figure that is not as wanted is listed. The
    /// figures are outputs even then.
    ///
    /// Figures that are as `expect` says and not as `warn` says are a warning: `on_warning: continue | ask | fail` of the step
    /// decides.
    pub struct Run = "load.run", declare;
}

/// What a user would wait before trying again.
const PAUSE_AFTER_REFUSAL_MS: u64 = 100;

const PROGRESS_EVERY_NS: u64 = 1_000_000_000;

fn declare(it: Declaration) -> Declaration {
    it.checks()
        .param(Param::required("url", Type::url()).doc("Where to ask. May contain a secret."))
        .param(Param::optional("method", Type::one_of(["GET", "HEAD"])).default("GET").doc("How to ask."))
        .param(
            Param::optional("headers", Type::map_of(Type::printable()))
                .doc("Request headers. Values may be secrets."),
        )
        .param(Param::optional("requests", Type::integer_in(1, 10_000_000)).doc("How many requests."))
        .param(Param::optional("duration", Type::positive_duration()).doc("For how long new requests start."))
        .choice(Choice::AtLeastOne, &["requests", "duration"])
        .param(
            Param::optional("concurrency", Type::integer_in(1, 1000)).default(10).doc("How many at a time."),
        )
        .param(
            Param::optional("timeout", Type::positive_duration())
                .default("10s")
                .doc("How long one request may take."),
        )
        .param(Param::optional("expect", Wanted::expect_type()).doc("What the figures must be."))
        .param(
            Param::optional("warn", Wanted::warn_type())
                .doc("What the figures should be: where they are not, the step goes through with a warning."),
        )
        .output("requests", Type::integer(), "How many requests ended.")
        .output("failures", Type::integer(), "How many of them failed.")
        .output("rps", Type::number(), "Requests that did not fail, per second.")
        .output(
            "p50",
            Type::number(),
            "Milliseconds in which half of the requests were answered; `null` if none was.",
        )
        .output("p90", Type::number(), "As `p50`, for 90 of 100.")
        .output("p95", Type::number(), "As `p50`, for 95 of 100.")
        .output("p99", Type::number(), "As `p50`, for 99 of 100.")
        .output("max", Type::number(), "The slowest, in milliseconds.")
        .output(
            "first_error",
            Type::string(),
            "What was wrong with the first request that failed; `null` if none did.",
        )
        .reads_resource("http", &["url"])
}

impl Step for Run {
    fn declaration(&self) -> &Declaration {
        Self::declared()
    }

    fn run<'a>(&'a self, call: &'a Call, ctx: &'a dyn Context) -> BoxFuture<'a, Outcome> {
        Box::pin(async move { load(call, ctx).await.into() })
    }

    fn simulate(&self, call: &Call, _world: &mut World) -> Map {
        let mut outputs = Map::from([("failures".into(), 0.into())]);
        if let Some(requests) = call.get("requests") {
            outputs.insert("requests".into(), requests.clone());
        }
        outputs
    }
}

async fn load(call: &Call, ctx: &dyn Context) -> Result<Success, Outcome> {
    let wanted = Wanted::read(call)?;
    let expect = Expect::status(wanted.status());
    let request = bare_request(call, call.str("method")?)?;
    let limit = match call.get("requests") {
        Some(_) => u64::try_from(call.int("requests")?).unwrap_or(0),
        None => u64::MAX,
    };
    let duration_ns = match call.get("duration") {
        Some(_) => call.duration("duration")?.saturating_mul(1_000_000),
        None => u64::MAX,
    };
    let concurrency = usize::try_from(call.int("concurrency")?).unwrap_or(1);

    let mut stats = Stats::default();
    let mut flying = FuturesUnordered::new();
    let mut stopped = None;
    let mut begun = 0;
    let mut told_ns = 0;
    let start = ctx.monotonic_ns();
    let elapsed = || ctx.monotonic_ns().saturating_sub(start);
    loop {
        while flying.len() < concurrency && begun < limit && elapsed() < duration_ns && stopped.is_none() {
            flying.push(shot(ctx, &request, &expect));
            begun += 1;
        }
        match flying.next().await {
            Some(Shot::Answered { latency_ns }) => stats.answered(latency_ns),
            Some(Shot::Failed(failure)) => stats.failed(failure),
            Some(Shot::Stopped(why)) => stopped = Some(why),
            Some(Shot::Impossible(failure)) => return Err(Outcome::Failed(failure)),
            None => break,
        }
        if elapsed() >= told_ns + PROGRESS_EVERY_NS {
            told_ns = elapsed();
            ctx.progress(&format!("{} requests, {} failed", stats.requests(), stats.failures()));
        }
    }
    conclude(&stats, &wanted, elapsed(), stopped)
}

/// How one request ended.
enum Shot {
    Answered {
        latency_ns: u64,
    },
    Failed(Failure),
    Stopped(Cancelled),
    /// It cannot be made, and neither can the others.
    Impossible(Failure),
}

async fn shot(ctx: &dyn Context, request: &HttpRequest, expect: &Expect) -> Shot {
    match ctx.http().send(request).await {
        Ok(response) => match expect.judge(&response, ctx) {
            Ok(()) => Shot::Answered { latency_ns: response.elapsed_ns },
            Err(mismatch) => {
                let message = format!("{}: {}", exchange::target(request), mismatch.message);
                Shot::Failed(Failure::new(FailureKind::Http(response.status), message))
            }
        },
        Err(HttpError::Cancelled { why, .. }) => Shot::Stopped(why),
        Err(error @ HttpError::Invalid(_)) => Shot::Impossible(exchange::failure(request, &error).0),
        Err(error) => {
            let (failure, sent) = exchange::failure(request, &error);
            if !sent && let Err(why) = ctx.pause(PAUSE_AFTER_REFUSAL_MS).await {
                return Shot::Stopped(why);
            }
            Shot::Failed(failure)
        }
    }
}

fn conclude(
    stats: &Stats,
    wanted: &Wanted,
    elapsed_ns: u64,
    stopped: Option<Cancelled>,
) -> Result<Success, Outcome> {
    let outputs = stats.outputs(elapsed_ns);
    let summary = stats.summary(&outputs);
    let failed =
        |kind, message: String| Err(Outcome::Failed(Failure::new(kind, message).outputs(outputs.clone())));
    let after = format_duration(elapsed_ns / 1_000_000);
    match stopped {
        Some(Cancelled::Timeout) => {
            return failed(
                FailureKind::Timeout,
                format!("the step's time was over after {after}; until then {summary}"),
            );
        }
        Some(Cancelled::Run) => {
            return failed(FailureKind::Cancelled, format!("stopped after {after}; until then {summary}"));
        }
        None => {}
    }
    let mut missed = wanted.missed(&outputs);
    if missed.is_empty() && stats.failures() == stats.requests() {
        // However many may fail: of a service that nobody has reached there are no figures.
        missed.push(format!("no request succeeded: {summary}"));
    }
    if missed.is_empty() {
        let short = wanted.short_of(&outputs);
        let success = Success { outputs, ..Success::default() }.note(summary);
        return Ok(if short.is_empty() { success } else { success.warning(short.join("; ")) });
    }
    let first = stats.first_failure();
    // Nobody there at all is another thing than too slow.
    let kind = match first {
        Some(first) if stats.failures() == stats.requests() => first.kind,
        _ => FailureKind::Check,
    };
    let first = first.map(|first| format!(" (first: {})", first.message)).unwrap_or_default();
    failed(kind, format!("{}{first}", missed.join("; ")))
}

#[cfg(test)]
mod tests;
