//! Cookies along a redirect. They live no longer than one request and what it is redirected to on the same server, so
//! neither their paths nor when they expire are looked at.

use reqwest::header::{HeaderMap, HeaderValue, SET_COOKIE};

/// The header `Cookie` of the next request, by what the last one carried and what its answer sets; `None` where that sets
/// nothing.
pub(super) fn after(carried: Option<&HeaderValue>, answer: &HeaderMap) -> Option<HeaderValue> {
    let carried = carried.and_then(|carried| carried.to_str().ok()).unwrap_or_default();
    let mut cookies: Vec<(&str, &str)> = carried.split(';').filter_map(pair).collect();
    let mut set = false;
    for header in answer.get_all(SET_COOKIE) {
        let first = header.to_str().ok().and_then(|header| header.split(';').next());
        let Some((name, value)) = first.and_then(pair) else { continue };
        cookies.retain(|(known, _)| *known != name);
        // To empty it is how a server takes one away.
        cookies.extend((!value.is_empty()).then_some((name, value)));
        set = true;
    }
    let header = cookies.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("; ");
    let mut header = HeaderValue::from_str(&header).ok().filter(|_| set)?;
    header.set_sensitive(true);
    Some(header)
}

/// `name=value`.
fn pair(text: &str) -> Option<(&str, &str)> {
    let (name, value) = text.trim().split_once('=')?;
    (!name.is_empty()).then_some((name, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_set_is_added_replaced_or_taken_away() {
        let next = |carried: &str, set: &[&'static str]| {
            let carried = HeaderValue::from_str(carried).unwrap();
            let mut answer = HeaderMap::new();
            for one in set {
                answer.append(SET_COOKIE, HeaderValue::from_static(one));
            }
            let next = after(Some(&carried), &answer);
            next.map_or_else(|| "as it was".to_owned(), |next| next.to_str().unwrap().to_owned())
        };
        let seen = [
            next("", &["session=1; Path=/; HttpOnly", "theme=dark"]),
            next("a=1; session=0", &["session=2; Secure"]),
            next("a=1; b=2", &["a=; Max-Age=0"]),
            next("a=1", &[]),
            next("a=1", &["no cookie"]),
        ];
        assert_eq!(seen, ["session=1; theme=dark", "a=1; session=2", "b=2", "as it was", "as it was"]);
    }
}
