//! Recorded values as people read them.

use serde_json::Value;

/// A value on one line: text as it is, a secret by its name, lists and maps as JSON.
pub fn short(value: &Value) -> String {
    match value {
        Value::Null => "null".into(),
        Value::String(text) => text.clone(),
        Value::Object(map) if map.len() == 1 && map.contains_key("$secret") => secret(&map["$secret"]),
        other => readable(other).to_string(),
    }
}

/// That a secret was hidden in these outputs, in words; nothing if there are none.
pub(crate) fn masked(places: &[String]) -> Option<String> {
    let (first, more) = places.split_first()?;
    let more = if more.is_empty() { String::new() } else { format!(" and {} more", more.len()) };
    Some(format!("a secret was hidden in output `{first}`{more}, which no step can use"))
}

/// The value with secrets replaced by what they are called, at any depth.
pub fn readable(value: &Value) -> Value {
    match value {
        Value::Object(map) if map.len() == 1 && map.contains_key("$secret") => {
            Value::String(secret(&map["$secret"]))
        }
        Value::Object(map) => Value::Object(map.iter().map(|(k, v)| (k.clone(), readable(v))).collect()),
        Value::Array(list) => Value::Array(list.iter().map(readable).collect()),
        other => other.clone(),
    }
}

/// A secret is written as the text around it and the names of what it refers to.
fn secret(parts: &Value) -> String {
    let part =
        |part: &Value| match (part.get("name").or(Some(part)).and_then(Value::as_str), part.get("text")) {
            (Some(name), _) => format!("<secret {}>", as_written(name)),
            (_, Some(Value::String(text))) => text.clone(),
            _ => "<secret>".to_owned(),
        };
    match parts {
        Value::Array(parts) => parts.iter().map(part).collect(),
        other => part(other),
    }
}

/// The name of a secret as its file says it: one of a called runbook is recorded as `token@1`, with the number of that
/// runbook in the plan.
fn as_written(name: &str) -> &str {
    match name.rsplit_once('@') {
        Some((name, number)) if number.parse::<u32>().is_ok() => name,
        _ => name,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn secrets_are_shown_by_name() {
        let header = json!({"$secret": [{"text": "Bearer "}, {"name": "token"}]});
        assert_eq!(short(&header), "Bearer <secret token>");
        assert_eq!(
            short(&json!({"headers": {"auth": header}, "n": 3})),
            r#"{"headers":{"auth":"Bearer <secret token>"},"n":3}"#
        );
        assert_eq!(short(&json!({"$secret": ["token"]})), "<secret token>");
        assert_eq!(short(&json!({"$secret": [{"name": "token@12"}]})), "<secret token>");
        assert_eq!(readable(&json!([{"$secret": ["token@1"]}])), json!(["<secret token>"]));
    }
}
