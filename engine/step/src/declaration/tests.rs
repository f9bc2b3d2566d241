use serde_json::json;

use super::*;

fn request() -> Declaration {
    Declaration::new("http.request")
        .effect_declared(Idempotence::WithKey)
        .param(Param::required("url", Type::url()).doc("Where to."))
        .param(Param::optional("every", Type::positive_duration()).default("10s"))
        .param(Param::optional("json", Type::Payload))
        .param(Param::optional("body", Type::string()))
        .choice(Choice::AtMostOne, &["json", "body"])
        .writes_resource("http", &["url"])
}

fn map(json: serde_json::Value) -> Map {
    Value::from_json(json).as_map().unwrap().clone()
}

fn text(faults: Vec<TypeError>) -> String {
    faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

#[test]
fn fills_defaults_and_drops_null() {
    let params = request().fill(map(json!({"url": "http://a", "body": null, "json": {"n": 1}}))).unwrap();
    insta::assert_snapshot!(Value::from(params.clone()), @r#"{"every":10000,"json":{"n":1},"url":"http://a"}"#);
    assert_eq!(request().touches(&params), [(Resource { kind: "http".into(), id: "http://a".into() }, true)]);
    let stored = Value::Map(params.clone()).to_json();
    assert_eq!(request().decode(stored.as_object().unwrap()).unwrap(), params);
}

#[test]
fn all_faults_at_once() {
    let written = map(json!({"every": 5, "json": [], "body": "x", "urll": "http://a"}));
    insta::assert_snapshot!(text(request().faults(written, &[])), @"
    `url` is missing: text or a secret
    give at most one of `json`, `body`
    urll: unknown parameter; `http.request` takes `url`, `every`, `json`, `body`
    every: wanted a duration above zero, got `5`; add a unit, as in `30s`
    ");
    let written = map(json!({"json": [], "every": "1m"}));
    insta::assert_snapshot!(text(request().faults(written, &["url", "body"])), @"give at most one of `json`, `body`");
}

#[test]
fn only_so_many_of_several_parameters() {
    let names: &[&str] = &["a", "b"];
    for (choice, allowed) in [
        (Choice::AtMostOne, [true, true, false]),
        (Choice::ExactlyOne, [false, true, false]),
        (Choice::AtLeastOne, [false, true, true]),
    ] {
        let mut it = Declaration::new("x").choice(choice, &["a", "b"]);
        for name in names {
            it = it.param(Param::optional(name, Type::integer()));
        }
        for (count, allowed) in allowed.into_iter().enumerate() {
            let given: Map = names[..count].iter().map(|name| ((*name).into(), 1.into())).collect();
            assert_eq!(it.fill(given.clone()).is_ok(), allowed, "{choice:?} {count}");
            assert_eq!(it.faults(Map::new(), &names[..count]).is_empty(), allowed, "{choice:?} {count}");
        }
    }
}

#[test]
fn schema_is_for_editors() {
    insta::assert_snapshot!(request().schema(), @r#"{"type":"object","properties":{"url":{"type":"string","description":"Where to."},"every":{"anyOf":[{"type":"string","minLength":1,"pattern":"^([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?([0-9]+ms)?$"},{"type":"string","pattern":"\\$\\{\\{"}],"default":"10s"},"json":{},"body":{"type":"string"}},"additionalProperties":false,"required":["url"],"allOf":[{"oneOf":[{"not":{"anyOf":[{"required":["json"]},{"required":["body"]}]}},{"required":["json"]},{"required":["body"]}]}]}"#);
}
