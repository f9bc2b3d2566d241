//! One request and its answer: the parameters that all HTTP step types share, and what they return.

use std::collections::BTreeMap;

use runbook_step::{
    BadParam, Call, Cancelled, Context, Declaration, Failure, FailureKind, HttpError, HttpRequest,
    HttpResponse, Map, Param, Type, Value,
};

use super::cookie;

/// Bytes of a body that become the output `body`.
const EXCERPT: usize = 4 * 1024;

/// A JSON body longer than this does not become the output `json`, which the journal keeps.
const LONGEST_JSON: usize = 64 * 1024;

/// Parameters of every request.
pub(crate) fn declare_request(it: Declaration) -> Declaration {
    it.param(
        Param::optional("headers", Type::map_of(Type::printable()))
            .doc("Request headers. Values may be secrets."),
    )
    .param(
        Param::optional("redirects", Type::integer_in(0, 20))
            .default(0)
            .doc("How many redirects to follow. Without it a redirect is the answer. One to another server is not followed with a secret, nor with a method that changes something."),
    )
    .param(
        Param::optional("timeout", Type::positive_duration())
            .default("10s")
            .doc("How long one request may take, from connecting to the last byte."),
    )
    .param(
        Param::optional("max_body", Type::integer_in(1, 64 << 20))
            .default(1 << 20)
            .doc("The longest body that is read, in bytes."),
    )
}

/// Outputs of every answer.
pub(crate) fn declare_response(it: Declaration) -> Declaration {
    it.output("status", Type::integer(), "The status of the answer.")
        .output("headers", Type::map_of(Type::string()), "Its headers, names in lower case. Of `set-cookie` the cookies' values are left out: `session=***; HttpOnly`.")
        .output("body", Type::string(), "The first 4 KiB of the body, as text.")
        .output("json", Type::Any, "The body, if it is JSON of at most 64 KiB; else `null`. Whole numbers beyond 64 signed bits are text, so that no digit is lost.")
        .output("latency", Type::number(), "Milliseconds from connecting to the last byte of the body.")
}

/// The request that the parameters of [`declare_request`] describe, without a body.
pub(crate) fn request(call: &Call, method: &str) -> Result<HttpRequest, BadParam> {
    Ok(HttpRequest {
        redirects: u32::try_from(call.int("redirects")?).unwrap_or(0),
        max_body: usize::try_from(call.int("max_body")?).unwrap_or(0),
        ..bare_request(call, method)?
    })
}

/// A request with `url`, `headers` and `timeout` of the call: no redirects, the usual limit for the body.
pub(crate) fn bare_request(call: &Call, method: &str) -> Result<HttpRequest, BadParam> {
    let url = call.value("url")?;
    if let Some(text) = url.as_str()
        && !text.starts_with("http://")
        && !text.starts_with("https://")
    {
        return Err(BadParam::new("url", format!("`{text}` does not begin with `http://` or `https://`")));
    }
    Ok(HttpRequest {
        method: method.to_owned(),
        url: url.clone(),
        headers: match call.get("headers") {
            Some(_) => printed(call.map("headers")?),
            None => BTreeMap::new(),
        },
        timeout_ms: Some(call.duration("timeout")?),
        ..HttpRequest::default()
    })
}

/// Values as they go over the wire: text, or secrets.
pub(crate) fn printed(values: &Map) -> BTreeMap<String, Value> {
    let print = |value: &Value| match value {
        Value::Secret(_) => value.clone(),
        plain => Value::Str(plain.to_string()),
    };
    values.iter().map(|(name, value)| (name.clone(), print(value))).collect()
}

/// `GET http://shop/health`, for messages; secrets in the URL stay references.
pub(crate) fn target(request: &HttpRequest) -> String {
    format!("{} {}", request.method, request.url)
}

/// The outputs of [`declare_response`].
pub(crate) fn outputs(response: &HttpResponse, ctx: &dyn Context) -> Map {
    // Hidden before it is cut: nobody would recognise half a secret.
    let mut body = ctx.hide(&String::from_utf8_lossy(&response.body));
    body.truncate(body.floor_char_boundary(EXCERPT));
    let json = if response.body.len() <= LONGEST_JSON { json(response) } else { None };
    let headers: Map = response
        .headers
        .iter()
        .map(|(name, value)| (name.clone(), shown_header(name, value).into()))
        .collect();
    Map::from([
        ("status".into(), response.status.into()),
        ("headers".into(), headers.into()),
        ("body".into(), body.into()),
        ("json".into(), json.into()),
        ("latency".into(), latency_ms(response).into()),
    ])
}

/// A header of an answer, as it may be kept and shown.
pub(crate) fn shown_header(name: &str, value: &str) -> String {
    match name {
        cookie::SET => cookie::masked(value),
        _ => value.to_owned(),
    }
}

/// The body as JSON, if it is.
pub(crate) fn json(response: &HttpResponse) -> Option<Value> {
    Value::parse_json(&response.body).ok()
}

/// Milliseconds, in hundredths.
pub(crate) fn latency_ms(response: &HttpResponse) -> f64 {
    (response.elapsed_ns as f64 / 10_000.0).round() / 100.0
}

/// Why there is no answer, and whether anything had been sent by then.
pub(crate) fn failure(request: &HttpRequest, error: &HttpError) -> (Failure, bool) {
    let (kind, sent) = match error {
        HttpError::Invalid(_) => (FailureKind::Invalid, false),
        HttpError::Connect(_) => (FailureKind::Connect, false),
        HttpError::Lost(_) => (FailureKind::Lost, true),
        HttpError::Timeout { sent, .. } => (FailureKind::Timeout, *sent),
        HttpError::Cancelled { why: Cancelled::Timeout, sent } => (FailureKind::Timeout, *sent),
        HttpError::Cancelled { why: Cancelled::Run, sent } => (FailureKind::Cancelled, *sent),
        HttpError::TooLong { .. } => (FailureKind::Error, true),
    };
    let failure = Failure::new(kind, format!("{}: {error}", target(request)));
    let failure = match error {
        HttpError::TooLong { .. } => failure.hint("raise `max_body`"),
        _ => failure,
    };
    (failure, sent)
}

/// What to say of a redirect that was not followed.
pub(crate) fn redirect_hint(request: &HttpRequest, response: &HttpResponse) -> Option<String> {
    let location = response.headers.get("location").filter(|_| (300..400).contains(&response.status))?;
    Some(match request.redirects {
        0 => format!("it redirects to {location}; ask there, or set `redirects`"),
        most if response.hops < most => format!(
            "it redirects to {location}; to another server neither secrets nor changes are sent on: ask there"
        ),
        followed => format!("after {followed} redirects it redirects to {location}"),
    })
}
