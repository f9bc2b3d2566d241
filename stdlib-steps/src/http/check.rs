//! `http.check`.

use runbook_step::{
    BoxFuture, Call, Context, Declaration, Failure, FailureKind, Map, Outcome, Param, Step, Success, Type,
    World, step_type,
};

use super::exchange::{self, declare_request, declare_response};
use super::expect::{Expect, expect_type, warn_type};

step_type! {
    /// Asks an HTTP endpoint and compares the answer with what is wanted.
    ///
    /// ```yaml
    /// - uses: http.check
    ///   with:
    ///     url: "${{ environment.vars.url }}/health"
    ///     expect:
    ///       status: 200
    ///       json: {status: healthy, "checks[0].ok": true, queue: "< 10"}
    ///       latency: "< 2s"
    ///     warn: {latency: "< 500ms"}
    /// ```
    ///
    /// Without `expect` any status from 200 to 299 will do. Every difference is listed, with what came and what was
    /// wanted. In `json`, names at the top are paths (`data.items[0].id`; a name with a dot in quotes and brackets:
    /// `["example.org/owner"]`), maps may have more than is wanted, lists must have the same length, and a text such as
    /// `< 10` compares where a number comes.
    ///
    /// **How it ends.** An answer that differs is a failure (`http:503` for the status, else `check`). No answer at all is
    /// inconclusive (`connect`, `lost`, `timeout`), which never passes either. The sample is among the outputs even then.
    ///
    /// **Less well than it should.** An answer that is as `expect` says and not as `warn` says goes through with a warning:
    /// `on_warning: continue | ask | fail` of the step decides.
    ///
    /// The values of cookies that an answer sets are credentials and not recorded; see [`http.request`](http.request.md).
    ///
    /// It looks once. To wait until something holds, put it into `wait: {until: …}` or use [`http.wait`](http.wait.md).
    pub struct Check = "http.check", declare;
}

fn declare(it: Declaration) -> Declaration {
    let warn = Param::optional("warn", warn_type())
        .doc("What the answer should be like: where it is not, the check goes through with a warning.");
    declare_response(declare_check(it.checks()).param(warn))
}

/// The parameters of a check, which waiting for one shares.
pub(super) fn declare_check(it: Declaration) -> Declaration {
    let it = it
        .param(Param::required("url", Type::url()).doc("Where to ask. May contain a secret."))
        .param(Param::optional("method", Type::one_of(["GET", "HEAD"])).default("GET").doc("How to ask."))
        .param(Param::optional("expect", expect_type()).doc("What the answer must be like."));
    declare_request(it).reads_resource("http", &["url"])
}

/// Asks once.
pub(super) async fn look(call: &Call, ctx: &dyn Context) -> Result<Success, Outcome> {
    let expect = Expect::read(call)?;
    let warn = Expect::read_warn(call)?;
    let request = exchange::request(call, call.str("method")?)?;
    let response = match ctx.http().send(&request).await {
        Ok(response) => response,
        Err(error) => return Err(Outcome::Failed(exchange::failure(&request, &error).0)),
    };
    let outputs = exchange::outputs(&response, ctx);
    match expect.judge(&response, ctx) {
        Ok(()) => {
            let note = format!("{} in {} ms", response.status, exchange::latency_ms(&response));
            let success = Success { outputs, ..Success::default() }.note(note);
            Ok(match warn.judge(&response, ctx) {
                Ok(()) => success,
                Err(mismatch) => {
                    success.warning(format!("{}: {}", exchange::target(&request), mismatch.message))
                }
            })
        }
        Err(mismatch) => {
            let kind = if mismatch.status { FailureKind::Http(response.status) } else { FailureKind::Check };
            let message = format!("{}: {}", exchange::target(&request), mismatch.message);
            let failure = Failure::new(kind, message).outputs(outputs);
            Err(Outcome::Failed(match exchange::redirect_hint(&request, &response) {
                Some(hint) if mismatch.status => failure.hint(hint),
                _ => failure,
            }))
        }
    }
}

impl Step for Check {
    fn declaration(&self) -> &Declaration {
        Self::declared()
    }

    fn run<'a>(&'a self, call: &'a Call, ctx: &'a dyn Context) -> BoxFuture<'a, Outcome> {
        Box::pin(async move { look(call, ctx).await.into() })
    }

    fn simulate(&self, call: &Call, _world: &mut World) -> Map {
        simulate(call)
    }
}

/// A check that holds answers with a status that is wanted; where several are, with the first of them.
pub(super) fn simulate(call: &Call) -> Map {
    let wanted = Expect::read(call).map(|expect| expect.a_status());
    wanted.map(|status| Map::from([("status".into(), status.into())])).unwrap_or_default()
}

#[cfg(test)]
mod tests;
