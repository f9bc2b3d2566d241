//! Types of parameters, outputs and inputs.

mod convert;
pub(crate) mod schema;

use std::fmt;

use crate::Quantity;

/// A type of the language (the same for inputs, step parameters and outputs).
///
/// There are four ways in, by where a value comes from: [`Type::literal`] from a file as it is written,
/// [`Type::coerce`] from an expression, [`Type::parse`] from a line of text, [`Type::decode`] from the journal's JSON.
/// What comes out has been checked and is held as the type says (a duration as milliseconds).
#[derive(Debug, Clone, PartialEq)]
pub enum Type {
    /// Any data; no secrets.
    Any,
    /// Any data, and text in it may be a secret: the JSON body of a request.
    Payload,
    /// Text; `pattern` is a regular expression that must match somewhere in it.
    String { pattern: Option<String>, one_of: Vec<String> },
    /// A whole number within inclusive bounds.
    Integer { min: Option<i64>, max: Option<i64> },
    /// A number within inclusive bounds.
    Number { min: Option<f64>, max: Option<f64> },
    /// `true` or `false`.
    Boolean,
    /// A length of time, written `250ms`, `10s`, `5m`, `1h30m`, `2d`; held in milliseconds as [`crate::Value::Int`].
    Duration { min_ms: Option<u64>, max_ms: Option<u64> },
    /// A list of one type.
    List(Box<Type>),
    /// A map. `fields` are the known names; `extra` is the type of any other name (`None`: unknown names are errors).
    Map { fields: Vec<Field>, extra: Option<Box<Type>> },
    /// A secret, by reference; plain text is accepted too where `plain` is set.
    Secret { plain: bool },
    /// A path relative to the runbook's folder, pinned with the plan.
    File,
    /// A comparison, such as `>= 3` or `< 500ms`; held as text, read by [`crate::Comparison`].
    Comparison(Quantity),
    /// One of several types, tried in this order: a status is a number, a class such as `2xx`, or a list of them.
    Either(Vec<Type>),
}

/// A named field of a [`Type::Map`].
#[derive(Debug, Clone, PartialEq)]
pub struct Field {
    pub name: String,
    pub ty: Type,
    pub required: bool,
    pub doc: String,
}

/// Why a value is not of a type: where inside the value, and what was wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TypeError {
    /// Path inside the value, such as `expect.status`; empty for the value itself.
    pub path: String,
    /// What is wrong, in one sentence without a full stop.
    pub message: String,
}

impl std::error::Error for TypeError {}

impl fmt::Display for TypeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.path.as_str() {
            "" => f.write_str(&self.message),
            path => write!(f, "{path}: {}", self.message),
        }
    }
}

impl TypeError {
    /// The same fault, seen from a map that holds the value under this name.
    #[must_use]
    pub fn inside(mut self, name: &str) -> Self {
        let mut path = String::new();
        crate::path::push_name(&mut path, true, name).expect("writing to a string cannot fail");
        if !self.path.is_empty() && !self.path.starts_with('[') {
            path.push('.');
        }
        self.path.insert_str(0, &path);
        self
    }
}

impl Type {
    /// Any text.
    pub fn string() -> Self {
        Type::String { pattern: None, one_of: Vec::new() }
    }

    /// Text in which a regular expression must match somewhere; anchor it with `^` and `$` to match all of it.
    pub fn pattern(pattern: &str) -> Self {
        Type::String { pattern: Some(pattern.to_owned()), one_of: Vec::new() }
    }

    /// One of these words.
    pub fn one_of<const N: usize>(words: [&str; N]) -> Self {
        Type::String { pattern: None, one_of: words.map(str::to_owned).to_vec() }
    }

    /// Any whole number.
    pub fn integer() -> Self {
        Type::Integer { min: None, max: None }
    }

    /// A whole number from `min` to `max`, both included.
    pub fn integer_in(min: i64, max: i64) -> Self {
        Type::Integer { min: Some(min), max: Some(max) }
    }

    /// Any number.
    pub fn number() -> Self {
        Type::Number { min: None, max: None }
    }

    /// Any length of time.
    pub fn duration() -> Self {
        Type::Duration { min_ms: None, max_ms: None }
    }

    /// A length of time that is not zero.
    pub fn positive_duration() -> Self {
        Type::Duration { min_ms: Some(1), max_ms: None }
    }

    /// A list of one type.
    pub fn list(of: Type) -> Self {
        Type::List(Box::new(of))
    }

    /// A map with any names and values of one type.
    pub fn map_of(of: Type) -> Self {
        Type::Map { fields: Vec::new(), extra: Some(Box::new(of)) }
    }

    /// A map with these fields and no others.
    pub fn record(fields: impl IntoIterator<Item = Field>) -> Self {
        Type::Map { fields: fields.into_iter().collect(), extra: None }
    }

    /// One of several types, tried in this order.
    pub fn either(types: impl IntoIterator<Item = Type>) -> Self {
        Type::Either(types.into_iter().collect())
    }

    /// A URL. It may be or contain a secret, as the URLs of webhooks do.
    pub fn url() -> Self {
        Type::Secret { plain: true }
    }

    /// What goes into text as it is: an environment variable, an HTTP header, a form field. Text or a secret, and
    /// whole numbers and booleans, which print one way only. Other numbers must be quoted, since `1.10` is `1.1`.
    pub fn printable() -> Self {
        Type::either([Type::Secret { plain: true }, Type::integer(), Type::Boolean])
    }

    /// Whether a secret may stand somewhere in a value of this type.
    pub fn admits_secret(&self) -> bool {
        match self {
            Type::Secret { .. } | Type::Payload => true,
            Type::List(of) => of.admits_secret(),
            Type::Map { fields, extra } => {
                fields.iter().any(|field| field.ty.admits_secret())
                    || extra.as_ref().is_some_and(|extra| extra.admits_secret())
            }
            Type::Either(types) => types.iter().any(Type::admits_secret),
            _ => false,
        }
    }
}

impl Field {
    /// A field that must be there.
    pub fn required(name: &str, ty: Type) -> Self {
        Field { name: name.to_owned(), ty, required: true, doc: String::new() }
    }

    /// A field that may be absent.
    pub fn optional(name: &str, ty: Type) -> Self {
        Field { required: false, ..Field::required(name, ty) }
    }

    /// One line for the reference page and completion.
    #[must_use]
    pub fn doc(mut self, doc: &str) -> Self {
        doc.clone_into(&mut self.doc);
        self
    }
}

/// A type in words, for messages and the reference: `text`, `a duration`, `a list of whole numbers`.
impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let listed =
            |words: &[String]| words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ");
        match self {
            Type::Any | Type::Payload => f.write_str("any value"),
            Type::String { one_of, .. } if !one_of.is_empty() => write!(f, "one of {}", listed(one_of)),
            Type::String { pattern: Some(pattern), .. } => write!(f, "text that matches `{pattern}`"),
            Type::String { .. } => f.write_str("text"),
            Type::Integer { min, max } => write!(f, "a whole number{}", Bounds(min, max)),
            Type::Number { min, max } => write!(f, "a number{}", Bounds(min, max)),
            Type::Boolean => f.write_str("`true` or `false`"),
            Type::Duration { min_ms: Some(1), max_ms: None } => f.write_str("a duration above zero"),
            Type::Duration { min_ms, max_ms } => {
                let text = |ms: &Option<u64>| ms.map(crate::format_duration);
                write!(f, "a duration{}", Bounds(&text(min_ms), &text(max_ms)))
            }
            Type::List(of) => write!(f, "a list of {of}"),
            Type::Map { fields, .. } if !fields.is_empty() => {
                let names: Vec<_> = fields.iter().map(|field| field.name.clone()).collect();
                write!(f, "a map with {}", listed(&names))
            }
            Type::Map { extra: Some(of), .. } => write!(f, "a map to {of}"),
            Type::Map { .. } => f.write_str("an empty map"),
            Type::Secret { plain: true } => f.write_str("text or a secret"),
            Type::Secret { plain: false } => f.write_str("a secret"),
            Type::File => f.write_str("the path of a file"),
            Type::Comparison(quantity) => write!(f, "a comparison such as {}", quantity.example()),
            Type::Either(types) => {
                let words: Vec<_> = types.iter().map(Type::to_string).collect();
                f.write_str(&words.join(", or "))
            }
        }
    }
}

/// Inclusive bounds in words.
struct Bounds<'a, T>(&'a Option<T>, &'a Option<T>);

impl<T: fmt::Display> fmt::Display for Bounds<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.0, self.1) {
            (Some(min), Some(max)) => write!(f, " from {min} to {max}"),
            (Some(min), None) => write!(f, " of at least {min}"),
            (None, Some(max)) => write!(f, " of at most {max}"),
            (None, None) => Ok(()),
        }
    }
}
