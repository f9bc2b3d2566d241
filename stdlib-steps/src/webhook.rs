//! `webhook.post`.

use runbook_step::{
    BoxFuture, Call, Change, ChangeSource, Context, Declaration, HttpBody, HttpRequest, Idempotence, Map,
    Outcome, Param, Resource, Step, Success, Type, World, step_type,
};

use crate::http::exchange::{bare_request, latency_ms};
use crate::http::expect::Mismatch;
use crate::http::request::{unanswered, unwanted};

step_type! {
    /// Tells somebody: posts JSON to a URL.
    ///
    /// ```yaml
    /// finally:
    ///   - uses: webhook.post
    ///     with:
    ///       url: "${{ secrets.slack }}"
    ///       json: {text: "shop ${{ inputs.version }}: ${{ run.status }}"}
    /// ```
    ///
    /// It is a notification: if it fails, that is reported, and the run goes on unless the step says `required: true`. Any
    /// status from 200 to 299 will do. Secrets may stand in `url`, `headers` and `json`.
    ///
    /// A message cannot be taken back, so there is nothing to undo. If it is not known whether it arrived, it is sent
    /// again, with the same `Idempotency-Key`: better told twice than not at all.
    pub struct Post = "webhook.post", declare;
}

fn declare(it: Declaration) -> Declaration {
    it.notifies(Idempotence::WithKey)
        .param(Param::required("url", Type::url()).doc("Where to send it. May be a secret."))
        .param(Param::required("json", Type::Payload).doc("What is sent, as JSON.").told())
        .param(
            Param::optional("headers", Type::map_of(Type::printable()))
                .doc("Request headers. Values may be secrets."),
        )
        .param(
            Param::optional("timeout", Type::positive_duration()).default("10s").doc("How long it may take."),
        )
        .output("status", Type::integer(), "The status of the answer.")
        .writes_resource("webhook", &["url"])
}

impl Step for Post {
    fn declaration(&self) -> &Declaration {
        Self::declared()
    }

    fn run<'a>(&'a self, call: &'a Call, ctx: &'a dyn Context) -> BoxFuture<'a, Outcome> {
        Box::pin(async move { post(call, ctx).await.into() })
    }

    fn plan<'a>(&'a self, call: &'a Call, _ctx: &'a dyn Context) -> BoxFuture<'a, Vec<Change>> {
        Box::pin(async move {
            let id = call.get("url").map(ToString::to_string).unwrap_or_default();
            let detail = call.get("json").map(ToString::to_string);
            let resource = Resource { kind: "webhook".into(), id };
            vec![Change { resource, verb: "send", detail, source: ChangeSource::Simulated }]
        })
    }

    fn simulate(&self, _call: &Call, _world: &mut World) -> Map {
        Map::from([("status".into(), 200.into())])
    }
}

async fn post(call: &Call, ctx: &dyn Context) -> Result<Success, Outcome> {
    let body = HttpBody::Json(call.value("json")?.clone());
    let request = HttpRequest { body, ..bare_request(call, "POST")? };
    match ctx.http().send(&request).await {
        Ok(response) if (200..300).contains(&response.status) => {
            let note = format!("{} in {} ms", response.status, latency_ms(&response));
            Ok(Success::default().output("status", response.status).note(note))
        }
        Ok(response) => Err(unwanted(&request, &response, Mismatch::of_status(&response, "2xx", ctx), ctx)),
        Err(error) => Err(unanswered(&request, &error)),
    }
}

#[cfg(test)]
mod tests {
    use runbook_step::testing::{Fake, response};
    use runbook_step::{HttpError, Secret, Value};

    use super::*;

    fn call() -> Call {
        let given = Map::from([
            ("url".into(), Secret::named("slack").into()),
            ("json".into(), Map::from([("text".into(), "v1.2.3 is live".into())]).into()),
        ]);
        Call { params: Post.declaration().fill(given).unwrap(), ..Call::default() }
    }

    #[test]
    fn posts_json() {
        let fake = Fake::new().on_http(|_| response(200, "ok"));
        assert!(matches!(fake.block_on(Post.run(&call(), &fake)), Outcome::Done(_)));
        let request = fake.seen().requests.remove(0);
        assert_eq!((request.method.as_str(), &request.url), ("POST", &Value::from(Secret::named("slack"))));
        assert_eq!(
            request.body,
            HttpBody::Json(Map::from([("text".into(), "v1.2.3 is live".into())]).into())
        );
        assert!(fake.seen().revealed.is_empty());
    }

    #[test]
    fn each_failure_names_the_url_by_reference() {
        let said = |fake: Fake| match fake.block_on(Post.run(&call(), &fake)) {
            Outcome::NotDone(failure) => format!("not_done {}", failure.message),
            Outcome::Failed(failure) => format!("failed {}", failure.message),
            Outcome::Unknown(failure) => format!("unknown {}", failure.message),
            Outcome::Done(_) => "done".into(),
        };
        let endings = [
            said(Fake::new()),
            said(Fake::new().on_http(|_| response(404, "no_service"))),
            said(Fake::new().on_http(|_| response(500, "<html>"))),
            said(Fake::new().on_http(|_| Err(HttpError::Lost("connection reset by peer".into())))),
        ];
        insta::assert_snapshot!(endings.join("\n"), @"
        not_done POST ${{ secrets.slack }}: connection refused
        not_done POST ${{ secrets.slack }}: status = 404, wanted 2xx, saying `no_service`
        failed POST ${{ secrets.slack }}: status = 500, wanted 2xx
        unknown POST ${{ secrets.slack }}: connection reset by peer
        ");
    }

    #[test]
    fn the_plan_shows_the_message() {
        let fake = Fake::new();
        let changes = fake.block_on(Post.plan(&call(), &fake));
        insta::assert_snapshot!(changes[0].detail.as_ref().unwrap(), @r#"{"text":"v1.2.3 is live"}"#);
    }
}
