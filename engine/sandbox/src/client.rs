//! The HTTP client that parts of the sandbox talk to each other with.

use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::http::{Method, Request, Uri, header};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;

use crate::Error;

pub(crate) type Connections = hyper_util::client::legacy::Client<HttpConnector, Body>;

/// A pool of connections.
pub(crate) fn connections() -> Connections {
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    connector.set_connect_timeout(Some(Duration::from_secs(2)));
    hyper_util::client::legacy::Client::builder(TokioExecutor::new()).build(connector)
}

/// Asks for JSON, sends JSON.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    connections: Connections,
}

/// What came back.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// `Null` where it was not JSON.
    pub(crate) body: Value,
}

impl Client {
    pub(crate) fn new() -> Self {
        Self { connections: connections() }
    }

    pub(crate) async fn get(&self, url: &str) -> Result<Answer, Error> {
        self.send(Method::GET, url, None, Duration::from_secs(5)).await
    }

    pub(crate) async fn put(&self, url: &str, body: &Value) -> Result<Answer, Error> {
        self.send(Method::PUT, url, Some(body), Duration::from_secs(30)).await
    }

    pub(crate) async fn post(&self, url: &str, body: &Value) -> Result<Answer, Error> {
        self.send(Method::POST, url, Some(body), Duration::from_secs(30)).await
    }

    pub(crate) async fn delete(&self, url: &str) -> Result<Answer, Error> {
        self.send(Method::DELETE, url, None, Duration::from_secs(30)).await
    }

    async fn send(
        &self,
        method: Method,
        url: &str,
        body: Option<&Value>,
        limit: Duration,
    ) -> Result<Answer, Error> {
        let fault = |message: String| Error::Answer(format!("{method} {url}: {message}"));
        let uri: Uri = url.parse().map_err(|error| fault(format!("{error}")))?;
        let mut request = Request::builder().method(method.clone()).uri(uri);
        if body.is_some() {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        let request = request
            .body(body.map_or_else(Body::empty, |body| Body::from(body.to_string())))
            .map_err(|error| fault(error.to_string()))?;
        let exchange = async {
            let response = self.connections.request(request).await.map_err(|error| fault(chain(&error)))?;
            let status = response.status().as_u16();
            let bytes = to_bytes(Body::new(response.into_body()), 1 << 20)
                .await
                .map_err(|error| fault(chain(&error)))?;
            Ok(Answer { status, body: serde_json::from_slice(&bytes).unwrap_or(Value::Null) })
        };
        tokio::time::timeout(limit, exchange).await.unwrap_or_else(|_| Err(fault("no answer in time".into())))
    }
}

impl Answer {
    /// The body of a 2xx answer; else what the other side said.
    pub(crate) fn ok(self) -> Result<Value, Error> {
        if (200..300).contains(&self.status) {
            return Ok(self.body);
        }
        let said = self.body["error"].as_str().map_or_else(|| self.body.to_string(), str::to_owned);
        Err(Error::Answer(format!("status {}: {said}", self.status)))
    }
}

/// An error and what caused it, in one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
