//! Lengths of time: `250ms`, `10s`, `5m`, `1h30m`, `2d`.

/// The units, from long to short, in milliseconds.
const UNITS: [(&str, u64); 5] = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// Reads a length of time, in milliseconds. Whole numbers with a unit each, from long to short, every unit at most
/// once: `1h30m`. The error is one sentence.
pub fn parse_duration(text: &str) -> Result<u64, String> {
    let wrong = || format!("`{text}` is not a duration; write `250ms`, `10s`, `5m`, `1h30m` or `2d`");
    let mut rest = text;
    let mut total: u64 = 0;
    let mut smaller_than = u64::MAX;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
        let (number, after) = rest.split_at(digits);
        let letters = after.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(after.len());
        let (unit, after) = after.split_at(letters);
        let (_, factor) = UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(wrong)?;
        if *factor >= smaller_than || number.is_empty() {
            return Err(wrong());
        }
        let part = number.parse::<u64>().ok().and_then(|number| number.checked_mul(*factor));
        total = part
            .and_then(|part| total.checked_add(part))
            .filter(|total| i64::try_from(*total).is_ok())
            .ok_or_else(|| format!("`{text}` is too long a time"))?;
        smaller_than = *factor;
        rest = after;
    }
    if smaller_than == u64::MAX { Err(wrong()) } else { Ok(total) }
}

/// Writes a length of time so that [`parse_duration`] reads it back: `1h30m`, `0s`.
pub fn format_duration(ms: u64) -> String {
    if ms == 0 {
        return "0s".to_owned();
    }
    let mut rest = ms;
    let mut text = String::new();
    for (unit, factor) in UNITS {
        if rest >= factor {
            text.push_str(&format!("{}{unit}", rest / factor));
            rest %= factor;
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn reads_the_forms_of_the_language() {
        for (text, ms) in [
            ("250ms", 250),
            ("10s", 10_000),
            ("5m", 300_000),
            ("1h30m", 5_400_000),
            ("2d", 172_800_000),
            ("0s", 0),
            ("90m", 5_400_000),
            ("1m0s5ms", 60_005),
        ] {
            assert_eq!(parse_duration(text), Ok(ms), "{text}");
        }
        for text in ["", "5", "5 m", "m", "1.5h", "5M", "30m1h", "1h1h", "-5s", "5sx", "5secs", "٥s", "1h30"]
        {
            parse_duration(text).unwrap_err();
        }
        insta::assert_snapshot!(parse_duration("99999999999999d").unwrap_err(), @"`99999999999999d` is too long a time");
    }

    proptest! {
        #[test]
        fn reads_back_what_it_writes(ms in 0..=i64::MAX as u64) {
            prop_assert_eq!(parse_duration(&format_duration(ms)), Ok(ms));
        }

        #[test]
        fn never_panics(text in "[0-9dhms٥ .-]{0,24}") {
            let _ = parse_duration(&text);
        }
    }
}
