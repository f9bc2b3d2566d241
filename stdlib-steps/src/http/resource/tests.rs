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

    fn value(&self) -> serde_json::Value {
        self.0.lock().unwrap().clone().unwrap_or_default()
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
            ("PATCH", HttpBody::Json(body)) => {
                let mut merged = state.clone().unwrap_or_else(|| json!({}));
                merge(&mut merged, &body.to_json());
                *state = Some(merged);
                response(200, "")
            }
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

/// RFC 7396.
fn merge(target: &mut serde_json::Value, patch: &serde_json::Value) {
    let Some(patch) = patch.as_object() else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = json!({});
    }
    for (name, value) in patch {
        match value.is_null() {
            true => drop(target.as_object_mut().unwrap().remove(name)),
            false => merge(&mut target[name.as_str()], value),
        }
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
    let call = Call { outputs: Some(ran.outputs().clone()), ..call };
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
      {"before":{"colour":"blue","owner":"ana","since":"today"},"changed":true,"now":{"colour":"green","owner":"ana","since":"today"}}
      {"colour":"green","owner":"ana","since":"today"}
    done {"colour":"green"} → {"colour":"blue"}
      {"colour":"blue","owner":"ana","since":"today"}
    done is {"colour":"blue"} already
    GET GET PUT GET GET GET PUT GET GET
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
    GET GET PUT GET GET GET DELETE GET GET
    "#);
}

#[test]
fn deletes_and_creates_again() {
    let server = Server::with(json!({"version": "v1", "behaviour": "slow", "pid": 7}));
    let call = call(json!({"absent": true, "fields": ["version", "behaviour"]}));
    insta::assert_snapshot!(round(&server, &call), @r#"
    done {"behaviour":"slow","version":"v1"} → absent
      {"before":{"behaviour":"slow","pid":7,"since":"today","version":"v1"},"changed":true,"now":null}
      absent
    done absent → {"behaviour":"slow","version":"v1"}
      {"behaviour":"slow","pid":7,"since":"today","version":"v1"}
    done is {"behaviour":"slow","version":"v1"} already
    GET DELETE GET GET GET PUT GET GET
    "#);
}

#[test]
fn what_is_already_so_stays_so() {
    let server = Server::with(json!({"colour": "green"}));
    insta::assert_snapshot!(round(&server, &call(json!({"desired": {"colour": "green"}}))), @r#"
    done was {"colour":"green"} already
      {"before":{"colour":"green","since":"today"},"changed":false,"now":{"colour":"green","since":"today"}}
      {"colour":"green","since":"today"}
    done is {"colour":"green"} already
      {"colour":"green","since":"today"}
    done is {"colour":"green"} already
    GET GET PUT GET GET GET GET
    "#);
}

#[test]
fn undo_never_overwrites_what_somebody_else_did() {
    let server = Server::with(json!({"colour": "blue", "weight": 1}));
    let fake = server.fake();
    let call = prepared(&fake, &call(json!({"desired": {"colour": "green", "weight": 5}})));
    fake.block_on(Resource.run(&call, &fake));
    server.set(Some(json!({"colour": "red", "weight": 5})));
    insta::assert_snapshot!(told(&fake.block_on(Resource.undo(&call, &fake))), @r#"not_done error http://router/live is {"colour":"red","weight":5}: neither what this step made it ({"colour":"green","weight":5}) nor what it was before ({"colour":"blue","weight":1}) (look at `colour`); it was not touched"#);
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
fn what_was_changed_since_it_was_recorded_is_not_overwritten() {
    let server = Server::with(json!({"colour": "blue", "owner": "ana"}));
    let fake = server.fake();
    let call = prepared(&fake, &call(json!({"desired": {"colour": "green"}})));
    server.set(Some(json!({"colour": "red", "owner": "ana"})));
    insta::assert_snapshot!(told(&fake.block_on(Resource.run(&call, &fake))), @r#"not_done error http://router/live is {"colour":"red"}, and was {"colour":"blue"} when this step looked at it (look at `colour`); it was not touched, because its undo could not put back what is there now"#);
    assert_eq!(server.value(), json!({"colour": "red", "owner": "ana"}));
    // What the step does not change is anybody's.
    server.set(Some(json!({"colour": "blue", "owner": "ben"})));
    for _ in 0..2 {
        assert!(matches!(fake.block_on(Resource.run(&call, &fake)), Outcome::Done(_)));
        assert_eq!(server.value()["colour"], "green");
        assert_eq!(server.value()["owner"], "ben");
    }
    // What somebody else has made meanwhile would be deleted by the undo.
    server.set(None);
    let call = prepared(&fake, &call);
    server.set(Some(json!({"owner": "ben"})));
    assert!(matches!(fake.block_on(Resource.run(&call, &fake)), Outcome::NotDone(_)));
    server.set(None);
    for _ in 0..2 {
        assert!(matches!(fake.block_on(Resource.run(&call, &fake)), Outcome::Done(_)));
    }
}

#[test]
fn an_undo_that_leaves_a_field_behind_is_not_done() {
    let server = Server::with(json!({"keep": 1}));
    // It takes `null` for a value.
    let deaf = server.clone();
    let fake = Fake::new().on_http(move |request| match (request.method.as_str(), &request.body) {
        ("PATCH", HttpBody::Json(body)) => {
            let mut state = deaf.value();
            state["b"] = body.to_json()["b"].clone();
            deaf.set(Some(state));
            response(200, "")
        }
        _ => deaf.answer(request),
    });
    let call = prepared(&fake, &call(json!({"desired": {"b": 2}, "method": "PATCH", "within": "1s"})));
    fake.block_on(Resource.run(&call, &fake));
    insta::assert_snapshot!(told(&fake.block_on(Resource.undo(&call, &fake))), @r#"failed check http://router/live was accepted, but it is {"b":null}, wanted {} again (after 1s)"#);
    assert_eq!(server.value(), json!({"b": null, "keep": 1}));
}

#[test]
fn a_patch_puts_back_what_it_changed_deep_inside() {
    let server = Server::with(json!({"spec": {"colour": "blue", "size": {"cpu": 1}}, "owner": "ana"}));
    let desired = json!({"spec": {"colour": "green", "canary": 5, "size": {"cpu": 2, "burst": 4}}});
    insta::assert_snapshot!(round(&server, &call(json!({"desired": desired, "method": "PATCH"}))), @r#"
    done {"spec":{"colour":"blue","size":{"cpu":1}}} → {"spec":{"canary":5,"colour":"green","size":{"burst":4,"cpu":2}}}
      {"before":{"owner":"ana","since":"today","spec":{"colour":"blue","size":{"cpu":1}}},"changed":true,"now":{"owner":"ana","since":"today","spec":{"canary":5,"colour":"green","size":{"burst":4,"cpu":2}}}}
      {"spec":{"colour":"green","size":{"cpu":2,"burst":4},"canary":5},"owner":"ana"}
    done {"spec":{"canary":5,"colour":"green","size":{"burst":4,"cpu":2}}} → {"spec":{"colour":"blue","size":{"cpu":1}}}
      {"spec":{"colour":"blue","size":{"cpu":1}},"owner":"ana"}
    done is {"spec":{"colour":"blue","size":{"cpu":1}}} already
    GET PATCH GET GET GET PATCH GET GET
    "#);
}

/// A slot of a deployer: what a version is like is the version's own, unless it is said.
fn slot(server: &Server) -> Fake {
    let server = server.clone();
    Fake::new().on_http(move |request| match (request.method.as_str(), &request.body) {
        ("PUT", HttpBody::Json(body)) => {
            let wish = body.to_json();
            let behaviour = if wish["behaviour"].is_null() { json!("healthy") } else { wish["behaviour"].clone() };
            server.set(Some(json!({"version": wish["version"], "behaviour": behaviour, "pid": server.value()["pid"].as_i64().unwrap_or(0) + 1})));
            response(200, "")
        }
        _ => server.answer(request),
    })
}

#[test]
fn what_is_replaced_leaves_nothing_behind_and_is_put_back_whole() {
    let server = Server::with(json!({"version": "v2", "behaviour": "slow", "pid": 1}));
    let fake = slot(&server);
    let wish = json!({"desired": {"version": "v1"}, "replace": true, "fields": ["version", "behaviour"]});
    let mut call = prepared(&fake, &call(wish));
    let ran = fake.block_on(Resource.run(&call, &fake));
    insta::assert_snapshot!(told(&ran), @r#"done {"behaviour":"slow","version":"v2"} → {"behaviour":"healthy","version":"v1"}"#);
    assert_eq!(server.value(), json!({"version": "v1", "behaviour": "healthy", "pid": 2}));
    call.outputs = Some(ran.outputs().clone());
    // Somebody has said how it is to behave: that is not this step's.
    server.set(Some(json!({"version": "v1", "behaviour": "broken", "pid": 2})));
    insta::assert_snapshot!(told(&fake.block_on(Resource.undo(&call, &fake))), @r#"not_done error http://router/live is {"behaviour":"broken","version":"v1"}: neither what this step made it ({"version":"v1"}) nor what it was before ({"behaviour":"slow","version":"v2"}) (look at `behaviour`); it was not touched"#);
    server.set(Some(json!({"version": "v1", "behaviour": "healthy", "pid": 2})));
    insta::assert_snapshot!(told(&fake.block_on(Resource.undo(&call, &fake))), @r#"done {"version":"v1"} → {"behaviour":"slow","version":"v2"}"#);
    assert_eq!(server.value(), json!({"version": "v2", "behaviour": "slow", "pid": 3}));
    insta::assert_snapshot!(told(&fake.block_on(Resource.undo(&call, &fake))), @r#"done is {"behaviour":"slow","version":"v2"} already"#);
    // An attempt whose end nobody saw: what the server made of the rest is not known.
    let unseen = Call { outputs: None, ..call };
    server.set(Some(json!({"version": "v1", "behaviour": "healthy", "pid": 2})));
    insta::assert_snapshot!(told(&fake.block_on(Resource.undo(&unseen, &fake))), @r#"done {"version":"v1"} → {"behaviour":"slow","version":"v2"}"#);
    server.set(Some(json!({"version": "v3", "behaviour": "healthy", "pid": 2})));
    insta::assert_snapshot!(told(&fake.block_on(Resource.undo(&unseen, &fake))), @r#"not_done error http://router/live is {"behaviour":"healthy","version":"v3"}: neither what this step made it ({"version":"v1"}) nor what it was before ({"behaviour":"slow","version":"v2"}) (look at `version`); it was not touched"#);
}

/// The same version again, to be rid of what was wrong with it: that the version is there proves nothing.
#[test]
fn that_what_is_wanted_was_there_before_proves_no_replacement() {
    let verified = |before: serde_json::Value, now: serde_json::Value| {
        let server = Server::with(before);
        let fake = server.fake();
        let wish = json!({"desired": {"version": "v1"}, "replace": true, "fields": ["version", "behaviour"]});
        let call = prepared(&fake, &call(wish));
        server.set(Some(now));
        matches!(fake.block_on(Resource.verify(&call, &fake)), Verdict::Done(_))
    };
    let slow = json!({"version": "v1", "behaviour": "slow"});
    assert!(!verified(slow.clone(), slow.clone()));
    assert!(verified(slow.clone(), json!({"version": "v1"})));
    assert!(verified(
        json!({"version": "v2", "behaviour": "slow"}),
        json!({"version": "v1", "behaviour": "healthy"})
    ));
    assert!(!verified(slow, json!({"version": "v2"})));
}

#[test]
fn a_replacement_is_planned_where_more_is_there_than_is_wanted() {
    let planned = |state| {
        let fake = Server::with(state).fake();
        let wish = json!({"desired": {"version": "v1"}, "replace": true, "fields": ["version", "behaviour"]});
        let changes = fake.block_on(Resource.plan(&call(wish), &fake));
        changes.into_iter().filter_map(|change| change.detail).collect::<String>()
    };
    insta::assert_snapshot!(planned(json!({"version": "v1", "behaviour": "slow"})), @r#"{"behaviour":"slow","version":"v1"} → {"version":"v1"}"#);
    insta::assert_snapshot!(planned(json!({"version": "v1", "pid": 7})), @"");
    let fake = Server::with(json!({})).fake();
    let patch = call(json!({"desired": {"a": 1}, "replace": true, "method": "PATCH"}));
    insta::assert_snapshot!(fake.block_on(Resource.prepare(&patch, &fake)).unwrap_err().message, @"`replace`: a PATCH changes what is there and replaces nothing");
    let removal = call(json!({"desired": {"a": {"b": null}}, "method": "PATCH"}));
    let refused = fake.block_on(Resource.prepare(&removal, &fake)).unwrap_err();
    assert!(refused.message.contains("`null` for the removal"), "{}", refused.message);
}

#[test]
fn a_put_keeps_what_else_is_there_and_so_does_its_undo() {
    let server = Server::with(json!({"b": 1, "other": "precious"}));
    let fake = server.fake();
    let call = prepared(&fake, &call(json!({"desired": {"b": 2, "c": 3}})));
    fake.block_on(Resource.run(&call, &fake));
    assert_eq!(server.value(), json!({"b": 2, "c": 3, "other": "precious", "since": "today"}));
    server.set(Some(json!({"b": 2, "c": 3, "other": "precious", "new": true})));
    assert!(matches!(fake.block_on(Resource.undo(&call, &fake)), Outcome::Done(_)));
    assert_eq!(server.value(), json!({"b": 1, "new": true, "other": "precious", "since": "today"}));
}

#[test]
fn what_somebody_has_added_to_is_not_deleted() {
    let server = Server::default();
    let fake = server.fake();
    let made = |params: serde_json::Value| {
        server.set(None);
        let mut call = prepared(&fake, &call(params));
        let outcome = fake.block_on(Resource.run(&call, &fake));
        call.outputs = Some(outcome.outputs().clone());
        server.set(Some(json!({"a": 1, "precious": 1})));
        call
    };
    let whole = made(json!({"desired": {"a": 1}}));
    insta::assert_snapshot!(told(&fake.block_on(Resource.undo(&whole, &fake))), @r#"not_done error http://router/live is {"a":1}: neither what this step made it ({"a":1}) nor what it was before (absent) (look at `precious`); it was not touched"#);
    assert_eq!(server.value(), json!({"a": 1, "precious": 1}));
    // Told that only `a` counts.
    let narrow = made(json!({"desired": {"a": 1}, "fields": ["a"]}));
    assert!(matches!(fake.block_on(Resource.undo(&narrow, &fake)), Outcome::Done(_)));
    assert_eq!(server.state(), "absent");
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

/// An answer that only accepts is waited for once, also where a replacement would have to be proven.
#[test]
fn what_was_only_accepted_is_waited_for_once() {
    let fake = Fake::new().on_http(|request| match request.method.as_str() {
        "GET" => response(200, "{\"version\": \"v1\", \"behaviour\": \"slow\"}"),
        _ => response(202, ""),
    });
    let ran = |version: &str| {
        let wish = json!({"desired": {"version": version}, "replace": true, "within": "3s"});
        let call = prepared(&fake, &call(wish));
        let before = fake.elapsed_ms();
        let told = told(&fake.block_on(Resource.run(&call, &fake)));
        (told, fake.elapsed_ms() - before)
    };
    let (told, took) = ran("v2");
    insta::assert_snapshot!(told, @r#"failed check http://router/live was accepted, but it is {"behaviour":"slow","version":"v1"}, wanted {"version":"v2"} (after 3s)"#);
    assert!(took <= 3_000, "{took}");
    let (told, took) = ran("v1");
    insta::assert_snapshot!(told, @r#"done was {"version":"v1"} already"#);
    assert!(took <= 3_000, "{took}");
}

#[test]
fn a_number_that_could_not_be_sent_back_is_not_touched() {
    const LONG: &str = r#"{"id": 18446744073709551616, "tags": [{"n": 99999999999999999999}], "text": "18446744073709551616", "colour": "blue"}"#;
    let fake = Fake::new().on_http(|request| match request.method.as_str() {
        "GET" => response(200, LONG),
        other => panic!("{other}"),
    });
    let said = |wish: serde_json::Value| match fake.block_on(Resource.prepare(&call(wish), &fake)) {
        Ok(_) => "fine".to_owned(),
        Err(failure) => failure.message,
    };
    let patched = |desired| json!({"desired": desired, "method": "PATCH"});
    let refused = [
        said(json!({"desired": {"colour": "green"}})),
        said(json!({"desired": {"colour": "green"}, "replace": true})),
        said(json!({"absent": true})),
        said(patched(json!({"id": 5}))),
        said(patched(json!({"tags": []}))),
    ];
    insta::assert_snapshot!(refused.join("\n"), @"
    http://router/live: `id` is a whole number beyond 64 bits, which cannot be sent back as it is; nothing was changed
    http://router/live: `id` is a whole number beyond 64 bits, which cannot be sent back as it is; nothing was changed
    http://router/live: `id` is a whole number beyond 64 bits, which cannot be sent back as it is; nothing was changed
    http://router/live: `id` is a whole number beyond 64 bits, which cannot be sent back as it is; nothing was changed
    http://router/live: `tags[0].n` is a whole number beyond 64 bits, which cannot be sent back as it is; nothing was changed
    ");
    assert_eq!(said(patched(json!({"colour": "green", "text": "a"}))), "fine");
    // It has come there since it was looked at.
    let before = State::Is(Map::from([("colour".into(), "blue".into())])).to_value();
    let late = Call { prepared: before, ..call(json!({"desired": {"colour": "green"}})) };
    insta::assert_snapshot!(told(&fake.block_on(Resource.run(&late, &fake))), @"not_done invalid http://router/live: `id` is a whole number beyond 64 bits, which cannot be sent back as it is; nothing was changed");
    let before = State::Is(Map::from([("colour".into(), "green".into())])).to_value();
    let late = Call { prepared: before, ..call(json!({"desired": {"colour": "blue"}})) };
    insta::assert_snapshot!(told(&fake.block_on(Resource.undo(&late, &fake))), @"not_done invalid http://router/live: `id` is a whole number beyond 64 bits, which cannot be sent back as it is; nothing was changed");
}

#[test]
fn refusals_are_in_the_servers_words() {
    let refused = |status| response(status, "{\"error\": \"blue is live\"}");
    let refusing = |status| {
        Fake::new().on_http(move |request| match request.method.as_str() {
            "GET" => response(200, "{}"),
            _ => refused(status),
        })
    };
    let call = call(json!({"desired": {"colour": "green"}}));
    let said = |fake: &Fake| told(&fake.block_on(Resource.run(&call, fake)));
    let endings = [said(&refusing(409)), said(&refusing(403)), said(&refusing(500)), said(&Fake::new())];
    insta::assert_snapshot!(endings.join("\n"), @r#"
    failed http:409 PUT http://router/live: status = 409, wanted 2xx, saying `{"error": "blue is live"}`
    not_done http:403 PUT http://router/live: status = 403, wanted 2xx, saying `{"error": "blue is live"}`
    failed http:500 PUT http://router/live: status = 500, wanted 2xx, saying `{"error": "blue is live"}`
    not_done connect GET http://router/live: connection refused
    "#);
    let fake = Fake::new().on_http(move |_| refused(500));
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
