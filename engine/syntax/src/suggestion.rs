//! Did you mean.

/// The candidate that a person most likely meant, if one is close enough to be worth saying.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // A key of a thousand characters is no slip of the finger, and comparing it would take long.
    if word.chars().count() > 40 {
        return None;
    }
    let plain = word.replace('-', "_").to_lowercase();
    let length = plain.chars().count();
    let allowed = (length / 3).max(1);
    candidates
        .into_iter()
        .filter(|candidate| candidate.chars().count().abs_diff(length) <= allowed)
        .map(|candidate| (strsim::osa_distance(&plain, &candidate.to_lowercase()), candidate))
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// "Did you mean `x`?", if there is one.
pub fn did_you_mean<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<String> {
    nearest(word, candidates).map(|found| format!("Did you mean `{found}`?"))
}

/// "`a`, `b` or `c`".
pub fn alternatives<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    let quoted: Vec<String> = words.into_iter().map(|word| format!("`{word}`")).collect();
    match quoted.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} or {last}", rest.join(", ")),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_of_the_finger_are_found() {
        assert_eq!(nearest("tiemout", ["timeout", "deadline"]), Some("timeout"));
        assert_eq!(nearest("on-failure", ["on_failure"]), Some("on_failure"));
        assert_eq!(nearest("Needs", ["needs"]), Some("needs"));
    }

    #[test]
    fn other_words_are_not() {
        assert_eq!(nearest("banana", ["timeout", "deadline", "needs"]), None);
        assert_eq!(nearest("x", ["id", "as"]), None);
    }
}
