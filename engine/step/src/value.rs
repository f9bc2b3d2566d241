//! Values: what parameters, outputs and inputs are made of.

use std::fmt;

use serde::{Deserialize, Serialize, Serializer};

use crate::path::Path;

/// An ordered map from names to values.
pub type Map = std::collections::BTreeMap<String, Value>;

/// The key under which the JSON form of a [`Secret`] stands.
pub(crate) const SECRET_KEY: &str = "$secret";

/// A value of the language.
///
/// The JSON form ([`Value::to_json`], and what `Serialize` writes) is the plain one (`3`, `"text"`, `[…]`, `{…}`),
/// except that a [`Secret`] is written as `{"$secret": [...]}` with the *names* of what it refers to, never their
/// content. Reading one back is directed by the declared type (see [`crate::Type::decode`]), so that data which merely
/// looks like a secret reference stays data; besides, such data is written with one more `$` (`{"$$secret": …}`), so
/// that a place where both data and secrets may stand is safe too.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Value {
    /// Absent: a skipped step's output, an unset optional parameter.
    #[default]
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A number with a fraction.
    Float(f64),
    /// Text.
    Str(String),
    /// An ordered list.
    List(Vec<Value>),
    /// Named values.
    Map(Map),
    /// Text that contains secrets, by reference.
    Secret(Secret),
}

/// Text that contains secrets, by reference: `Bearer ${{ secrets.token }}` is the text `Bearer `
/// and the reference `token`. The runtime resolves it at the moment of use; nothing else can.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Secret {
    /// The pieces, in order.
    pub parts: Vec<SecretPart>,
}

/// A piece of a [`Secret`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SecretPart {
    /// Plain text.
    Text(String),
    /// The name of a secret, as declared under `secrets:`.
    Name(String),
}

impl Secret {
    /// A reference to one secret and nothing else.
    pub fn named(name: impl Into<String>) -> Self {
        Self { parts: vec![SecretPart::Name(name.into())] }
    }

    /// The names that it refers to, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().filter_map(|part| match part {
            SecretPart::Name(name) => Some(name.as_str()),
            SecretPart::Text(_) => None,
        })
    }
}

/// As a file would write it: `Bearer ${{ secrets.token }}`.
impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for part in &self.parts {
            match part {
                SecretPart::Text(text) => f.write_str(text)?,
                SecretPart::Name(name) => write!(f, "${{{{ secrets.{name} }}}}")?,
            }
        }
        Ok(())
    }
}

impl Value {
    /// The text, if it is text.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Value::Str(text) => Some(text),
            _ => None,
        }
    }

    /// The boolean, if it is one.
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Value::Bool(value) => Some(*value),
            _ => None,
        }
    }

    /// The whole number, if it is one.
    pub fn as_int(&self) -> Option<i64> {
        match self {
            Value::Int(value) => Some(*value),
            _ => None,
        }
    }

    /// The number, whole or not.
    pub fn as_float(&self) -> Option<f64> {
        match self {
            Value::Int(value) => Some(*value as f64),
            Value::Float(value) => Some(*value),
            _ => None,
        }
    }

    /// The items, if it is a list.
    pub fn as_list(&self) -> Option<&[Value]> {
        match self {
            Value::List(items) => Some(items),
            _ => None,
        }
    }

    /// The entries, if it is a map.
    pub fn as_map(&self) -> Option<&Map> {
        match self {
            Value::Map(entries) => Some(entries),
            _ => None,
        }
    }

    /// Whether it is absent.
    pub fn is_null(&self) -> bool {
        matches!(self, Value::Null)
    }

    /// Whether a secret stands in it, at any depth.
    pub fn has_secret(&self) -> bool {
        match self {
            Value::Secret(_) => true,
            Value::List(items) => items.iter().any(Value::has_secret),
            Value::Map(entries) => entries.values().any(Value::has_secret),
            _ => false,
        }
    }

    /// What lies at a path inside it, such as `spec.ports[0].name`; see [`Path`].
    pub fn at(&self, path: &Path) -> Option<&Value> {
        path.find(self)
    }

    /// What kind of value it is, for messages: `text`, `a list`, `null`.
    pub fn kind(&self) -> &'static str {
        match self {
            Value::Null => "null",
            Value::Bool(_) => "a boolean",
            Value::Int(_) => "a whole number",
            Value::Float(_) => "a number",
            Value::Str(_) => "text",
            Value::List(_) => "a list",
            Value::Map(_) => "a map",
            Value::Secret(_) => "a secret",
        }
    }

    /// Data that came from outside, as it is: nothing in it is taken for a secret reference. A whole number that does
    /// not fit 64 signed bits becomes text; of longer ones than JSON values hold, see [`Value::parse_json`].
    pub fn from_json(json: serde_json::Value) -> Self {
        match json {
            serde_json::Value::Null => Value::Null,
            serde_json::Value::Bool(value) => Value::Bool(value),
            serde_json::Value::Number(number) => match (number.as_i64(), number.as_u64()) {
                (Some(value), _) => Value::Int(value),
                (None, Some(value)) => Value::Str(value.to_string()),
                (None, None) => number.as_f64().map_or(Value::Null, Value::Float),
            },
            serde_json::Value::String(text) => Value::Str(text),
            serde_json::Value::Array(items) => Value::List(items.into_iter().map(Value::from_json).collect()),
            serde_json::Value::Object(entries) => {
                Value::Map(entries.into_iter().map(|(name, value)| (name, Value::from_json(value))).collect())
            }
        }
    }

    /// JSON for others to read: as [`Value::to_json`], but data that looks like a secret is left as it is, and a secret is
    /// the text that a file would write.
    pub fn to_plain_json(&self) -> serde_json::Value {
        match self {
            Value::Secret(secret) => secret.to_string().into(),
            Value::List(items) => items.iter().map(Value::to_plain_json).collect(),
            Value::Map(entries) => {
                entries.iter().map(|(name, value)| (name.clone(), value.to_plain_json())).collect()
            }
            other => other.to_json(),
        }
    }

    /// The JSON form described at [`Value`]. A float that JSON cannot hold (not a number, infinite) becomes `null`.
    pub fn to_json(&self) -> serde_json::Value {
        match self {
            Value::Null => serde_json::Value::Null,
            Value::Bool(value) => (*value).into(),
            Value::Int(value) => (*value).into(),
            Value::Float(value) => (*value).into(),
            Value::Str(text) => text.as_str().into(),
            Value::List(items) => items.iter().map(Value::to_json).collect(),
            Value::Map(entries) => {
                let escape = looks_like_secret(entries);
                entries
                    .iter()
                    .map(|(name, value)| {
                        (if escape { format!("${name}") } else { name.clone() }, value.to_json())
                    })
                    .collect()
            }
            Value::Secret(secret) => {
                let parts = secret.parts.iter().map(|part| match part {
                    SecretPart::Text(text) => serde_json::json!({ "text": text }),
                    SecretPart::Name(name) => serde_json::json!({ "name": name }),
                });
                serde_json::json!({ SECRET_KEY: parts.collect::<Vec<_>>() })
            }
        }
    }
}

/// Whether a map has exactly one key, and that is `$secret` with any number of further `$` before it.
pub(crate) fn looks_like_secret(entries: &Map) -> bool {
    let mut keys = entries.keys();
    match (keys.next(), keys.next()) {
        (Some(key), None) => key.ends_with(SECRET_KEY) && key.trim_start_matches('$') == "secret",
        _ => false,
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.to_json().serialize(serializer)
    }
}

/// As the language prints a value inside text: text bare, numbers and booleans as YAML writes them, `null`, lists and
/// maps as one line of JSON. A secret prints as the reference that it is.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Str(text) => f.write_str(text),
            Value::Secret(secret) => secret.fmt(f),
            other => other.to_plain_json().fmt(f),
        }
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Value::Bool(value)
    }
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Value::Int(value)
    }
}

impl From<i32> for Value {
    fn from(value: i32) -> Self {
        Value::Int(value.into())
    }
}

impl From<u32> for Value {
    fn from(value: u32) -> Self {
        Value::Int(value.into())
    }
}

impl From<u16> for Value {
    fn from(value: u16) -> Self {
        Value::Int(value.into())
    }
}

impl From<f64> for Value {
    fn from(value: f64) -> Self {
        Value::Float(value)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Value::Str(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Value::Str(text)
    }
}

impl From<Secret> for Value {
    fn from(secret: Secret) -> Self {
        Value::Secret(secret)
    }
}

impl From<Map> for Value {
    fn from(entries: Map) -> Self {
        Value::Map(entries)
    }
}

impl<T: Into<Value>> From<Vec<T>> for Value {
    fn from(items: Vec<T>) -> Self {
        Value::List(items.into_iter().map(Into::into).collect())
    }
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Value::Null, Into::into)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_as_the_language_does() {
        let token = Value::Secret(Secret {
            parts: vec![SecretPart::Text("Bearer ".into()), SecretPart::Name("token".into())],
        });
        let map = Value::Map(Map::from([
            ("auth".into(), token.clone()),
            ("list".into(), vec![Value::Int(1), Value::Float(2.0), Value::Null].into()),
        ]));
        insta::assert_snapshot!(map, @r#"{"auth":"Bearer ${{ secrets.token }}","list":[1,2.0,null]}"#);
        insta::assert_snapshot!(token, @"Bearer ${{ secrets.token }}");
        insta::assert_snapshot!(Value::from("plain"), @"plain");
        insta::assert_snapshot!(Value::from(true), @"true");
    }

    #[test]
    fn data_that_looks_like_a_secret_is_written_as_data() {
        let data = Value::from_json(serde_json::json!({"$secret": [{"name": "token"}]}));
        assert!(data.as_map().is_some());
        insta::assert_snapshot!(data.to_json(), @r#"{"$$secret":[{"name":"token"}]}"#);
        insta::assert_snapshot!(Value::Secret(Secret::named("token")).to_json(), @r#"{"$secret":[{"name":"token"}]}"#);
    }
}
