//! Comparisons with a number: `< 500ms`, `>= 3`, `== 0`.

use std::fmt;

use runbook_step::{Type, parse_duration};

/// A comparison as a file writes it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Comparison {
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
    /// The type of a parameter that compares a length of time.
    pub(crate) fn duration_type() -> Type {
        Type::pattern(r"^(<|<=|>|>=) *[0-9][0-9a-z]*$")
    }

    /// The type of a parameter that compares a number.
    pub(crate) fn number_type() -> Type {
        Type::pattern(r"^(<|<=|>|>=|==|!=) *-?[0-9][0-9.]*$")
    }
    /// `< 500ms`; compares milliseconds.
    pub(crate) fn of_duration(text: &str) -> Result<Self, String> {
        let (operator, limit) = split(text).ok_or_else(|| wrong(text, "`< 500ms`"))?;
        Ok(Comparison { operator, limit: parse_duration(limit)? as f64, text: text.to_owned() })
    }

    /// `< 0.01`.
    pub(crate) fn of_number(text: &str) -> Result<Self, String> {
        let (operator, limit) = split(text).ok_or_else(|| wrong(text, "`< 0.01`"))?;
        let limit = limit
            .parse()
            .ok()
            .filter(|limit: &f64| limit.is_finite())
            .ok_or_else(|| wrong(text, "`< 0.01`"))?;
        Ok(Comparison { operator, limit, text: text.to_owned() })
    }

    /// Whether it holds for this number; never for one that is not a number.
    pub(crate) fn holds(&self, number: f64) -> bool {
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

fn wrong(text: &str, example: &str) -> String {
    format!("`{text}` is no comparison; write it as in {example}")
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
            assert_eq!(Comparison::of_duration(text).unwrap().holds(number), wanted, "{text} {number}");
        }
        for (text, number, wanted) in
            [("== 0", 0.0, true), ("!= 0", 0.0, false), ("!= 0", f64::NAN, false), ("< -0.5", -1.0, true)]
        {
            assert_eq!(Comparison::of_number(text).unwrap().holds(number), wanted, "{text} {number}");
        }
    }

    #[test]
    fn says_what_is_wrong() {
        let faults = ["500ms", "< 500", "<> 5ms", "<"]
            .map(|text| Comparison::of_duration(text).unwrap_err())
            .join("\n");
        insta::assert_snapshot!(faults, @"
        `500ms` is no comparison; write it as in `< 500ms`
        `500` is not a duration; write `250ms`, `10s`, `5m`, `1h30m` or `2d`
        `> 5ms` is not a duration; write `250ms`, `10s`, `5m`, `1h30m` or `2d`
        `` is not a duration; write `250ms`, `10s`, `5m`, `1h30m` or `2d`
        ");
        insta::assert_snapshot!(Comparison::of_number("< NaN").unwrap_err(), @"`< NaN` is no comparison; write it as in `< 0.01`");
    }
}
