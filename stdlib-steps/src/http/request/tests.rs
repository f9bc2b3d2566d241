use runbook_step::testing::{Fake, response};
use runbook_step::{Cancelled, HttpError, Secret, Value};
use serde_json::json;

use super::*;

fn call(params: serde_json::Value) -> Call {
    let mut given = Value::from_json(params).as_map().unwrap().clone();
    given.entry("url".into()).or_insert_with(|| "http://shop/orders".into());
    Call { params: Request.declaration().fill(given).unwrap(), ..Call::default() }
}

fn ended(fake: &Fake, method: &str) -> String {
    let outcome = fake.block_on(Request.run(&call(json!({"method": method})), fake));
    let word = match outcome {
        Outcome::Done(_) => "done",
        Outcome::Failed(_) => "failed",
        Outcome::NotDone(_) => "not_done",
        Outcome::Unknown(_) => "unknown",
    };
    let failure = outcome.failure().map(|failure| format!(" {} {}", failure.kind, failure.message));
    format!("{word}{}", failure.unwrap_or_default())
}

#[test]
fn what_is_known_after_each_ending() {
    let lost = || Fake::new().on_http(|_| Err(HttpError::Lost("connection reset by peer".into())));
    let slow = || Fake::new().on_http(|_| response(200, "").never());
    let unsent = || {
        Fake::new()
            .on_http(|_| Err(HttpError::Timeout { message: "no connection within 10s".into(), sent: false }))
    };
    let status = |status| Fake::new().on_http(move |_| response(status, "{\"error\": \"not now\"}"));
    let endings = [
        ended(&Fake::new(), "POST"),
        ended(&unsent(), "POST"),
        ended(&lost(), "POST"),
        ended(&lost(), "PUT"),
        ended(&slow(), "PATCH"),
        ended(&slow(), "GET"),
        ended(&slow().cancel_at(1, Cancelled::Run), "POST"),
        ended(&status(201), "POST"),
        ended(&status(403), "POST"),
        ended(&status(406), "POST"),
        ended(&status(409), "POST"),
        ended(&status(500), "POST"),
    ];
    insta::assert_snapshot!(endings.join("\n"), @r#"
    not_done connect POST http://shop/orders: connection refused
    not_done timeout POST http://shop/orders: no connection within 10s
    unknown lost POST http://shop/orders: connection reset by peer
    unknown lost PUT http://shop/orders: connection reset by peer
    unknown timeout PATCH http://shop/orders: no answer
    unknown timeout GET http://shop/orders: no answer
    unknown cancelled POST http://shop/orders: cancelled before an answer came
    done
    not_done http:403 POST http://shop/orders: status = 403, wanted 2xx, saying `{"error": "not now"}`
    failed http:406 POST http://shop/orders: status = 406, wanted 2xx, saying `{"error": "not now"}`
    failed http:409 POST http://shop/orders: status = 409, wanted 2xx, saying `{"error": "not now"}`
    failed http:500 POST http://shop/orders: status = 500, wanted 2xx, saying `{"error": "not now"}`
    "#);
}

#[test]
fn bodies_go_out_as_they_are_meant() {
    let fake = Fake::new().on_http(|_| response(200, ""));
    let sent = |params: serde_json::Value, secret: Option<&str>| {
        let mut call = call(params);
        if let Some(Value::Map(body)) = secret.and_then(|param| call.params.get_mut(param)) {
            body.insert("key".into(), Secret::named("key").into());
        }
        fake.block_on(Request.run(&call, &fake));
        format!("{:?}", fake.seen().requests.pop().unwrap().body)
    };
    insta::assert_snapshot!(sent(json!({"json": {"n": 1}}), Some("json")), @r#"Json(Map({"key": Secret(Secret { parts: [Name("key")] }), "n": Int(1)}))"#);
    insta::assert_snapshot!(sent(json!({"form": {"n": 1, "ok": true}}), Some("form")), @r#"Form({"key": Secret(Secret { parts: [Name("key")] }), "n": Str("1"), "ok": Str("true")})"#);
    insta::assert_snapshot!(sent(json!({"body": "text"}), None), @r#"Text(Str("text"))"#);
    insta::assert_snapshot!(sent(json!({}), None), @"Empty");
    assert!(fake.seen().revealed.is_empty());
}

#[test]
fn one_body_at_most() {
    let given =
        Value::from_json(json!({"url": "http://a/", "json": 1, "body": "x"})).as_map().unwrap().clone();
    insta::assert_snapshot!(Request.declaration().fill(given).unwrap_err()[0], @"give at most one of `json`, `form`, `body`");
}

#[test]
fn the_plan_shows_the_request_without_its_secrets() {
    let mut call = call(json!({"method": "POST", "json": {"n": 1}}));
    call.params.insert("json".into(), Map::from([("key".into(), Secret::named("key").into())]).into());
    let fake = Fake::new();
    let changes = fake.block_on(Request.plan(&call, &fake));
    insta::assert_snapshot!(changes[0].detail.as_ref().unwrap(), @r#"POST with {"key":"${{ secrets.key }}"}"#);
}
