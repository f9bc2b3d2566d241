//! The shape of a document as data: which keys stand where, and what their values look like.
//!
//! One table. The unknown-key check, the shape check, the lowering and the JSON Schema all read it, so that they cannot
//! disagree.

/// A list of steps with something in it. A macro, because the table of a step refers to itself.
macro_rules! steps {
    () => {
        Shape::Some(&Shape::Map(&STEP))
    };
}

/// A type, by its name or declared.
macro_rules! type_decl {
    () => {
        Shape::Either(&[TYPE_NAME, Shape::Map(&TYPE)])
    };
}

mod document;
mod foreign;
mod step;

pub use document::{ENVIRONMENT, RUNBOOK};
pub use step::STEP;

/// What a value looks like.
#[derive(Debug, Clone, Copy)]
pub enum Shape {
    /// Fixed text: no expressions.
    Text,
    /// Fixed text for people.
    Prose,
    /// Fixed text that begins with a lower-case letter and goes on with lower-case letters, digits and `_`.
    Name,
    /// Text that may hold expressions.
    Template,
    /// A script: text that holds no expressions, because values reach it through its environment.
    Script,
    /// Any value at all, null too, with expressions in its texts.
    Data,
    /// A length of time such as `30s` or `1h30m`, or an expression for one.
    Duration,
    /// A whole number, or an expression for one.
    Count,
    /// A number, or an expression for one.
    Number,
    /// A size of a batch: a whole number, a percentage such as `25%`, or `rest`.
    Size,
    /// `true` or `false`.
    Bool,
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// A condition: an expression, braces optional, or `true` or `false`.
    Condition,
    /// A map with these keys.
    Map(&'static Place),
    /// A map from names of the author's choosing.
    Entries(Names, &'static Shape),
    /// A list, which may be empty.
    List(&'static Shape),
    /// A list with something in it.
    Some(&'static Shape),
    /// One of several, told apart by whether a map, a list or a scalar stands there.
    Either(&'static [Shape]),
}

/// What the author's names may look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Names {
    Any,
    /// As [`Shape::Name`]: expressions read them with a dot.
    Name,
    /// A letter or `_`, then letters, digits and `_`.
    Variable,
}

/// A map with known keys.
#[derive(Debug)]
pub struct Place {
    /// What it is called in messages and in the schema, such as `step`.
    pub name: &'static str,
    /// One, as it may stand in a file, for messages and the schema.
    pub example: &'static str,
    /// Its own keys.
    pub keys: &'static [Key],
    /// Places whose keys may stand here too.
    pub includes: &'static [&'static Place],
    /// Of these keys exactly one must be there. Empty: no such rule.
    pub exactly_one: &'static [&'static str],
    /// Words of other tools, and what is written here instead.
    pub foreign: &'static [Foreign],
}

/// A key of a place.
#[derive(Debug)]
pub struct Key {
    pub name: &'static str,
    pub shape: Shape,
    pub required: bool,
    /// One line, for the schema and for completion.
    pub doc: &'static str,
    /// With which of the place's `exactly_one` keys it goes; empty: with any.
    pub with: &'static [&'static str],
    /// False where the engine does not yet do what the key asks for; then it is an error.
    pub enforced: bool,
}

/// A word of another tool.
#[derive(Debug)]
pub struct Foreign {
    pub word: &'static str,
    /// The key here that it stands for, if it is one key of the same place.
    pub key: Option<&'static str>,
    /// What to write, as a sentence.
    pub hint: &'static str,
}

/// Every place of the language, each once, a place before those inside it.
pub fn places() -> Vec<&'static Place> {
    let mut found: Vec<&'static Place> = vec![&RUNBOOK, &ENVIRONMENT];
    let mut next = 0;
    while let Some(place) = found.get(next).copied() {
        next += 1;
        let mut inside = place.includes.to_vec();
        place.keys.iter().for_each(|key| places_in(&key.shape, &mut inside));
        for place in inside {
            if !found.iter().any(|known| std::ptr::eq(*known, place)) {
                found.push(place);
            }
        }
    }
    found
}

fn places_in(shape: &Shape, found: &mut Vec<&'static Place>) {
    match shape {
        Shape::Map(place) => found.push(place),
        Shape::Entries(_, inner) | Shape::List(inner) | Shape::Some(inner) => places_in(inner, found),
        Shape::Either(shapes) => shapes.iter().for_each(|shape| places_in(shape, found)),
        _ => {}
    }
}

impl Place {
    /// All keys that may stand here.
    pub fn all_keys(&'static self) -> impl Iterator<Item = &'static Key> {
        self.keys.iter().chain(self.includes.iter().flat_map(|place| place.keys))
    }

    /// The key of this name. Where several have it (`outputs` means another thing for a group than for a script), the one
    /// that goes with `kind`.
    pub fn key(&'static self, name: &str, kind: Option<&str>) -> Option<&'static Key> {
        let mut found: Option<&'static Key> = None;
        for key in self.all_keys().filter(|key| key.name == name) {
            if key.goes_with(kind) {
                return Some(key);
            }
            found = found.or(Some(key));
        }
        found
    }
}

impl Key {
    /// Whether it may stand beside this one of the place's `exactly_one` keys.
    pub fn goes_with(&self, kind: Option<&str>) -> bool {
        self.with.is_empty() || kind.is_none_or(|kind| self.with.contains(&kind))
    }
}

/// A key that may be there.
const fn key(name: &'static str, shape: Shape, doc: &'static str) -> Key {
    Key { name, shape, required: false, doc, with: &[], enforced: true }
}

/// A key that must be there.
const fn required(name: &'static str, shape: Shape, doc: &'static str) -> Key {
    Key { required: true, ..key(name, shape, doc) }
}

/// A key that the language has, and the engine does not do yet.
const fn later(name: &'static str, doc: &'static str) -> Key {
    Key { enforced: false, ..key(name, Shape::Data, doc) }
}

/// A key that goes with some kinds only.
const fn only(with: &'static [&'static str], key: Key) -> Key {
    Key { with, ..key }
}

const fn foreign(word: &'static str, key: &'static str, hint: &'static str) -> Foreign {
    Foreign { word, key: Some(key), hint }
}

const fn elsewhere(word: &'static str, hint: &'static str) -> Foreign {
    Foreign { word, key: None, hint }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sound() {
        let places = places();
        let mut names: Vec<&str> = places.iter().map(|place| place.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), places.len(), "a name stands for one place");
        for place in places {
            let has = |name: &str| place.all_keys().any(|key| key.name == name);
            for kind in place.exactly_one {
                assert!(has(kind), "{}: {kind}", place.name);
            }
            for key in place.keys {
                assert!(key.doc.ends_with('.') && !key.doc.is_empty(), "{}.{}", place.name, key.name);
                assert!(
                    key.with.iter().all(|kind| place.exactly_one.contains(kind)),
                    "{}.{}",
                    place.name,
                    key.name
                );
            }
            for foreign in place.foreign {
                assert!(!has(foreign.word), "{}: `{}` is a key", place.name, foreign.word);
                assert!(foreign.hint.ends_with('.'), "{}: {}", place.name, foreign.word);
            }
        }
    }
}
