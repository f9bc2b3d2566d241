//! HTTP: one TLS stack, clients made when the first request needs them. Redirects are followed here rather than in the
//! client: what has been sent by then decides whether a write is in doubt, and not everything may be sent on.

mod cookies;

use std::collections::BTreeMap;
use std::error::Error as _;
use std::ffi::OsStr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use reqwest::header::{
    AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, COOKIE, HeaderMap, HeaderName, HeaderValue, LOCATION,
    PROXY_AUTHORIZATION,
};
use reqwest::{Client, Method, NoProxy, Proxy, Request, Response, StatusCode, Url, redirect};
use runbook_step::{BoxFuture, Http, HttpBody, HttpError, HttpRequest, HttpResponse, Value};
use secrecy::ExposeSecret;
use serde_json::Value as Json;
use tokio::time::Instant;

use crate::context::AttemptContext;
use crate::process::environment::Environment;
use crate::secrets::Unrevealed;

/// What of a body is read where the request does not say.
const DEFAULT_BODY: usize = 1 << 20;

/// The header that carries the idempotency key.
const KEY: &str = "idempotency-key";

/// The longest that connecting may take.
const CONNECT_TIME: Duration = Duration::from_secs(10);

/// The clients of one execution. reqwest fixes the connect timeout per client, so there is one for each that is asked
/// for; connections are reused within it.
pub(crate) struct HttpClients {
    clients: Mutex<BTreeMap<Duration, Client>>,
    proxies: Proxies,
    agent: String,
}

/// What `HTTP_PROXY` and its kin say.
struct Proxies {
    http: Option<String>,
    https: Option<String>,
    none: Option<String>,
}

impl HttpClients {
    pub(crate) fn new(ours: &Environment, version: &str) -> HttpClients {
        let variable = |names: &[&str]| {
            let value = names.iter().find_map(|name| ours.get(OsStr::new(name)))?.to_str()?;
            (!value.is_empty()).then(|| value.to_owned())
        };
        HttpClients {
            clients: Mutex::default(),
            proxies: Proxies {
                // Only in lower case: the other one is what CGI makes of a request's `Proxy` header.
                http: variable(&["http_proxy"]),
                https: variable(&["https_proxy", "HTTPS_PROXY"]),
                none: variable(&["no_proxy", "NO_PROXY"]),
            },
            agent: format!("runbook/{version}"),
        }
    }

    fn client(&self, timeout: Option<Duration>) -> Result<Client, HttpError> {
        // Somewhat less than the whole, so that a host that does not answer is told from an answer that does not come.
        let connect = timeout.map_or(CONNECT_TIME, |timeout| (timeout * 9 / 10).min(CONNECT_TIME));
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = clients.get(&connect) {
            return Ok(client.clone());
        }
        let client = self.build(connect).map_err(|error| HttpError::Invalid(root_cause(&error)))?;
        clients.insert(connect, client.clone());
        Ok(client)
    }

    fn build(&self, connect: Duration) -> reqwest::Result<Client> {
        // The first one counts; the command installs the same one.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut builder = Client::builder()
            .user_agent(&self.agent)
            .redirect(redirect::Policy::none())
            .connect_timeout(connect)
            .no_proxy();
        let none = || self.proxies.none.as_deref().and_then(NoProxy::from_string);
        if let Some(proxy) = &self.proxies.http {
            builder = builder.proxy(Proxy::http(proxy)?.no_proxy(none()));
        }
        if let Some(proxy) = &self.proxies.https {
            builder = builder.proxy(Proxy::https(proxy)?.no_proxy(none()));
        }
        builder.build()
    }
}

impl Http for AttemptContext {
    fn send<'a>(&'a self, request: &'a HttpRequest) -> BoxFuture<'a, Result<HttpResponse, HttpError>> {
        Box::pin(async move {
            let timeout = request.timeout_ms.map(Duration::from_millis);
            let client = self.shared.http.client(timeout)?;
            let built = self.build_request(request).await?;
            let limit = if request.max_body == 0 { DEFAULT_BODY } else { request.max_body };
            if let Some(why) = self.cancel.reason() {
                return Err(HttpError::Cancelled { why, sent: false });
            }
            let journey = Journey { client: &client, secret: carries_secret(request), timeout };
            let result = tokio::select! {
                result = journey.go(built, request.redirects, limit) => result,
                why = self.cancel.cancelled() => Err(HttpError::Cancelled { why, sent: true }),
            };
            result.map_err(|error| self.masked(error))
        })
    }
}

impl AttemptContext {
    async fn build_request(&self, request: &HttpRequest) -> Result<Request, HttpError> {
        let method = Method::from_bytes(request.method.to_ascii_uppercase().as_bytes())
            .map_err(|_| HttpError::Invalid(format!("`{}` is not an HTTP method", request.method)))?;
        let url = self.text(&request.url).await?;
        let url = Url::parse(&url).map_err(|error| HttpError::Invalid(format!("not a URL: {error}")))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(HttpError::Invalid(format!("`{}` is neither http nor https", url.scheme())));
        }
        let keyed = changes(&method);
        let mut built = Request::new(method, url);
        let (body, kind) = self.body(&request.body).await?;
        *built.body_mut() = body.map(Into::into);
        if let Some(kind) = kind {
            built.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        }
        if keyed && let Ok(key) = HeaderValue::from_str(&self.key) {
            built.headers_mut().insert(HeaderName::from_static(KEY), key);
        }
        for (name, value) in &request.headers {
            let fault = |what| HttpError::Invalid(format!("header `{name}`: {what}"));
            let header = HeaderName::from_bytes(name.as_bytes()).map_err(|_| fault("not a header's name"))?;
            let text = self.text(value).await?;
            let mut text = HeaderValue::from_str(&text).map_err(|_| fault("not a header's value"))?;
            text.set_sensitive(value.has_secret());
            built.headers_mut().insert(header, text);
        }
        Ok(built)
    }

    async fn body(&self, body: &HttpBody) -> Result<(Option<Vec<u8>>, Option<&'static str>), HttpError> {
        Ok(match body {
            HttpBody::Empty => (None, None),
            HttpBody::Text(text) => (Some(self.text(text).await?.into_bytes()), None),
            HttpBody::Json(value) => {
                let json = self.revealed(value).await?;
                (Some(json.to_string().into_bytes()), Some("application/json"))
            }
            HttpBody::Form(fields) => {
                // A URL's query has the encoding of a form.
                let mut url = Url::parse("form:").map_err(|error| HttpError::Invalid(error.to_string()))?;
                for (name, value) in fields {
                    let value = self.text(value).await?;
                    url.query_pairs_mut().append_pair(name, &value);
                }
                let form = url.query().unwrap_or_default().as_bytes().to_vec();
                (Some(form), Some("application/x-www-form-urlencoded"))
            }
        })
    }

    async fn text(&self, value: &Value) -> Result<String, HttpError> {
        match value {
            Value::Secret(secret) => match self.shared.secrets.reveal(secret, self).await {
                Ok(text) => Ok(text.expose_secret().to_owned()),
                Err(Unrevealed::Cancelled(why)) => Err(HttpError::Cancelled { why, sent: false }),
                Err(Unrevealed::Fault(fault)) => Err(HttpError::Invalid(fault)),
            },
            plain => Ok(plain.to_string()),
        }
    }

    /// The JSON of a value with its secrets in plain text: for sending, never for keeping.
    fn revealed<'a>(&'a self, value: &'a Value) -> BoxFuture<'a, Result<Json, HttpError>> {
        Box::pin(async move {
            Ok(match value {
                Value::Secret(_) => Json::String(self.text(value).await?),
                Value::List(items) => {
                    let mut out = Vec::with_capacity(items.len());
                    for item in items {
                        out.push(self.revealed(item).await?);
                    }
                    Json::Array(out)
                }
                Value::Map(fields) => {
                    let mut out = serde_json::Map::new();
                    for (name, field) in fields {
                        out.insert(name.clone(), self.revealed(field).await?);
                    }
                    Json::Object(out)
                }
                plain => plain.to_json(),
            })
        })
    }

    fn masked(&self, error: HttpError) -> HttpError {
        let mask = |text: String| self.mask.text(&text).into_owned();
        match error {
            HttpError::Invalid(text) => HttpError::Invalid(mask(text)),
            HttpError::Connect(text) => HttpError::Connect(mask(text)),
            HttpError::Lost(text) => HttpError::Lost(mask(text)),
            HttpError::Timeout { message, sent } => HttpError::Timeout { message: mask(message), sent },
            plain @ (HttpError::Cancelled { .. } | HttpError::TooLong { .. }) => plain,
        }
    }
}

/// A request on its way, through redirects.
struct Journey<'a> {
    client: &'a Client,
    /// Something in it is secret.
    secret: bool,
    /// For all of it.
    timeout: Option<Duration>,
}

impl Journey<'_> {
    /// Follows at most so many redirects; one that may not be followed is the answer.
    async fn go(
        &self,
        mut request: Request,
        redirects: u32,
        limit: usize,
    ) -> Result<HttpResponse, HttpError> {
        let begun = Instant::now();
        let mut hops = 0;
        loop {
            *request.timeout_mut() = self.timeout.map(|timeout| timeout.saturating_sub(begun.elapsed()));
            let next = request.try_clone();
            let answer = self.client.execute(request).await.map_err(|error| classify(&error, hops))?;
            if hops < redirects
                && let Some(next) = next.and_then(|next| self.next(next, &answer))
            {
                request = next;
                hops += 1;
                continue;
            }
            return read(answer, hops, limit, begun).await;
        }
    }

    /// The request that a redirect asks for, unless it would take a secret or a write to another server. What the answer
    /// sets as cookies goes along to the same one, as a login that redirects needs.
    fn next(&self, mut next: Request, answer: &Response) -> Option<Request> {
        let status = answer.status();
        let keeps = match status {
            StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT => true,
            StatusCode::MOVED_PERMANENTLY | StatusCode::FOUND => *next.method() != Method::POST,
            StatusCode::SEE_OTHER => *next.method() == Method::HEAD,
            _ => return None,
        };
        let location = answer.headers().get(LOCATION)?.to_str().ok()?;
        let url = next.url().join(location).ok()?;
        if !keeps {
            *next.method_mut() = Method::GET;
            *next.body_mut() = None;
            for header in [CONTENT_TYPE, CONTENT_LENGTH, HeaderName::from_static(KEY)] {
                next.headers_mut().remove(header);
            }
        }
        if url.origin() == next.url().origin() {
            if let Some(cookies) = cookies::after(next.headers().get(COOKIE), answer.headers()) {
                next.headers_mut().insert(COOKIE, cookies);
            }
        } else {
            if self.secret || changes(next.method()) || !matches!(url.scheme(), "http" | "https") {
                return None;
            }
            // Written in plain text, and yet meant for the server that was asked.
            for header in [AUTHORIZATION, COOKIE, PROXY_AUTHORIZATION] {
                next.headers_mut().remove(header);
            }
        }
        *next.url_mut() = url;
        Some(next)
    }
}

/// Whether a method is one that changes something.
fn changes(method: &Method) -> bool {
    !matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

fn carries_secret(request: &HttpRequest) -> bool {
    let in_body = match &request.body {
        HttpBody::Empty => false,
        HttpBody::Text(value) | HttpBody::Json(value) => value.has_secret(),
        HttpBody::Form(fields) => fields.values().any(Value::has_secret),
    };
    in_body || request.url.has_secret() || request.headers.values().any(Value::has_secret)
}

async fn read(
    mut answer: Response,
    hops: u32,
    limit: usize,
    begun: Instant,
) -> Result<HttpResponse, HttpError> {
    let status = answer.status().as_u16();
    let headers = joined(answer.headers());
    let mut body = BytesMut::new();
    // A chunk that cannot be read comes after the request was sent, whatever the error says of itself.
    while let Some(chunk) = answer.chunk().await.map_err(|error| lost(&error))? {
        if body.len() + chunk.len() > limit {
            return Err(HttpError::TooLong { limit, status, hops });
        }
        body.extend_from_slice(&chunk);
    }
    let elapsed_ns = u64::try_from(begun.elapsed().as_nanos()).unwrap_or(u64::MAX);
    Ok(HttpResponse { status, headers, body: Bytes::from(body), elapsed_ns, hops })
}

fn joined(headers: &HeaderMap) -> BTreeMap<String, String> {
    let mut out = BTreeMap::<String, String>::new();
    for (name, value) in headers {
        let value = String::from_utf8_lossy(value.as_bytes());
        out.entry(name.as_str().to_owned())
            .and_modify(|joined| {
                joined.push_str(", ");
                joined.push_str(&value);
            })
            .or_insert_with(|| value.into_owned());
    }
    out
}

/// What became of a request that has no response. After a redirect something has been sent already, so the failure to
/// reach the next host proves nothing.
fn classify(error: &reqwest::Error, hops: u32) -> HttpError {
    if error.is_timeout() {
        let message = if error.is_connect() { "nobody answered in time" } else { "no answer in time" };
        HttpError::Timeout { message: message.into(), sent: hops > 0 || !error.is_connect() }
    } else if hops > 0 {
        HttpError::Lost(format!("after a redirect: {}", root_cause(error)))
    } else if error.is_builder() {
        HttpError::Invalid(root_cause(error))
    } else if error.is_connect() {
        HttpError::Connect(root_cause(error))
    } else {
        lost(error)
    }
}

fn lost(error: &reqwest::Error) -> HttpError {
    if error.is_timeout() {
        HttpError::Timeout { message: "no whole answer in time".into(), sent: true }
    } else {
        HttpError::Lost(root_cause(error))
    }
}

/// The innermost error says what happened; those around it only where in the client.
fn root_cause(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    let text = if error.source().is_none() { error.to_string() } else { cause.to_string() };
    let mut text = text.split(" (os error").next().unwrap_or_default().to_owned();
    if let Some(first) = text.get_mut(..1) {
        first.make_ascii_lowercase();
    }
    text
}
