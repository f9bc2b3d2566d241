//! The one sink that hides secrets: logs, progress, messages and recorded outputs pass through it.
//!
//! Best effort, and said so: it hides a secret's text, its base64 (wherever it stands in what was encoded), hexadecimal,
//! URL and JSON forms (the latter escaped twice, too), each line of one that has several, and the text leaves of one that is JSON. It cannot hide what a program computes from a secret.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, RwLock};

use runbook_step::Path;
use serde_json::Value as Json;

/// What stands where a secret was.
pub(crate) const MASKED: &str = "***";

/// Shorter texts are not hidden: hiding `a` would only shred the log.
const SHORTEST: usize = 4;

/// Leaves and lines of a secret are hidden from this length on: `true` and `443` inside a JSON secret are no secrets.
const SHORTEST_PART: usize = 8;

/// Hides the secrets that have been revealed so far. Clones share what they know.
#[derive(Clone, Default)]
pub(crate) struct Mask {
    /// Longest first, so that a secret that contains another is hidden whole.
    needles: Arc<RwLock<Arc<Vec<String>>>>,
    /// Of an attempt: whether it has hidden anything in what the attempt was given back.
    hid: Option<Arc<AtomicBool>>,
}

impl Mask {
    /// The mask of one attempt, which knows what it has hidden: a step may make outputs of a text that was masked before.
    pub(crate) fn of_attempt(&self) -> Mask {
        Mask { needles: Arc::clone(&self.needles), hid: Some(Arc::default()) }
    }

    /// From now on hides this text and its usual forms; false if it is too short for that.
    pub(crate) fn hide(&self, secret: &str) -> bool {
        let mut wanted = Vec::new();
        forms(secret.trim(), SHORTEST, &mut wanted);
        for line in secret.lines().filter(|_| secret.trim().contains('\n')) {
            forms(line.trim(), SHORTEST_PART, &mut wanted);
        }
        if let Ok(json @ (Json::Object(_) | Json::Array(_))) = serde_json::from_str(secret) {
            leaves(&json, &mut wanted);
        }
        let mut needles = self.needles.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        wanted.retain(|form| !needles.contains(form));
        if !wanted.is_empty() {
            let mut all = needles.as_ref().clone();
            all.append(&mut wanted);
            all.sort_by_key(|needle| std::cmp::Reverse(needle.len()));
            all.dedup();
            *needles = Arc::new(all);
        }
        secret.trim().len() >= SHORTEST
    }

    /// The text with every known secret replaced.
    pub(crate) fn text<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let mut text = Cow::Borrowed(text);
        for needle in self.needles().iter() {
            if text.contains(needle.as_str()) {
                text = Cow::Owned(text.replace(needle.as_str(), MASKED));
            }
        }
        if let (Cow::Owned(_), Some(hid)) = (&text, &self.hid) {
            hid.store(true, Ordering::Relaxed);
        }
        text
    }

    /// Replaces known secrets in all text and numbers inside a value, names of fields included. Where secrets were, be it
    /// that this attempt's mask has hidden them before, comes back.
    pub(crate) fn json(&self, value: &mut Json) -> Vec<Path> {
        let mut places = Vec::new();
        if !self.needles().is_empty() {
            let before = self.hid.as_ref().is_some_and(|hid| hid.load(Ordering::Relaxed));
            self.json_at(value, before, &Path::default(), &mut places);
        }
        places
    }

    fn json_at(&self, value: &mut Json, before: bool, at: &Path, places: &mut Vec<Path>) {
        match value {
            Json::String(text) => {
                if let Cow::Owned(masked) = self.text(text) {
                    *text = masked;
                    places.push(at.clone());
                } else if before && text.contains(MASKED) {
                    places.push(at.clone());
                }
            }
            Json::Array(items) => {
                for (index, item) in items.iter_mut().enumerate() {
                    self.json_at(item, before, &at.clone().item(index), places);
                }
            }
            Json::Object(fields) => {
                let is_masked = |name: &String| {
                    matches!(self.text(name), Cow::Owned(_)) || before && name.contains(MASKED)
                };
                if fields.keys().any(is_masked) {
                    *fields = std::mem::take(fields)
                        .into_iter()
                        .map(|(name, field)| (self.text(&name).into_owned(), field))
                        .collect();
                    // One of its fields is not what it was called.
                    places.push(at.clone());
                }
                for (name, field) in fields {
                    self.json_at(field, before, &at.clone().name(name), places);
                }
            }
            // A secret that looks like a number comes back as one.
            Json::Number(number) => {
                if self.hides_number(&number.to_string()) {
                    *value = MASKED.into();
                    places.push(at.clone());
                }
            }
            Json::Null | Json::Bool(_) => {}
        }
    }

    /// Whether a number is a secret, or holds one that is too long to be in it by chance: every thousandth measurement of
    /// twelve digits holds any four.
    fn hides_number(&self, digits: &str) -> bool {
        let is_it = |needle: &String| {
            digits == needle || needle.len() >= SHORTEST_PART && digits.contains(needle.as_str())
        };
        let hidden = self.needles().iter().any(is_it);
        if let (true, Some(hid)) = (hidden, &self.hid) {
            hid.store(true, Ordering::Relaxed);
        }
        hidden
    }

    /// The length of the longest text that is hidden, in bytes: how much of a stream has to be seen at once.
    pub(crate) fn longest(&self) -> usize {
        self.needles().first().map_or(0, String::len)
    }

    fn needles(&self) -> Arc<Vec<String>> {
        self.needles.read().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }
}

fn leaves(json: &Json, out: &mut Vec<String>) {
    match json {
        Json::String(text) => forms(text, SHORTEST_PART, out),
        Json::Array(items) => items.iter().for_each(|item| leaves(item, out)),
        Json::Object(fields) => fields.values().for_each(|field| leaves(field, out)),
        Json::Null | Json::Bool(_) | Json::Number(_) => {}
    }
}

fn forms(text: &str, shortest: usize, out: &mut Vec<String>) {
    if text.len() < shortest {
        return;
    }
    out.push(text.to_owned());
    for before in 0..3 {
        out.push(base64(text.as_bytes(), before, b"+/"));
        out.push(base64(text.as_bytes(), before, b"-_"));
    }
    out.push(text.bytes().map(|byte| format!("{byte:02x}")).collect());
    out.push(text.bytes().map(|byte| format!("{byte:02X}")).collect());
    out.push(url(text));
    let once = escaped(text);
    out.push(escaped(&once));
    out.push(once);
}

/// As it stands between the quotes of a JSON text.
fn escaped(text: &str) -> String {
    let json = Json::String(text.to_owned()).to_string();
    json[1..json.len() - 1].to_owned()
}

/// Base64 of bytes that come after so many others in a group of three: only the digits that they alone decide, not those
/// which share bits with what stands before or after them.
fn base64(bytes: &[u8], before: usize, last_two: &[u8; 2]) -> String {
    const FIRST: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    let digit = |six: u32| {
        let six = (six & 63) as usize;
        char::from(if six < 62 { FIRST[six] } else { last_two[six - 62] })
    };
    let bytes = [&[0; 2][..before], bytes].concat();
    let mut out = String::with_capacity(bytes.len() / 3 * 4 + 4);
    for chunk in bytes.chunks(3) {
        let bits = chunk.iter().fold(0, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        // Of an incomplete group, the digits that only the secret's own bits decide.
        let digits = if chunk.len() == 3 { 4 } else { chunk.len() };
        (0..digits).for_each(|n| out.push(digit(bits >> (18 - 6 * n))));
    }
    // Eight bits of others reach into the second digit, sixteen into the third.
    let others = if before == 0 { 0 } else { before + 1 };
    out.split_off(others)
}

/// Everything but unreserved characters as `%XX`.
fn url(text: &str) -> String {
    text.bytes().fold(String::with_capacity(text.len()), |mut out, byte| {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(char::from(byte)),
            _ => write!(out, "%{byte:02X}").expect("writing to a String cannot fail"),
        }
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn masked(secret: &str, text: &str) -> String {
        let mask = Mask::default();
        mask.hide(secret);
        mask.text(text).into_owned()
    }

    #[test]
    fn the_text_and_its_usual_forms_are_hidden() {
        let secret = "p/ss \"w0rd\"+";
        for text in [
            secret.to_owned(),
            "cC9zcyAidzByZCIr".to_owned(),
            "p%2Fss%20%22w0rd%22%2B".to_owned(),
            serde_json::to_string(secret).unwrap(),
        ] {
            let out = masked(secret, &format!("before {text} after"));
            assert!(out.starts_with("before ") && out.ends_with(" after") && out.contains(MASKED), "{out}");
            assert!(!out.contains("w0rd") && !out.contains("cC9zcyAi"), "{out}");
        }
    }

    #[test]
    fn base64_of_every_length_is_found_in_a_longer_encoding() {
        // The encoder under test against the digits that a longer text shares with its prefix.
        for (secret, encoded_with_more) in
            [("abcd", "YWJjZDEyMw=="), ("abcde", "YWJjZGUxMjM="), ("abcdef", "YWJjZGVmMTIz")]
        {
            let out = masked(secret, encoded_with_more);
            assert!(out.starts_with(MASKED), "{secret}: {out}");
        }
        // `svc:`, `svc1:` and `svc12:` before it: three places in a group.
        for encoded in [
            "c3ZjOmh1bnRlcjIyLWFuZC1tb3Jl",
            "c3ZjMTpodW50ZXIyMi1hbmQtbW9yZQ==",
            "c3ZjMTI6aHVudGVyMjItYW5kLW1vcmU=",
        ] {
            assert!(masked("hunter22-and-more", encoded).contains(MASKED), "{encoded}");
        }
    }

    #[test]
    fn hexadecimal_and_json_within_json_are_hidden() {
        assert_eq!(masked("hunter22", "68756e7465723232 68756E7465723232"), "*** ***");
        let twice = serde_json::to_string(&serde_json::to_string("a\"b\\c").unwrap()).unwrap();
        assert!(masked("a\"b\\c", &twice).contains(MASKED), "{twice}");
    }

    #[test]
    fn json_leaves_and_lines_are_hidden() {
        let secret = "{\"user\": \"svc\", \"private_key\": \"-----BEGIN\\nabcdefgh12\"}";
        assert_eq!(masked(secret, "svc -----BEGIN\nabcdefgh12 x"), format!("svc {MASKED} x"));
        assert_eq!(masked("first-line\nsecond-line", "x second-line y"), format!("x {MASKED} y"));
    }

    #[test]
    fn short_texts_stay() {
        assert_eq!(masked("abc", "abcabc"), "abcabc");
        assert_eq!(masked("", "text"), "text");
    }

    #[test]
    fn a_secret_inside_another_does_not_uncover_it() {
        let mask = Mask::default();
        mask.hide("token");
        mask.hide("token-and-more");
        assert_eq!(mask.text("is token-and-more"), format!("is {MASKED}"));
    }

    #[test]
    fn what_an_attempt_was_given_masked_is_known_when_it_returns_it() {
        let known = Mask::default();
        known.hide("hunter22");
        let [hid, idle] = [known.of_attempt(), known.of_attempt()];
        let mut given = Json::from(hid.text("is hunter22"));
        let mut own = given.clone();
        assert_eq!(hid.json(&mut given), [Path::default()]);
        // Of one that was given nothing masked, it is its own text.
        assert_eq!(idle.json(&mut own), []);
    }

    #[test]
    fn names_and_leaves_of_json_are_masked() {
        let mask = Mask::default();
        mask.hide("hunter22");
        mask.hide("83726153");
        let mut json = serde_json::json!({"hunter22": ["a hunter22", 3, 83_726_153], "b": null});
        let places: Vec<String> = mask.json(&mut json).iter().map(ToString::to_string).collect();
        assert_eq!(json, serde_json::json!({"***": ["a ***", 3, "***"], "b": null}));
        assert_eq!(places, ["", "***[0]", "***[2]"]);
    }

    #[test]
    fn a_number_is_a_secret_if_it_is_one_and_not_because_its_digits_stand_in_it() {
        let mask = Mask::default();
        mask.hide("4711");
        mask.hide("83726153");
        let mut json = serde_json::json!([1_247_110, 0.247_113, 4711, 1_837_261_530]);
        mask.json(&mut json);
        assert_eq!(json, serde_json::json!([1_247_110, 0.247_113, "***", "***"]));
    }
}
