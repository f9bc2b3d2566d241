//! `http.request`.

use runbook_step::{
    BadParam, BoxFuture, Call, Change, ChangeSource, Choice, Context, Declaration, Failure, FailureKind,
    HttpBody, HttpError, HttpRequest, HttpResponse, Idempotence, Map, Outcome, Param, Resource, Step,
    Success, Type, Value, World, step_type,
};

use super::check::simulate;
use super::exchange::{self, declare_request, declare_response};
use super::expect::{Expect, Mismatch, expect_type};

step_type! {
    /// Sends an HTTP request.
    ///
    /// ```yaml
    /// - id: drain
    ///   uses: http.request
    ///   with:
    ///     method: POST
    ///     url: "${{ environment.vars.balancer }}/hosts/web3/drain"
    ///     headers: {authorization: "Bearer ${{ secrets.balancer }}"}
    ///     json: {deadline: 30}
    ///     expect: {status: [200, 202]}
    ///   rollback:
    ///     uses: http.request
    ///     with: {method: DELETE, url: "${{ environment.vars.balancer }}/hosts/web3/drain"}
    /// ```
    ///
    /// The body is one of `json`, `form` and `body`; secrets may stand in each. `expect` is that of
    /// [`http.check`](http.check.md), and is any status from 200 to 299 if it is left out.
    ///
    /// A request counts as a change, whatever its method, unless the step says `effect: read`. It has no undo of its own:
    /// say `rollback:`, or use [`http.resource`](http.resource.md), which puts back what was there.
    ///
    /// **How it ends.** Nobody answers: nothing happened. A status by which the receiver itself says that it did not do it
    /// (400 to 405, 407, 410 to 417, 421 to 424, 426, 428, 429, 431, 451): nothing happened. Any other answer that is not wanted,
    /// or one whose body is longer than `max_body`: failed. An answer that was lost, or did not come in time, after the
    /// request had left: in doubt, whatever the method; with `effect: read`, failed. Every request that is not GET, HEAD or
    /// OPTIONS carries the header `Idempotency-Key`, the same in each attempt, so that a receiver which honours it does the
    /// work once.
    ///
    /// A cookie that an answer sets is a credential: its value is neither recorded nor shown, so a later step cannot have it
    /// (`expect` sees it as it came). It goes along where the same step follows a redirect on the same server: to look at
    /// what only those see who have logged in, post the form with `redirects: 1`.
    ///
    /// Once a redirect was followed, the request that you meant has been answered, and how the next one ends says nothing
    /// about it: then no status means that nothing happened, and a server that cannot be reached leaves it in doubt.
    pub struct Request = "http.request", declare;
}

fn declare(it: Declaration) -> Declaration {
    let methods = Type::one_of(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]);
    let it = it
        .effect_declared(Idempotence::WithKey)
        .param(Param::required("url", Type::url()).doc("Where to send it. May contain a secret."))
        .param(Param::optional("method", methods).default("GET").doc("The method."))
        .param(Param::optional("json", Type::Payload).doc("The body, as JSON.").told())
        .param(
            Param::optional("form", Type::map_of(Type::printable())).doc("The body, as form fields.").told(),
        )
        .param(Param::optional("body", Type::Secret { plain: true }).doc("The body, as text.").told())
        .choice(Choice::AtMostOne, &["json", "form", "body"])
        .param(Param::optional("expect", expect_type()).doc("What the answer must be like."));
    declare_response(declare_request(it)).writes_resource("http", &["url"])
}

impl Step for Request {
    fn declaration(&self) -> &Declaration {
        Self::declared()
    }

    fn run<'a>(&'a self, call: &'a Call, ctx: &'a dyn Context) -> BoxFuture<'a, Outcome> {
        Box::pin(async move { send(call, ctx).await.into() })
    }

    fn plan<'a>(&'a self, call: &'a Call, _ctx: &'a dyn Context) -> BoxFuture<'a, Vec<Change>> {
        Box::pin(async move {
            let Ok(request) = request(call) else { return Vec::new() };
            let body = match &request.body {
                HttpBody::Empty => String::new(),
                HttpBody::Text(_) => " with a text".into(),
                HttpBody::Json(json) => format!(" with {json}"),
                HttpBody::Form(fields) => {
                    format!(" with the fields {}", Vec::from_iter(fields.keys().cloned()).join(", "))
                }
            };
            vec![Change {
                resource: Resource { kind: "http".into(), id: request.url.to_string() },
                verb: "send",
                detail: Some(format!("{}{body}", request.method)),
                source: ChangeSource::Unknown,
            }]
        })
    }

    fn simulate(&self, call: &Call, world: &mut World) -> Map {
        if let Ok(request) = request(call)
            && !matches!(request.method.as_str(), "GET" | "HEAD" | "OPTIONS")
        {
            // What it is now only its receiver knows; that it is another than before can be told.
            let resource = Resource { kind: "http".into(), id: request.url.to_string() };
            let sent = match request.body {
                HttpBody::Empty => Value::Null,
                HttpBody::Text(body) | HttpBody::Json(body) => body,
                HttpBody::Form(fields) => fields.into(),
            };
            let change = Map::from([("method".into(), request.method.into()), ("sent".into(), sent)]);
            world.resources.insert(resource, change.into());
        }
        simulate(call)
    }
}

fn request(call: &Call) -> Result<HttpRequest, BadParam> {
    let request = exchange::request(call, call.str("method")?)?;
    Ok(HttpRequest { body: body(call)?, ..request })
}

fn body(call: &Call) -> Result<HttpBody, BadParam> {
    Ok(match (call.params.get("json"), call.get("form"), call.get("body")) {
        (Some(json), ..) => HttpBody::Json(json.clone()),
        (_, Some(_), _) => HttpBody::Form(exchange::printed(call.map("form")?)),
        (_, _, Some(text)) => HttpBody::Text(text.clone()),
        _ => HttpBody::Empty,
    })
}

async fn send(call: &Call, ctx: &dyn Context) -> Result<Success, Outcome> {
    let expect = Expect::read(call)?;
    let request = request(call)?;
    let response = match ctx.http().send(&request).await {
        Ok(response) => response,
        Err(error) => return Err(unanswered(&request, &error)),
    };
    match expect.judge(&response, ctx) {
        Ok(()) => {
            let note = format!("{} in {} ms", response.status, exchange::latency_ms(&response));
            Ok(Success { outputs: exchange::outputs(&response, ctx), ..Success::default() }.note(note))
        }
        Err(mismatch) => Err(unwanted(&request, &response, mismatch, ctx)),
    }
}

/// No answer that can be used: whether anything happened depends on what had left, or on the status if there was one.
pub(crate) fn unanswered(request: &HttpRequest, error: &HttpError) -> Outcome {
    match (error, exchange::failure(request, error)) {
        (HttpError::TooLong { status, hops, .. }, (failure, _)) => {
            if refused(*status, *hops) {
                Outcome::NotDone(failure)
            } else {
                Outcome::Failed(failure)
            }
        }
        (_, (failure, false)) => Outcome::NotDone(failure),
        (_, (failure, true)) => Outcome::Unknown(failure),
    }
}

/// An answer that is not what was wanted.
pub(crate) fn unwanted(
    request: &HttpRequest,
    response: &HttpResponse,
    mismatch: Mismatch,
    ctx: &dyn Context,
) -> Outcome {
    let Mismatch { message: differences, status } = mismatch;
    let kind = if status { FailureKind::Http(response.status) } else { FailureKind::Check };
    let message = format!("{}: {differences}", exchange::target(request));
    let mut failure = Failure::new(kind, message).outputs(exchange::outputs(response, ctx));
    if let Some(hint) = exchange::redirect_hint(request, response).filter(|_| status) {
        failure = failure.hint(hint);
    }
    if status && refused(response.status, response.hops) {
        Outcome::NotDone(failure)
    } else {
        Outcome::Failed(failure)
    }
}

/// Statuses by which the receiver says that it did not act. Not among them: 408, 409 and 425, which may speak of another
/// request with the same key that is still under way; and 406, with which many a server finds out after the work that it
/// cannot write the answer in a form that was asked for. After a redirect a status speaks of another request altogether.
fn refused(status: u16, hops: u32) -> bool {
    hops == 0 && matches!(status, 400..=405 | 407 | 410..=417 | 421..=424 | 426 | 428 | 429 | 431 | 451)
}

#[cfg(test)]
mod tests;
