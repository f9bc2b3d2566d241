//! JSON from outside.

use std::borrow::Cow;

use crate::Value;

impl Value {
    /// Data that came from outside, as a JSON text. A whole number that does not fit 64 signed bits is kept as the text
    /// that it is: rounded to a number that fits, it would be another one.
    ///
    /// # Errors
    /// If it is not JSON.
    pub fn parse_json(text: &[u8]) -> serde_json::Result<Value> {
        serde_json::from_slice(&long_numbers_quoted(text)).map(Value::from_json)
    }
}

/// The text with quotes around each whole number that 64 signed bits cannot hold: whoever parses it sees all its digits.
fn long_numbers_quoted(text: &[u8]) -> Cow<'_, [u8]> {
    let mut out = Vec::new();
    let mut copied = 0;
    let (mut at, mut in_string) = (0, false);
    while let Some(byte) = text.get(at) {
        match byte {
            b'\\' if in_string => at += 2,
            b'"' => (at, in_string) = (at + 1, !in_string),
            b'-' | b'0'..=b'9' if !in_string => {
                let is_part = |byte: &u8| matches!(byte, b'-' | b'+' | b'.' | b'e' | b'E' | b'0'..=b'9');
                let end = text[at..].iter().position(|byte| !is_part(byte)).map_or(text.len(), |n| at + n);
                if is_long(&text[at..end]) {
                    out.extend_from_slice(&text[copied..at]);
                    out.extend([b"\"", &text[at..end], b"\""].concat());
                    copied = end;
                }
                at = end;
            }
            _ => at += 1,
        }
    }
    if copied == 0 {
        return Cow::Borrowed(text);
    }
    out.extend_from_slice(&text[copied..]);
    Cow::Owned(out)
}

/// Whether this is a whole number as JSON writes it, and beyond 64 signed bits.
fn is_long(number: &[u8]) -> bool {
    let digits = number.strip_prefix(b"-").unwrap_or(number);
    let whole = digits.iter().all(u8::is_ascii_digit) && !matches!(digits, [] | [b'0', ..]);
    whole && std::str::from_utf8(number).is_ok_and(|number| number.parse::<i64>().is_err())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parsed(text: &str) -> Result<String, String> {
        let value = Value::parse_json(text.as_bytes()).map_err(|error| error.to_string())?;
        Ok(value.to_json().to_string())
    }

    #[test]
    fn no_digit_of_a_whole_number_is_lost() {
        for (text, kept) in [
            ("9223372036854775807", "9223372036854775807"),
            ("-9223372036854775808", "-9223372036854775808"),
            ("9223372036854775808", r#""9223372036854775808""#),
            ("-9223372036854775809", r#""-9223372036854775809""#),
            ("18446744073709551615", r#""18446744073709551615""#),
            ("[1, 123456789012345678901234567890 ]", r#"[1,"123456789012345678901234567890"]"#),
            (r#"{"id":18446744073709551615,"n":1.5}"#, r#"{"id":"18446744073709551615","n":1.5}"#),
            // Those with a fraction or an exponent are approximations anyhow.
            ("18446744073709551615.0", "1.8446744073709552e+19"),
            ("1e20", "1e+20"),
            (r#"{"a \" 18446744073709551615":0}"#, r#"{"a \" 18446744073709551615":0}"#),
            (r#""\\18446744073709551615""#, r#""\\18446744073709551615""#),
        ] {
            assert_eq!(parsed(text), Ok(kept.to_owned()), "{text}");
        }
        assert_eq!(Value::from_json(serde_json::json!(u64::MAX)), Value::from("18446744073709551615"));
    }

    #[test]
    fn what_is_not_json_stays_so() {
        for text in
            ["", "018446744073709551615", "18446744073709551615-", "--18446744073709551615", "{", "\"\\"]
        {
            parsed(text).unwrap_err();
        }
    }

    proptest! {
        /// Against the parser alone, which loses nothing of these.
        #[test]
        fn other_json_is_read_as_it_is(numbers in prop::collection::vec(any::<i64>(), 0..4), text in ".{0,8}") {
            let json = serde_json::json!({"numbers": numbers, "text": text, text.clone(): null});
            let read = Value::parse_json(json.to_string().as_bytes()).unwrap();
            prop_assert_eq!(read, Value::from_json(json));
        }

        #[test]
        fn never_panics(text in "[-+0-9.eE\"\\\\{}:, é]{0,48}") {
            let _ = Value::parse_json(text.as_bytes());
        }
    }
}
