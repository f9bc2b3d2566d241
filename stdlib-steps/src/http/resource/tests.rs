use std::sync::{Arc, Mutex};

use runbook_step::testing::{Answer, Fake, response};
use runbook_step::{Cancelled, HttpError, HttpResponse};
use serde_json::json;

use super::*;

fn call(params: serde_json::Value) -> Call {
    let mut given = Value::from_json(params).as_map().unwrap().clone();
    given.entry("url".into()).or_insert_with(|| "http://router/live".into());
    Call { params: Resource.declaration().fill(given).unwrap(), ..Call::default() }
}

/// A server with one resource, which shows more than was put.
#[derive(Clone, Default)]
struct Server(Arc<Mutex<Option<serde_json::Value>>>);

impl Server {
    fn with(state: serde_json::Value) -> Self {
        let server = Server::default();
        server.set(Some(state));
        server
    }

    fn set(&self, state: Option<serde_json::Value>) {
        *self.0.lock().unwrap() = state;
    }

    fn state(&self) -> String {
        self.0.lock().unwrap().as_ref().map_or("absent".into(), ToString::to_string)
    }

    fn answer(&self, request: &HttpRequest) -> Answer<Result<HttpResponse, HttpError>> {
        let mut state = self.0.lock().unwrap();
        match (request.method.as_str(), &request.body) {
            ("GET", _) => match &*state {
                Some(state) => {
                    let mut shown = state.clone();
                    shown["since"] = "today".into();
                    response(200, shown.to_string())
                }
                None => response(404, "nothing here"),
            },
            ("PUT", HttpBody::Json(body)) => {
                *state = Some(body.to_json());
                response(200, "")
            }
            ("DELETE", _) => response(if state.take().is_some() { 204 } else { 404 }, ""),
            other => panic!("{other:?}"),
        }
    }

    fn fake(&self) -> Fake {
        let server = self.clone();
        Fake::new().on_http(move |request| server.answer(request))
    }
}

fn told(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Done(success) => format!("done {}", success.note.clone().unwrap_or_default()),
        Outcome::Failed(failure) => format!("failed {} {}", failure.kind, failure.message),
        Outcome::NotDone(failure) => format!("not_done {} {}", failure.kind, failure.message),
        Outcome::Unknown(failure) => format!("unknown {} {}", failure.kind, failure.message),
    }
}

fn prepared(fake: &Fake, call: &Call) -> Call {
    let prepared = fake.block_on(Resource.prepare(call, fake)).unwrap();
    Call { prepared, ..call.clone() }
}

fn methods(fake: &Fake) -> String {
    fake.seen().requests.iter().map(|request| request.method.clone()).collect::<Vec<_>>().join(" ")
}

/// Prepare, run, undo; what was told, and the state after each.
fn round(server: &Server, call: &Call) -> String {
    let fake = server.fake();
    let call = prepared(&fake, call);
    let ran = fake.block_on(Resource.run(&call, &fake));
    let after = server.state();
    let again = fake.block_on(Resource.verify(&call, &fake));
    let undone = fake.block_on(Resource.undo(&call, &fake));
    let undone_again = fake.block_on(Resource.undo(&call, &fake));
    let outputs = Value::from(ran.outputs().clone());
    assert!(matches!(again, Verdict::Done(ref outputs) if outputs == ran.outputs()), "{again:?}");
    [
        told(&ran),
        format!("  {outputs}"),
        format!("  {after}"),
        told(&undone),
        format!("  {}", server.state()),
        told(&undone_again),
        methods(&fake),
    ]
    .join("\n")
}

#[test]
fn changes_and_puts_back() {
    let server = Server::with(json!({"colour": "blue", "owner": "ana"}));
    insta::assert_snapshot!(round(&server, &call(json!({"desired": {"colour": "green"}}))), @r#"
    done {"colour":"blue"} → {"colour":"green"}
      {"before":{"colour":"blue"},"changed":true,"now":{"colour":"green","since":"today"}}
      {"colour":"green"}
    done {"colour":"green"} → {"colour":"blue"}
      {"colour":"blue"}
    done is {"colour":"blue"} already
    GET PUT GET GET GET PUT GET GET
    "#);
}

#[test]
fn creates_and_deletes() {
    insta::assert_snapshot!(round(&Server::default(), &call(json!({"desired": {"colour": "green"}}))), @r#"
    done absent → {"colour":"green"}
      {"before":null,"changed":true,"now":{"colour":"green","since":"today"}}
      {"colour":"green"}
    done {"colour":"green"} → absent
      absent
    done is absent already
    GET PUT GET GET GET DELETE GET GET
    "#);
}

#[test]
fn deletes_and_creates_again() {
    let server = Server::with(json!({"version": "v1", "behaviour": "slow", "pid": 7}));
    let call = call(json!({"absent": true, "fields": ["version", "behaviour"]}));
    insta::assert_snapshot!(round(&server, &call), @r#"
    done {"behaviour":"slow","version":"v1"} → absent
      {"before":{"behaviour":"slow","version":"v1"},"changed":true,"now":null}
      absent
    done absent → {"behaviour":"slow","version":"v1"}
      {"behaviour":"slow","version":"v1"}
    done is {"behaviour":"slow","version":"v1"} already
    GET DELETE GET GET GET PUT GET GET
    "#);
}

#[test]
fn what_is_already_so_stays_so() {
    let server = Server::with(json!({"colour": "green"}));
    insta::assert_snapshot!(round(&server, &call(json!({"desired": {"colour": "green"}}))), @r#"
    done was {"colour":"green"} already
      {"before":{"colour":"green"},"changed":false,"now":{"colour":"green","since":"today"}}
      {"colour":"green"}
    done is {"colour":"green"} already
      {"colour":"green"}
    done is {"colour":"green"} already
    GET PUT GET GET GET GET
    "#);
}

#[test]
fn undo_never_overwrites_what_somebody_else_did() {
    let server = Server::with(json!({"colour": "blue", "weight": 1}));
    let fake = server.fake();
    let call = prepared(&fake, &call(json!({"desired": {"colour": "green", "weight": 5}})));
    fake.block_on(Resource.run(&call, &fake));
    server.set(Some(json!({"colour": "red", "weight": 5})));
    insta::assert_snapshot!(told(&fake.block_on(Resource.undo(&call, &fake))), @r#"not_done error http://router/live is {"colour":"red","weight":5}: neither what this step made it ({"colour":"green","weight":5}) nor what it was before ({"colour":"blue","weight":1}); it was not touched"#);
    // Half done is ours.
    server.set(Some(json!({"colour": "green", "weight": 1})));
    insta::assert_snapshot!(told(&fake.block_on(Resource.undo(&call, &fake))), @r#"done {"colour":"green","weight":5} → {"colour":"blue","weight":1}"#);
    // Deleted by somebody else.
    server.set(None);
    insta::assert_snapshot!(told(&fake.block_on(Resource.undo(&call, &fake))), @r#"not_done error http://router/live is absent: neither what this step made it ({"colour":"green","weight":5}) nor what it was before ({"colour":"blue","weight":1}); it was not touched"#);
    let unprepared = Call { prepared: Value::Null, ..call };
    insta::assert_snapshot!(told(&fake.block_on(Resource.undo(&unprepared, &fake))), @"not_done error what was there before was not recorded");
}

#[test]
fn an_accepted_change_that_does_not_show_is_a_failure() {
    let deaf = |after: u64| {
        Fake::new().on_http(move |request| match request.method.as_str() {
            "GET" => response(200, "{\"colour\": \"blue\"}").after(after),
            _ => response(202, ""),
        })
    };
    let call = call(json!({"desired": {"colour": "green"}, "within": "3s"}));
    let fake = deaf(1);
    insta::assert_snapshot!(told(&fake.block_on(Resource.run(&call, &fake))), @r#"failed check http://router/live was accepted, but it is {"colour":"blue"}, wanted {"colour":"green"} (after 3s)"#);
    assert!(fake.elapsed_ms() <= 3_000);
    let fake = deaf(1).cancel_at(700, Cancelled::Timeout);
    insta::assert_snapshot!(told(&fake.block_on(Resource.run(&call, &fake))), @r#"failed timeout http://router/live was accepted, but it is {"colour":"blue"}, wanted {"colour":"green"}"#);
    assert!(matches!(fake.block_on(Resource.verify(&call, &fake)), Verdict::Unknown(_)));
}

#[test]
fn refusals_are_in_the_servers_words() {
    let refusing = |status| Fake::new().on_http(move |_| response(status, "{\"error\": \"blue is live\"}"));
    let call = call(json!({"desired": {"colour": "green"}}));
    let said = |fake: &Fake| told(&fake.block_on(Resource.run(&call, fake)));
    let endings = [said(&refusing(409)), said(&refusing(403)), said(&refusing(500)), said(&Fake::new())];
    insta::assert_snapshot!(endings.join("\n"), @r#"
    failed http:409 PUT http://router/live: status = 409, wanted 2xx, saying `{"error": "blue is live"}`
    not_done http:403 PUT http://router/live: status = 403, wanted 2xx, saying `{"error": "blue is live"}`
    failed http:500 PUT http://router/live: status = 500, wanted 2xx, saying `{"error": "blue is live"}`
    not_done connect PUT http://router/live: connection refused
    "#);
    let fake = refusing(500);
    insta::assert_snapshot!(fake.block_on(Resource.prepare(&call, &fake)).unwrap_err().message, @r#"GET http://router/live: status = 500, wanted 2xx, saying `{"error": "blue is live"}`"#);
}

#[test]
fn the_plan_shows_the_difference() {
    let planned = |server: Server, params| {
        let fake = server.fake();
        let changes = fake.block_on(Resource.plan(&call(params), &fake));
        assert_eq!(methods(&fake), "GET");
        changes
            .into_iter()
            .map(|change| format!("{} {}", change.verb, change.detail.unwrap()))
            .collect::<String>()
    };
    let green = || json!({"desired": {"colour": "green"}});
    let blue = || Server::with(json!({"colour": "blue"}));
    insta::assert_snapshot!(planned(blue(), green()), @r#"update {"colour":"blue"} → {"colour":"green"}"#);
    insta::assert_snapshot!(planned(Server::default(), green()), @r#"create absent → {"colour":"green"}"#);
    insta::assert_snapshot!(planned(blue(), json!({"absent": true, "fields": ["colour"]})), @r#"delete {"colour":"blue"} → absent"#);
    insta::assert_snapshot!(planned(Server::with(json!({"colour": "green"})), green()), @"");
}
