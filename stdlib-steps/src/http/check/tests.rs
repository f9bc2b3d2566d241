use runbook_step::testing::{Fake, response};
use runbook_step::{Cancelled, HttpError, HttpResponse, Secret, Value, World};
use serde_json::json;

use super::*;

fn call(expect: serde_json::Value) -> Call {
    let given = json!({"url": "http://shop/health", "expect": expect});
    let given = Value::from_json(given).as_map().unwrap().clone();
    Call { params: Check.declaration().fill(given).unwrap(), ..Call::default() }
}

fn shop() -> HttpResponse {
    let body = json!({
        "status": "degraded", "queue": 12, "load": 0.5, "a.b": 1,
        "checks": [{"name": "db", "ok": true}, {"name": "cache", "ok": false}],
    });
    HttpResponse {
        headers: [("content-type", "application/json"), ("x-version", "v1.2.3")]
            .map(|(n, v)| (n.into(), v.into()))
            .into(),
        ..response(200, body.to_string()).value.unwrap()
    }
}

fn seen(expect: serde_json::Value) -> String {
    let fake = Fake::new().on_http(|_| runbook_step::testing::Answer::now(Ok(shop())).after(120));
    told(&fake.block_on(Check.run(&call(expect), &fake)))
}

fn told(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Done(success) => success.note.clone().unwrap_or_default(),
        Outcome::Failed(failure) => format!("{} {}", failure.kind, failure.message),
        other => format!("{other:?}"),
    }
}

#[test]
fn what_is_wanted_is_there() {
    for expect in [
        json!({}),
        json!({"status": 200}),
        json!({"status": "2xx"}),
        json!({"status": [204, "2xx"]}),
        json!({"headers": {"X-Version": "v1.2.3", "content-type": {"matches": "^application/"}, "server": false, "x-version": true}}),
        json!({"body": "degraded"}),
        json!({"body": {"contains": ["degraded", "queue"], "matches": "\"ok\":\\s*true"}}),
        json!({"json": {"status": "degraded", "load": "< 0.6", "queue": ">= 12", "checks[0].ok": true, "checks[-1].name": "cache"}}),
        json!({"json": {"checks": [{"ok": true}, {}], "[\"a.b\"]": 1.0}}),
        json!({"latency": "< 121ms"}),
    ] {
        assert_eq!(seen(expect.clone()), "200 in 120 ms", "{expect}");
    }
}

#[test]
fn every_difference_is_listed() {
    insta::assert_snapshot!(seen(json!({
        "status": [201, "5xx"],
        "headers": {"x-version": "v2.0.0", "content-type": false, "x-frame-options": true, "X-VERSION": {"matches": "^2"}},
        "body": {"contains": "healthy", "matches": "^ok$"},
        "json": {"status": "healthy", "queue": "< 10", "checks[1].ok": true, "checks[2].ok": true, "nothing.here": 1},
        "latency": "<= 100ms",
    })).replace("; ", "\n"), @r#"
    http:200 GET http://shop/health: status = 200, wanted 201 or 5xx, saying `{"status":"degraded","queue":12,"load":0.5,"a.b":1,"checks":[{"name":"db","ok":true},{"name":"cache"…`
    header x-version = "v1.2.3", wanted a match of `^2`
    header content-type = "application/json", wanted none
    header x-frame-options is missing
    header x-version = "v1.2.3", wanted "v2.0.0"
    body lacks "healthy"
    body does not match `^ok$`, it is `{"status":"degraded","queue":12,"load":0.5,"a.b":1,"checks":[{"name":"db","ok":true},{"name":"cache"…`
    json.checks[1].ok = false, wanted true
    json.checks[2].ok is missing, wanted true
    json.nothing.here is missing, wanted 1
    json.queue = 12, wanted < 10
    json.status = "degraded", wanted "healthy"
    latency = 120ms, wanted <= 100ms
    "#);
    insta::assert_snapshot!(seen(json!({"json": {"checks": [{"ok": true}], "load": "half", "queue": {"n": 1}}})).replace("; ", "\n"), @r#"
    check GET http://shop/health: json.checks = [{"name":"db","ok":true},{"name":"cache","ok":false}], wanted [{"ok":true}]
    json.load = 0.5, wanted "half"
    json.queue = 12, wanted {"n":1}
    "#);
}

#[test]
fn what_should_be_there_and_is_not_is_a_warning() {
    let warned = |expect: serde_json::Value, warn: serde_json::Value| {
        let fake = Fake::new().on_http(|_| {
            runbook_step::testing::Answer::now(Ok(response(404, "gone").value.unwrap())).after(120)
        });
        let mut call = call(expect);
        call.params.insert("warn".into(), Value::from_json(warn));
        match fake.block_on(Check.run(&call, &fake)) {
            Outcome::Done(success) => success.warning,
            other => Some(told(&other)),
        }
    };
    let found = json!({"status": 404});
    // Whatever the status: that is what `expect` is for.
    assert_eq!(warned(found.clone(), json!({"latency": "< 200ms", "body": "gone"})), None);
    insta::assert_snapshot!(warned(found, json!({"latency": "< 100ms", "headers": {"etag": true}})).unwrap(), @"GET http://shop/health: header etag is missing; latency = 120ms, wanted < 100ms");
    insta::assert_snapshot!(warned(json!({}), json!({"latency": "< 100ms"})).unwrap(), @"http:404 GET http://shop/health: status = 404, wanted 2xx, saying `gone`");
}

#[test]
fn the_sample_is_an_output_even_on_failure() {
    let fake = Fake::new().on_http(|_| response(503, "{\"status\": \"broken\"}").after(7));
    let outcome = fake.block_on(Check.run(&call(json!({})), &fake));
    insta::assert_snapshot!(told(&outcome), @r#"http:503 GET http://shop/health: status = 503, wanted 2xx, saying `{"status": "broken"}`"#);
    insta::assert_snapshot!(Value::from(outcome.outputs().clone()), @r#"{"body":"{\"status\": \"broken\"}","headers":{},"json":{"status":"broken"},"latency":7.0,"status":503}"#);
}

#[test]
fn no_answer_is_never_a_pass_and_says_why() {
    let said = |fake: Fake| told(&fake.block_on(Check.run(&call(json!({})), &fake)));
    let answers = [
        said(Fake::new()),
        said(Fake::new().on_http(|_| response(200, "").never())),
        said(Fake::new().on_http(|_| response(200, "").never()).cancel_at(5, Cancelled::Run)),
        said(Fake::new().on_http(|_| Err(HttpError::Lost("connection reset by peer".into())))),
        said(Fake::new().on_http(|_| response(200, vec![b'x'; (1 << 20) + 1]))),
    ];
    insta::assert_snapshot!(answers.join("\n"), @"
    connect GET http://shop/health: connection refused
    timeout GET http://shop/health: no answer
    cancelled GET http://shop/health: cancelled before an answer came
    lost GET http://shop/health: connection reset by peer
    error GET http://shop/health: status 200, but the body is longer than 1048576 bytes
    ");
}

#[test]
fn a_redirect_is_an_answer() {
    let moved = || HttpResponse {
        headers: [("location".into(), "https://shop/".into())].into(),
        ..response(301, "").value.unwrap()
    };
    let fake = Fake::new().on_http(move |_| Ok(moved()));
    let outcome = fake.block_on(Check.run(&call(json!({})), &fake));
    insta::assert_snapshot!(outcome.failure().unwrap().hint.as_ref().unwrap(), @"it redirects to https://shop/; ask there, or set `redirects`");
    assert_eq!(fake.seen().requests[0].redirects, 0);
    assert!(matches!(fake.block_on(Check.run(&call(json!({"status": 301})), &fake)), Outcome::Done(_)));
}

#[test]
fn secrets_stay_references() {
    let mut call = call(json!({}));
    call.params.insert(
        "url".into(),
        Secret {
            parts: vec![
                runbook_step::SecretPart::Text("http://shop/".into()),
                runbook_step::SecretPart::Name("path".into()),
            ],
        }
        .into(),
    );
    insta::assert_snapshot!(told(&Fake::new().block_on(Check.run(&call, &Fake::new()))), @"connect GET http://shop/${{ secrets.path }}: connection refused");
}

#[test]
fn what_no_type_can_say_is_said_before_anything_is_sent() {
    let fake = Fake::new().on_http(|_| response(200, ""));
    let said = |call: Call| match fake.block_on(Check.run(&call, &fake)) {
        Outcome::NotDone(failure) => failure.message,
        other => format!("{other:?}"),
    };
    let mut ftp = call(json!({}));
    ftp.params.insert("url".into(), "ftp://shop/".into());
    let refusals = [
        said(ftp),
        said(call(json!({"body": {"matches": "("}}))),
        said(call(json!({"json": {"a..b": 1}}))),
        said(call(json!({"headers": {"a": {"matches": "["}}}))),
    ];
    insta::assert_snapshot!(refusals.join("\n"), @"
    `url`: `ftp://shop/` does not begin with `http://` or `https://`
    `expect.body.matches`: `(` is not a regular expression
    `expect.json`: `a..b` is not a path: a name is missing at character 3
    `expect.headers.a.matches`: `[` is not a regular expression
    ");
    assert!(fake.seen().requests.is_empty());
}

#[test]
fn a_rehearsal_answers_with_a_status_that_is_wanted() {
    for (wanted, status) in [
        (json!({}), 200),
        (json!({"status": 204}), 204),
        (json!({"status": "2xx"}), 200),
        (json!({"status": "3xx"}), 300),
        (json!({"status": [202]}), 202),
        (json!({"status": [404, 410]}), 404),
    ] {
        let call = call(wanted);
        let simulated = Check.simulate(&call, &mut World::default());
        assert_eq!(simulated["status"], status.into());
        // The check itself says that this is what it wants.
        let fake = Fake::new().on_http(move |_| response(status, ""));
        assert!(matches!(fake.block_on(Check.run(&call, &fake)), Outcome::Done(_)), "{status}");
    }
}

#[test]
fn a_number_longer_than_ours_is_compared_and_returned_with_all_its_digits() {
    let fake = Fake::new().on_http(|_| response(200, r#"{"id": 18446744073709551615}"#));
    let run = |id: &str| fake.block_on(Check.run(&call(json!({"json": {"id": id}})), &fake));
    for (wanted, holds) in
        [("18446744073709551615", true), ("18446744073709551614", false), ("> 1000", true), ("< 1000", false)]
    {
        let outcome = run(wanted);
        assert_eq!(matches!(outcome, Outcome::Done(_)), holds, "{wanted}: {outcome:?}");
        assert_eq!(outcome.outputs()["json"].to_string(), r#"{"id":"18446744073709551615"}"#);
    }
}
