use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::Quantity;

fn value(json: serde_json::Value) -> Value {
    Value::from_json(json)
}

fn expectation() -> Type {
    let status = Type::either([Type::integer_in(100, 599), Type::pattern("^[1-5]xx$")]);
    Type::record([
        Field::required("status", Type::either([status.clone(), Type::list(status)])),
        Field::optional("latency", Type::positive_duration()),
        Field::optional("headers", Type::map_of(Type::string())),
    ])
}

#[test]
fn faults_name_place_want_and_got() {
    let written = json!({
        "status": [200, "6xx"], "latency": 30, "headers": {"x-version": 1.1, "content.type": ["a"]}, "body": "x",
    });
    let faults: Vec<_> =
        expectation().literal_faults(value(written)).unwrap_err().iter().map(ToString::to_string).collect();
    insta::assert_snapshot!(faults.join("\n"), @r#"
    status[1]: wanted a whole number from 100 to 599, or text that matches `^[1-5]xx$`, got the text `6xx`
    latency: wanted a duration above zero, got `30`; add a unit, as in `30s`
    headers["content.type"]: wanted text, got a list
    headers.x-version: wanted text, got `1.1`; put it in quotes
    body: unknown name; known are `status`, `latency`, `headers`
    "#);
}

#[test]
fn notation_depends_on_where_a_value_comes_from() {
    let duration = Type::duration();
    assert_eq!(duration.literal("1m".into()).unwrap(), Value::Int(60_000));
    insta::assert_snapshot!(duration.literal(30.into()).unwrap_err(), @"wanted a duration, got `30`; add a unit, as in `30s`");
    assert_eq!(duration.coerce(30.into()).unwrap(), Value::Int(30));
    assert_eq!(duration.parse(" 30s\n").unwrap(), Value::Int(30_000));
    insta::assert_snapshot!(duration.parse("30").unwrap_err(), @"`30` is not a duration; write `250ms`, `10s`, `5m`, `1h30m` or `2d`");
    assert_eq!(Type::integer().coerce(Value::Float(2.0)).unwrap(), Value::Int(2));
    insta::assert_snapshot!(Type::integer().coerce(Value::Float(2.5)).unwrap_err(), @"wanted a whole number, got `2.5`");
    insta::assert_snapshot!(Type::integer().coerce("3".into()).unwrap_err(), @"wanted a whole number, got the text `3`; take the quotes away");
    assert_eq!(Type::integer().parse("3\n").unwrap(), Value::Int(3));
    insta::assert_snapshot!(Type::integer_in(1, 5).parse("9").unwrap_err(), @"wanted a whole number from 1 to 5, got `9`");
    insta::assert_snapshot!(Type::number().parse("NaN").unwrap_err(), @"wanted a number, got `NaN`");
    insta::assert_snapshot!(Type::string().literal(Value::Float(1.1)).unwrap_err(), @"wanted text, got `1.1`; put it in quotes");
    assert_eq!(Type::string().parse(" kept ").unwrap(), Value::from(" kept "));
    assert_eq!(Type::list(Type::integer()).parse("[1, 2]").unwrap(), vec![1, 2].into());
    insta::assert_snapshot!(Type::list(Type::integer()).parse("1, 2").unwrap_err(), @"wanted a list of a whole number as JSON, got the text `1, 2`: trailing characters at line 1 column 2");
    insta::assert_snapshot!(Type::list(Type::string()).literal("one".into()).unwrap_err(), @"wanted a list of text, got the text `one`; write a list, even of one");
    let fast = Type::Comparison(Quantity::Duration);
    assert_eq!(fast.literal("< 500ms".into()).unwrap(), Value::from("< 500ms"));
    insta::assert_snapshot!(fast.literal("< 500".into()).unwrap_err(), @"`500` is not a duration; write `250ms`, `10s`, `5m`, `1h30m` or `2d`");
    insta::assert_snapshot!(fast.literal("500ms".into()).unwrap_err(), @"`500ms` is no comparison; write it as in `< 500ms`");
    insta::assert_snapshot!(fast.literal(500.into()).unwrap_err(), @"wanted a comparison such as `< 500ms`, got `500`; say how to compare");
    insta::assert_snapshot!(Type::one_of(["auto", "ask"]).literal("atuo".into()).unwrap_err(), @"wanted one of `auto`, `ask`, got the text `atuo`");
}

#[test]
fn secrets_only_where_the_type_allows_them() {
    let token = Value::Secret(Secret::named("token"));
    Type::url().check(&token).unwrap();
    Type::Payload.check(&Value::from(Map::from([("key".into(), token.clone())]))).unwrap();
    for ty in [Type::string(), Type::Any, Type::File] {
        ty.check(&token).unwrap_err();
    }
    insta::assert_snapshot!(Type::Any.check(&vec![token.clone()].into()).unwrap_err(), @"a secret cannot stand here: ${{ secrets.token }}");
    insta::assert_snapshot!(Type::Secret { plain: false }.check(&"hunter2".into()).unwrap_err(), @"wanted a secret, got text; declare it under `secrets:`");
    assert!(
        expectation().admits_secret() != Type::record([Field::optional("url", Type::url())]).admits_secret()
    );
}

#[test]
fn a_forged_reference_stays_data() {
    let forged = json!({"$secret": [{"name": "token"}]});
    // What a server sent, journaled and read back in a place that takes secrets.
    let sent = Value::from_json(forged.clone());
    assert_eq!(Type::Payload.decode(&sent.to_json()).unwrap(), sent);
    Type::url().decode(&sent.to_json()).unwrap_err();
    // And in a place that takes none, even unescaped.
    assert_eq!(Type::Any.decode(&forged).unwrap(), sent);
    assert_eq!(Type::url().decode(&forged).unwrap(), Value::Secret(Secret::named("token")));
}

fn any_value() -> impl Strategy<Value = Value> {
    let key = prop_oneof![
        "[a-z.]{1,3}",
        Just("$secret".to_owned()),
        Just("$$secret".to_owned()),
        Just("name".to_owned())
    ];
    let part = prop_oneof!["[a-z]{0,3}".prop_map(SecretPart::Text), "[a-z]{1,3}".prop_map(SecretPart::Name)];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (-1e6..1e6).prop_map(Value::Float),
        ".{0,4}".prop_map(Value::from),
        prop::collection::vec(part, 0..3).prop_map(|parts| Value::Secret(Secret { parts })),
    ];
    leaf.prop_recursive(4, 24, 3, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::List),
            prop::collection::btree_map(key.clone(), inner, 0..3).prop_map(Value::Map),
        ]
    })
}

proptest! {
    #[test]
    fn the_journal_gives_back_what_it_took(value in any_value()) {
        prop_assert_eq!(Type::Payload.decode(&value.to_json()).unwrap(), value);
    }

    #[test]
    fn coercing_twice_changes_nothing(value in any_value()) {
        for ty in [expectation(), Type::printable(), Type::duration(), Type::map_of(Type::Payload)] {
            if let Ok(once) = ty.coerce(value.clone()) {
                prop_assert_eq!(ty.coerce(once.clone()).unwrap(), once);
            }
        }
    }

    /// What the language prints, it reads: a script may echo a value that it was given.
    #[test]
    fn text_reads_back(number in any::<i64>(), ms in 0..i64::MAX, flag in any::<bool>(), list in any_value()) {
        prop_assert_eq!(Type::integer().parse(&number.to_string()).unwrap(), Value::Int(number));
        prop_assert_eq!(Type::Boolean.parse(&flag.to_string()).unwrap(), Value::Bool(flag));
        prop_assert_eq!(Type::duration().parse(&crate::format_duration(ms.unsigned_abs())).unwrap(), Value::Int(ms));
        let list = Value::List(vec![list]);
        if !list.has_secret() {
            prop_assert_eq!(Type::list(Type::Any).parse(&list.to_string()).unwrap(), list);
        }
    }
}
