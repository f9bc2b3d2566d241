//! The YAML tree: every node with its place, duplicate keys kept.
//!
//! Read with serde-saphyr, set so that a scalar means what it means to YAML 1.2 (and what YAML 1.1 tools disagree on is
//! reported by [`crate::check`]). Its `Spanned` gives places only where nothing is buffered in between, so the tree is
//! read by a visitor of our own, once, and everything else is lowered from it by hand.
//!
//! Anchors, aliases and merge keys (`<<`) are expanded as YAML 1.1 has them, within a budget. An aliased node stands
//! where it was defined.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::options::DuplicateKeyPolicy;

/// The longest file that is read: a 10,000-step runbook is under 3 MiB.
pub(crate) const MAX_BYTES: usize = 8 << 20;
/// The most nodes, those that aliases repeat included.
const MAX_NODES: usize = 1_000_000;
/// The most parser events that aliases may repeat: ten thousand steps that share a small `retry` are below it.
const MAX_REPEATED: usize = 300_000;
/// The deepest nesting of maps and lists.
pub(crate) const MAX_DEPTH: usize = 64;

/// A node of the tree. Places are bytes of the text that was read.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Node<'a> {
    pub(crate) start: u32,
    pub(crate) end: u32,
    pub(crate) value: Value<'a>,
}

/// What a node is.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value<'a> {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(Cow<'a, str>),
    List(Vec<Node<'a>>),
    Map(Vec<(Node<'a>, Node<'a>)>),
    /// Not what should stand here, which has been reported.
    Broken,
}

impl Node<'_> {
    /// Where a caret should stand: a block mapping has no token of its own, so it is its first key.
    pub(crate) fn range(&self) -> std::ops::Range<usize> {
        let (start, end) = match &self.value {
            Value::Map(entries) if self.start == self.end => {
                entries.first().map_or((self.start, self.end), |(key, _)| (key.start, key.end))
            }
            _ => (self.start, self.end),
        };
        start as usize..end as usize
    }
}

/// Reads the one document of a text.
pub(crate) fn read(text: &str) -> Result<Node<'_>, serde_saphyr::Error> {
    let budget = serde_saphyr::budget! {
        max_nodes: MAX_NODES,
        max_events: 3 * MAX_NODES,
        max_depth: MAX_DEPTH,
        flow_nesting_limit: MAX_DEPTH,
        max_recorded_anchor_events: MAX_REPEATED,
        // One anchor that a thousand steps share is no attack; how much is repeated is bounded instead.
        enforce_alias_anchor_ratio: false,
    };
    let options = serde_saphyr::options! {
        budget: budget,
        duplicate_keys: DuplicateKeyPolicy::PassThrough,
        alias_limits: serde_saphyr::alias_limits! { max_total_replayed_events: MAX_REPEATED },
        strict_booleans: true,
        leading_zero_numbers_as_strings: true,
        underscored_numbers_as_strings: true,
        reject_unsupported_tags: true,
        with_snippet: false,
    };
    serde_saphyr::from_str_with_options(text, options)
}

impl<'de: 'a, 'a> Deserialize<'de> for Node<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // A level of nesting takes some thirty kilobytes of stack without optimisation, and threads may have two megabytes.
        let spanned = stacker::maybe_grow(128 << 10, 1 << 20, || {
            serde_saphyr::Spanned::<Value<'a>>::deserialize(deserializer)
        })?;
        let place = spanned.defined.span();
        let cut = |at: Option<u64>| at.and_then(|at| u32::try_from(at).ok()).unwrap_or(0);
        let start = cut(place.byte_offset());
        Ok(Node { start, end: start.saturating_add(cut(place.byte_len())), value: spanned.value })
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Value<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor(std::marker::PhantomData))
    }
}

struct ValueVisitor<'a>(std::marker::PhantomData<Value<'a>>);

impl<'de: 'a, 'a> Visitor<'de> for ValueVisitor<'a> {
    type Value = Value<'a>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a YAML value")
    }

    fn visit_unit<E>(self) -> Result<Value<'a>, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value<'a>, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value<'a>, E> {
        Ok(Value::Int(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value<'a>, E> {
        // One that does not fit becomes a fraction here, as those of more than 64 bits do in the reader, and is
        // reported where its text is at hand.
        Ok(i64::try_from(value).map_or(Value::Float(value as f64), Value::Int))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value<'a>, E> {
        Ok(Value::Float(value))
    }

    fn visit_borrowed_str<E>(self, value: &'de str) -> Result<Value<'a>, E> {
        Ok(Value::Text(Cow::Borrowed(value)))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value<'a>, E> {
        Ok(Value::Text(Cow::Owned(value.to_owned())))
    }

    fn visit_string<E>(self, value: String) -> Result<Value<'a>, E> {
        Ok(Value::Text(Cow::Owned(value)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value<'a>, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = list.next_element()? {
            items.push(item);
        }
        Ok(Value::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value<'a>, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = map.next_entry()? {
            entries.push(entry);
        }
        Ok(Value::Map(entries))
    }
}
