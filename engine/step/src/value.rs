//! Values: what parameters, outputs and inputs are made of.

use serde::{Deserialize, Serialize};

/// An ordered map from names to values.
pub type Map = std::collections::BTreeMap<String, Value>;

/// A value of the language.
///
/// The JSON form is the plain one (`3`, `"text"`, `[…]`, `{…}`), except that a [`Secret`] is
/// written as `{"$secret": [...]}` with the *names* of what it refers to, never their content.
/// Reading one back is directed by the declared type (see [`crate::Type::decode`]), so that data
/// which merely looks like a secret reference stays data.
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
