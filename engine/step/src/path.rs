//! Paths into values.

use std::fmt;
use std::str::FromStr;

use crate::Value;

/// A path into a value: `spec.ports[0].name`. A leading dot is allowed (`.spec.replicas`), a name with other characters
/// is written in quotes and brackets (`metadata.annotations["example.org/owner"]`), and `[-1]` is the last item.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Path {
    segments: Vec<Segment>,
}

/// One step of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Segment {
    Name(String),
    /// From the end where negative.
    Index(i64),
}

/// Why a text is not a path.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a path: {problem} at character {at}")]
pub struct PathError {
    /// The whole text.
    pub text: String,
    /// What is wrong, such as `a name is missing`.
    pub problem: &'static str,
    /// Where, from 1.
    pub at: usize,
}

impl Path {
    /// The path to this name below.
    #[must_use]
    pub fn name(mut self, name: &str) -> Path {
        self.segments.push(Segment::Name(name.to_owned()));
        self
    }

    /// The path to this item below, counted from 0.
    #[must_use]
    pub fn item(mut self, index: usize) -> Path {
        self.segments.push(Segment::Index(index as i64));
        self
    }

    /// This path, and from there the other one.
    #[must_use]
    pub fn join(mut self, below: &Path) -> Path {
        self.segments.extend_from_slice(&below.segments);
        self
    }

    /// Whether one of the two lies at or below the other.
    pub fn meets(&self, other: &Path) -> bool {
        self.segments.iter().zip(&other.segments).all(|(one, another)| one == another)
    }

    /// The first name, and the way on from there; `None` at the end, and where there is an item first.
    pub fn split_name(&self) -> Option<(String, Path)> {
        match self.segments.split_first()? {
            (Segment::Name(name), rest) => Some((name.clone(), Path { segments: rest.to_vec() })),
            (Segment::Index(_), _) => None,
        }
    }

    /// The way from another place to this one; `None` if this does not lie at or below it.
    pub fn from(&self, other: &Path) -> Option<Path> {
        Some(Path { segments: self.segments.strip_prefix(other.segments.as_slice())?.to_vec() })
    }

    /// What lies there; `None` where a name or an item does not exist, or what is on the way is not a map or list.
    pub fn find<'a>(&self, value: &'a Value) -> Option<&'a Value> {
        self.segments.iter().try_fold(value, |value, segment| match (segment, value) {
            (Segment::Name(name), Value::Map(entries)) => entries.get(name),
            (Segment::Index(index), Value::List(items)) => {
                let index = if *index < 0 { items.len() as i64 + index } else { *index };
                usize::try_from(index).ok().and_then(|index| items.get(index))
            }
            _ => None,
        })
    }
}

impl FromStr for Path {
    type Err = PathError;

    fn from_str(text: &str) -> Result<Self, PathError> {
        let fault = |problem, rest: &str| PathError {
            text: text.to_owned(),
            problem,
            at: text[..text.len() - rest.len()].chars().count() + 1,
        };
        let mut segments = Vec::new();
        let mut rest = text.strip_prefix('.').unwrap_or(text);
        let mut wants_name = !rest.starts_with('[');
        while wants_name || !rest.is_empty() {
            if wants_name {
                let end = rest.find(['.', '[', ']', '"', '\'']).unwrap_or(rest.len());
                let name = &rest[..end];
                if name.is_empty() || name.contains(char::is_whitespace) {
                    return Err(fault("a name is missing", rest));
                }
                segments.push(Segment::Name(name.to_owned()));
                rest = &rest[end..];
            } else {
                let Some(inner) = rest.strip_prefix('[') else {
                    return Err(fault("`.` or `[` is missing", rest));
                };
                let quote = inner.chars().next().filter(|first| matches!(first, '"' | '\''));
                let (segment, end) = match quote {
                    Some(quote) => {
                        let Some(end) = inner[1..].find(quote) else {
                            return Err(fault("the quote does not end", inner));
                        };
                        (Segment::Name(inner[1..=end].to_owned()), end + 2)
                    }
                    None => {
                        let end = inner.find(']').unwrap_or(inner.len());
                        let Ok(index) = inner[..end].parse() else {
                            return Err(fault("a number is missing", inner));
                        };
                        (Segment::Index(index), end)
                    }
                };
                let Some(after) = inner[end..].strip_prefix(']') else {
                    return Err(fault("`]` is missing", &inner[end..]));
                };
                segments.push(segment);
                rest = after;
            }
            wants_name = rest.starts_with('.');
            rest = rest.strip_prefix('.').unwrap_or(rest);
        }
        Ok(Path { segments })
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, segment) in self.segments.iter().enumerate() {
            match segment {
                Segment::Name(name) => push_name(f, place == 0, name)?,
                Segment::Index(index) => write!(f, "[{index}]")?,
            }
        }
        Ok(())
    }
}

/// Adds a name to a path that is being written.
pub(crate) fn push_name(out: &mut impl fmt::Write, first: bool, name: &str) -> fmt::Result {
    let plain =
        !name.is_empty() && !name.contains(['.', '[', ']', '"', '\'']) && !name.contains(char::is_whitespace);
    match (plain, first) {
        (true, true) => out.write_str(name),
        (true, false) => write!(out, ".{name}"),
        (false, _) if name.contains('"') => write!(out, "['{name}']"),
        (false, _) => write!(out, "[\"{name}\"]"),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn finds_what_lies_there() {
        let value = Value::from_json(serde_json::json!({
            "spec": {"ports": [{"port": 80}, {"port": 443}], "a.b": {"c": 1}},
            "list": [[1], [2, 3]],
        }));
        for (path, wanted) in [
            ("spec.ports[0].port", Some("80")),
            (".spec.ports[-1].port", Some("443")),
            ("spec.ports[2].port", None),
            ("spec.ports[-3].port", None),
            ("spec[\"a.b\"].c", Some("1")),
            ("spec['a.b']['c']", Some("1")),
            ("list[1][0]", Some("2")),
            ("spec.port", None),
        ] {
            let found = value.at(&path.parse().unwrap()).map(ToString::to_string);
            assert_eq!(found.as_deref(), wanted, "{path}");
        }
    }

    #[test]
    fn where_places_lie_to_each_other() {
        let path = |text: &str| text.parse::<Path>().unwrap();
        assert_eq!(path("a.b[0].c").from(&path("a.b")), Some(path("[0].c")));
        assert_eq!(path("a.b").from(&path("a.b")), Some(Path::default()));
        assert_eq!(path("a").from(&path("a.b")), None);
        assert!(path("a").meets(&path("a.b")) && path("a.b").meets(&path("a")));
        assert!(!path("a.c").meets(&path("a.b")));
    }

    #[test]
    fn says_what_is_wrong() {
        let faults = ["", "a..b", "a[", "a[x]", "a[\"b]", "a[0", "a]b", "a b", "a[0]b", "a."]
            .map(|text| text.parse::<Path>().unwrap_err().to_string())
            .join("\n");
        insta::assert_snapshot!(faults, @r#"
        `` is not a path: a name is missing at character 1
        `a..b` is not a path: a name is missing at character 3
        `a[` is not a path: a number is missing at character 3
        `a[x]` is not a path: a number is missing at character 3
        `a["b]` is not a path: the quote does not end at character 3
        `a[0` is not a path: `]` is missing at character 4
        `a]b` is not a path: `.` or `[` is missing at character 2
        `a b` is not a path: a name is missing at character 1
        `a[0]b` is not a path: `.` or `[` is missing at character 5
        `a.` is not a path: a name is missing at character 3
        "#);
    }

    proptest! {
        #[test]
        fn reads_back_what_it_writes(names in prop::collection::vec(prop_oneof![
            "[a-z .\\[/]{1,6}".prop_map(Segment::Name), (-3i64..9).prop_map(Segment::Index)
        ], 1..6)) {
            let path = Path { segments: names };
            prop_assert_eq!(path.to_string().parse::<Path>().unwrap(), path);
        }

        #[test]
        fn never_panics(text in "[a\\[\\].\"'0-9é -]{0,12}") {
            let _ = text.parse::<Path>();
        }
    }
}
