//! What of a cookie may be kept.

/// The header in which a server sets one.
pub(super) const SET: &str = "set-cookie";

/// The header `Set-Cookie` without the values of the cookies: whoever has such a value is who it was made for, so it is a
/// credential, although nobody has declared it one. Names and attributes stay, and so does that a value is empty, which is
/// how a cookie is taken away. Several headers come as one, with `, ` between them.
pub(super) fn masked(header: &str) -> String {
    let mut cookies: Vec<String> = Vec::new();
    for piece in header.split(", ") {
        // There is a comma in `Expires=Wed, 21 Oct 2026 …` too, and servers put one into a value, which RFC 6265 forbids.
        match cookies.last_mut() {
            Some(last) if !begins_a_cookie(piece) => {
                last.push_str(", ");
                last.push_str(piece);
            }
            _ => cookies.push(piece.to_owned()),
        }
    }
    cookies.iter().map(|cookie| without_value(cookie)).collect::<Vec<_>>().join(", ")
}

/// `name=`, with a name that may be one.
fn begins_a_cookie(piece: &str) -> bool {
    let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    piece.split_once('=').is_some_and(|(name, _)| !name.is_empty() && name.bytes().all(token))
}

fn without_value(cookie: &str) -> String {
    let (pair, attributes) = cookie.split_once(';').unwrap_or((cookie, ""));
    let end = if cookie.contains(';') { ";" } else { "" };
    let attributes: Vec<&str> = attributes.split(';').map(known).collect();
    let attributes = attributes.join(";");
    match pair.split_once('=') {
        Some((name, value)) if value.trim().is_empty() => format!("{name}={value}{end}{attributes}"),
        Some((name, _)) => format!("{name}=***{end}{attributes}"),
        None => format!("***{end}{attributes}"),
    }
}

/// An attribute that RFC 6265 and its successors know, with a value that it may have; anything else may be a part of a
/// value, or a cookie of a name that we did not expect.
fn known(attribute: &str) -> &str {
    let (name, value) = attribute.split_once('=').unwrap_or((attribute, ""));
    let fits = match name.trim().to_ascii_lowercase().as_str() {
        "secure" | "httponly" | "partitioned" | "" => value.is_empty(),
        "samesite" => ["lax", "strict", "none"].contains(&value.to_ascii_lowercase().as_str()),
        "max-age" => value.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-'),
        // `Wed, 21 Oct 2026 07:28:00 GMT` is the longest form.
        "expires" => {
            value.len() <= 33 && value.bytes().all(|b| b.is_ascii_alphanumeric() || b" ,:-".contains(&b))
        }
        "path" | "domain" => !value.contains([',', '"', ' ']),
        _ => false,
    };
    if fits { attribute } else { " ***" }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_and_attributes_stay() {
        let seen = [
            "session=e197; Path=/; HttpOnly; Secure; SameSite=Lax; Max-Age=3600",
            "a=1; Expires=Wed, 21 Oct 2026 07:28:00 GMT; Path=/, b=2; HttpOnly, c=",
            "a=one, two; Path=/",
            "session=; Max-Age=0",
            "a=b=c",
            "bare; Secure",
            "theme=dark; Path=/, user[session]=SECRET; HttpOnly",
            "quoted=\"a; SECRET\"; Path=/",
        ];
        insta::assert_snapshot!(seen.map(masked).join("\n"), @"
        session=***; Path=/; HttpOnly; Secure; SameSite=Lax; Max-Age=3600
        a=***; Expires=Wed, 21 Oct 2026 07:28:00 GMT; Path=/, b=***; HttpOnly, c=
        a=***; Path=/
        session=; Max-Age=0
        a=***
        ***; Secure
        theme=***; ***; HttpOnly
        quoted=***; ***; Path=/
        ");
    }

    /// As they should be, and as some are: with commas.
    fn value() -> impl Strategy<Value = String> {
        prop_oneof!["[A-Z0-9=/+.-]{0,3}SECRET[A-Z0-9=/+-]{0,3}", "[A-Z0-9, ]{0,3}SECRET[A-Z0-9, ]{0,3}"]
    }

    proptest! {
        #[test]
        fn no_value_is_left(cookies in prop::collection::vec((r"[a-z]{1,4}(\[[a-z]\])?", value(), "(; Path=/)?"), 1..4)) {
            let lines = cookies.iter().map(|(name, value, rest)| format!("{name}={value}{rest}"));
            let kept = masked(&lines.collect::<Vec<_>>().join(", "));
            prop_assert!(!kept.contains("SECRET"), "{kept}");
        }
    }
}
