use std::sync::atomic::{AtomicU64, Ordering};

use runbook_step::Value;
use runbook_step::testing::{Fake, response};
use serde_json::json;

use super::*;

fn call(params: serde_json::Value) -> Call {
    let mut given = Value::from_json(params).as_map().unwrap().clone();
    given.entry("url".into()).or_insert_with(|| "http://shop/".into());
    Call { params: Run.declaration().fill(given).unwrap(), ..Call::default() }
}

/// What was said, and the figures.
fn ran(fake: &Fake, params: serde_json::Value) -> String {
    let outcome = fake.block_on(Run.run(&call(params), fake));
    let said = match &outcome {
        Outcome::Done(success) => success.note.clone().unwrap(),
        Outcome::Failed(failure) => format!("{} {}", failure.kind, failure.message),
        other => format!("{other:?}"),
    };
    format!("{said}\n  {}", Value::from(outcome.outputs().clone()))
}

/// Answers the nth request after n milliseconds, counted round from 1 to 100.
fn climbing() -> Fake {
    let asked = AtomicU64::new(0);
    Fake::new().on_http(move |_| response(200, "").after(1 + asked.fetch_add(1, Ordering::Relaxed) % 100))
}

#[test]
fn percentiles_are_those_of_the_answers() {
    let fake = climbing();
    insta::assert_snapshot!(ran(&fake, json!({"requests": 100, "concurrency": 1})), @r#"
    100 requests, 0 failed, p95 95.04 ms, 19.8 a second
      {"failures":0,"first_error":null,"max":100.0,"p50":50.02,"p90":90.05,"p95":95.04,"p99":99.01,"requests":100,"rps":19.8}
    "#);
    // One after the other: 1 + 2 + … + 100 ms.
    assert_eq!(fake.elapsed_ms(), 5_050);
}

#[test]
fn concurrency_is_a_limit_that_is_reached() {
    for concurrency in [1, 7, 25] {
        let fake = Fake::new().on_http(|_| response(200, "").after(10));
        ran(&fake, json!({"requests": 100, "concurrency": concurrency}));
        // Rounds of 10 ms, each with as many as are allowed.
        assert_eq!(fake.elapsed_ms(), 100_u64.div_ceil(concurrency) * 10);
        assert_eq!(fake.seen().requests.len(), 100);
    }
}

#[test]
fn a_duration_ends_it_after_those_under_way() {
    let fake = Fake::new().on_http(|_| response(200, "").after(30));
    insta::assert_snapshot!(ran(&fake, json!({"duration": "1s", "concurrency": 2})), @r#"
    68 requests, 0 failed, p95 30 ms, 66.7 a second
      {"failures":0,"first_error":null,"max":30.0,"p50":30.0,"p90":30.0,"p95":30.0,"p99":30.0,"requests":68,"rps":66.7}
    "#);
    assert_eq!(fake.elapsed_ms(), 1_020);
    let fake = Fake::new().on_http(|_| response(200, "").after(30));
    ran(&fake, json!({"duration": "1s", "requests": 4, "concurrency": 2}));
    assert_eq!(fake.elapsed_ms(), 60);
}

#[test]
fn every_figure_that_is_not_as_wanted_is_listed() {
    let params = json!({"requests": 100, "concurrency": 1, "expect": {
        "p50": "< 60ms", "p95": "< 90ms", "max": "<= 99ms", "rps": "> 50", "failures": "< 1",
    }});
    insta::assert_snapshot!(ran(&climbing(), params), @r#"
    check rps = 19.8, wanted > 50; p95 = 95.04ms, wanted < 90ms; max = 100ms, wanted <= 99ms
      {"failures":0,"first_error":null,"max":100.0,"p50":50.02,"p90":90.05,"p95":95.04,"p99":99.01,"requests":100,"rps":19.8}
    "#);
}

#[test]
fn figures_that_should_be_better_are_a_warning() {
    let warned = |expect: serde_json::Value, warn: serde_json::Value| {
        let params = call(json!({"requests": 100, "concurrency": 1, "expect": expect, "warn": warn}));
        let fake = climbing();
        match fake.block_on(Run.run(&params, &fake)) {
            Outcome::Done(success) => success.warning,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(warned(json!({}), json!({"p95": "< 96ms", "failures": 0})), None);
    let short = warned(json!({"p95": "< 1s"}), json!({"p50": "< 60ms", "p95": "< 90ms", "rps": "> 50"}));
    insta::assert_snapshot!(short.unwrap(), @"rps = 19.8, wanted > 50; p95 = 95.04ms, wanted < 90ms");
}

#[test]
fn no_request_may_fail_unless_it_is_said() {
    let flaky = || {
        let asked = AtomicU64::new(0);
        Fake::new().on_http(move |_| match asked.fetch_add(1, Ordering::Relaxed) % 10 {
            3 => response(503, "overloaded").after(5),
            7 => response(200, "").never(),
            _ => response(200, "").after(5),
        })
    };
    insta::assert_snapshot!(ran(&flaky(), json!({"requests": 20, "timeout": "1s"})), @r#"
    check failures = 4, wanted == 0 (first: GET http://shop/: status = 503, wanted 2xx, saying `overloaded`)
      {"failures":4,"first_error":"GET http://shop/: status = 503, wanted 2xx, saying `overloaded`","max":5.0,"p50":5.0,"p90":5.0,"p95":5.0,"p99":5.0,"requests":20,"rps":15.9}
    "#);
    insta::assert_snapshot!(ran(&flaky(), json!({"requests": 20, "timeout": "1s", "expect": {"failures": 4}})), @r#"
    20 requests, 4 failed, p95 5 ms, 15.9 a second
      {"failures":4,"first_error":"GET http://shop/: status = 503, wanted 2xx, saying `overloaded`","max":5.0,"p50":5.0,"p90":5.0,"p95":5.0,"p99":5.0,"requests":20,"rps":15.9}
    "#);
    insta::assert_snapshot!(ran(&flaky(), json!({"requests": 10, "timeout": "1s", "expect": {"status": [200, "5xx"], "failures": 1}})), @r#"
    10 requests, 1 failed, p95 5 ms, 9 a second
      {"failures":1,"first_error":"GET http://shop/: no answer","max":5.0,"p50":5.0,"p90":5.0,"p95":5.0,"p99":5.0,"requests":10,"rps":9.0}
    "#);
}

#[test]
fn nobody_there_is_inconclusive_and_does_not_spin() {
    let fake = Fake::new();
    insta::assert_snapshot!(ran(&fake, json!({"duration": "2s", "concurrency": 3, "expect": {"p95": "< 1s"}})), @r#"
    connect failures = 60, wanted == 0; p95 cannot be told, since no request succeeded; wanted < 1s (first: GET http://shop/: connection refused)
      {"failures":60,"first_error":"GET http://shop/: connection refused","max":null,"p50":null,"p90":null,"p95":null,"p99":null,"requests":60,"rps":0.0}
    "#);
    assert_eq!(fake.seen().requests.len(), 60);
    insta::assert_snapshot!(ran(&fake, json!({"requests": 20, "expect": {"failures": "< 100"}})), @r#"
    connect no request succeeded: 20 requests, 20 failed (first: GET http://shop/: connection refused)
      {"failures":20,"first_error":"GET http://shop/: connection refused","max":null,"p50":null,"p90":null,"p95":null,"p99":null,"requests":20,"rps":0.0}
    "#);
}

#[test]
fn a_request_that_cannot_be_made_is_not_made_again_and_again() {
    let invalid = || Err(HttpError::Invalid("header `x`: not a header's value".into()));
    let fake = Fake::new().on_http(move |_| invalid());
    insta::assert_snapshot!(ran(&fake, json!({"duration": "1h", "concurrency": 2})), @r"
    invalid GET http://shop/: header `x`: not a header's value
      {}
    ");
    assert_eq!(fake.elapsed_ms(), 0);
}

#[test]
fn it_stops_when_it_is_told_to() {
    let fake = Fake::new().on_http(|_| response(200, "").after(400)).cancel_at(1_000, Cancelled::Run);
    insta::assert_snapshot!(ran(&fake, json!({"duration": "1h", "concurrency": 2})), @r#"
    cancelled stopped after 1s; until then 4 requests, 0 failed, p95 400 ms, 4 a second
      {"failures":0,"first_error":null,"max":400.0,"p50":400.0,"p90":400.0,"p95":400.0,"p99":400.0,"requests":4,"rps":4.0}
    "#);
    assert_eq!(fake.elapsed_ms(), 1_000);
    let fake = Fake::new().cancel_at(1_050, Cancelled::Timeout);
    ran(&fake, json!({"duration": "1h"}));
    assert_eq!(fake.elapsed_ms(), 1_050);
}
