//! Comparisons with a number or a length of time: `>= 3`, `< 500ms`.

use std::fmt;

use crate::parse_duration;

/// What a comparison compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quantity {
    /// `>= 3`, `== 0.5`.
    Number,
    /// `< 500ms`; compared in milliseconds.
    Duration,
}

/// A comparison as a file writes it. See [`crate::Type::Comparison`].
///
/// ```
/// use runbook_step::{Comparison, Quantity};
///
/// let fast = Comparison::parse("< 500ms", Quantity::Duration).unwrap();
/// assert!(fast.holds(499.9) && !fast.holds(500.0) && !fast.holds(f64::NAN));
/// assert_eq!(fast.to_string(), "< 500ms");
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison {
    operator: Operator,
    limit: f64,
    /// As it was written, for messages.
    text: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operator {
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Equal,
    NotEqual,
}

impl Comparison {
    /// Reads one. The error is one sentence.
    pub fn parse(text: &str, quantity: Quantity) -> Result<Self, String> {
        let wrong = || format!("`{text}` is no comparison; write it as in {}", quantity.example());
        let (operator, limit) = split(text).ok_or_else(wrong)?;
        let limit = match quantity {
            Quantity::Duration if limit.is_empty() => return Err(wrong()),
            Quantity::Duration => parse_duration(limit)? as f64,
            Quantity::Number => {
                limit.parse().ok().filter(|limit: &f64| limit.is_finite()).ok_or_else(wrong)?
            }
        };
        Ok(Comparison { operator, limit, text: text.to_owned() })
    }

    /// Whether it holds for this number; never for one that is not a number.
    pub fn holds(&self, number: f64) -> bool {
        match self.operator {
            Operator::Less => number < self.limit,
            Operator::LessOrEqual => number <= self.limit,
            Operator::Greater => number > self.limit,
            Operator::GreaterOrEqual => number >= self.limit,
            Operator::Equal => number == self.limit,
            Operator::NotEqual => !number.is_nan() && number != self.limit,
        }
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fn split(text: &str) -> Option<(Operator, &str)> {
    const OPERATORS: [(&str, Operator); 6] = [
        ("<=", Operator::LessOrEqual),
        (">=", Operator::GreaterOrEqual),
        ("==", Operator::Equal),
        ("!=", Operator::NotEqual),
        ("<", Operator::Less),
        (">", Operator::Greater),
    ];
    let (symbol, operator) = OPERATORS.iter().find(|(symbol, _)| text.starts_with(symbol))?;
    Some((*operator, text[symbol.len()..].trim()))
}

impl Quantity {
    /// For messages and the reference.
    pub(crate) fn example(self) -> &'static str {
        match self {
            Quantity::Number => "`>= 3`",
            Quantity::Duration => "`< 500ms`",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compares() {
        for (text, number, wanted) in [
            ("< 500ms", 499.9, true),
            ("< 500ms", 500.0, false),
            ("<=1s", 1000.0, true),
            ("> 1m30s", 90_000.5, true),
            (">= 2s", 1999.0, false),
            ("< 500ms", f64::NAN, false),
        ] {
            assert_eq!(
                Comparison::parse(text, Quantity::Duration).unwrap().holds(number),
                wanted,
                "{text} {number}"
            );
        }
        for (text, number, wanted) in
            [("== 0", 0.0, true), ("!= 0", 0.0, false), ("!= 0", f64::NAN, false), ("< -0.5", -1.0, true)]
        {
            assert_eq!(
                Comparison::parse(text, Quantity::Number).unwrap().holds(number),
                wanted,
                "{text} {number}"
            );
        }
    }

    #[test]
    fn says_what_is_wrong() {
        let faults = ["500ms", "< 500", "<> 5ms", "<"]
            .map(|text| Comparison::parse(text, Quantity::Duration).unwrap_err())
            .join("\n");
        insta::assert_snapshot!(faults, @"
        `500ms` is no comparison; write it as in `< 500ms`
        `500` is not a duration; write `250ms`, `10s`, `5m`, `1h30m` or `2d`
        `> 5ms` is not a duration; write `250ms`, `10s`, `5m`, `1h30m` or `2d`
        `<` is no comparison; write it as in `< 500ms`
        ");
        insta::assert_snapshot!(Comparison::parse("< NaN", Quantity::Number).unwrap_err(), @"`< NaN` is no comparison; write it as in `>= 3`");
    }
}
