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
    let part = |part: &Value| match (
        part.get("name").and_then(Value::as_str),
        part.get("text").and_then(Value::as_str),
    ) {
        (Some(name), _) => format!("<secret {name}>"),
        (_, Some(text)) => text.to_owned(),
        _ => part.as_str().map_or_else(|| "<secret>".to_owned(), |name| format!("<secret {name}>")),
    };
    match parts {
        Value::Array(parts) => parts.iter().map(part).collect(),
        other => part(other),
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
    }
}
