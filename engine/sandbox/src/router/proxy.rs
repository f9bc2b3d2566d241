//! Forwarding.

use std::sync::Arc;
use std::time::Instant;

use axum::Json;
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::uri::{Authority, Scheme};
use axum::http::{HeaderName, HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::json;

use super::{Backend, Shared};
use crate::Slot;
use crate::client::chain;
use crate::shop::LIVE_TRAFFIC;

/// Says which slot answered.
pub(crate) const SERVED_BY: HeaderName = HeaderName::from_static("x-served-by");

/// What probes ask, ours among them, and customers do not: it says nothing of what customers meet.
const PROBED: [&str; 2] = ["/health", "/version"];

struct Entrance {
    shared: Arc<Shared>,
    /// `None`: the live colour.
    slot: Option<Slot>,
}

/// A door that forwards everything: to one slot, or to the live colour.
pub(super) fn app(shared: Arc<Shared>, slot: Option<Slot>) -> Router {
    Router::new().fallback(forward).with_state(Arc::new(Entrance { shared, slot }))
}

/// A line of the access log.
#[derive(Serialize)]
struct Access<'a> {
    /// `live` for the public door, `direct` for a slot's own.
    door: &'static str,
    slot: Option<Slot>,
    method: &'a str,
    path: &'a str,
    status: u16,
    milliseconds: f64,
}

async fn forward(State(entrance): State<Arc<Entrance>>, request: Request) -> Response {
    let begun = Instant::now();
    let shared = &entrance.shared;
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    // The one place where a customer's request is given its colour; a later switch does not touch it any more.
    let passage = shared.routes.way(entrance.slot);
    let slot = passage.as_ref().map(|passage| passage.slot).or(entrance.slot);
    let live = entrance.slot.is_none();
    let response = match &passage {
        Some(passage) => send(shared, passage.slot, &passage.backend, live, request).await,
        None => refuse("nothing is deployed here".to_owned()),
    };
    drop(passage);
    let status = response.status();
    if let (true, Some(slot)) = (live && !PROBED.contains(&path.as_str()), slot) {
        shared.routes.count(slot, status.is_server_error());
    }
    shared.access.write(&Access {
        door: if live { "live" } else { "direct" },
        slot,
        method: method.as_str(),
        path: &path,
        status: status.as_u16(),
        milliseconds: (begun.elapsed().as_secs_f64() * 1e6).round() / 1e3,
    });
    response
}

async fn send(shared: &Shared, slot: Slot, backend: &Backend, live: bool, mut request: Request) -> Response {
    match target_uri(request.uri(), backend) {
        Ok(uri) => *request.uri_mut() = uri,
        Err(error) => return refuse(error.to_string()),
    }
    let headers = request.headers_mut();
    headers.remove(header::CONNECTION);
    headers.remove(LIVE_TRAFFIC);
    if live {
        headers.insert(LIVE_TRAFFIC, HeaderValue::from_static("1"));
    }
    match shared.connections.request(request).await {
        Ok(response) => {
            let mut response = response.map(Body::new);
            response.headers_mut().remove(header::CONNECTION);
            response.headers_mut().insert(SERVED_BY, HeaderValue::from_static(slot.name()));
            response
        }
        Err(error) => refuse(format!("{slot} at {}: {}", backend.address, chain(&error))),
    }
}

fn target_uri(asked: &Uri, backend: &Backend) -> Result<Uri, axum::http::Error> {
    let authority = Authority::try_from(backend.address.to_string())?;
    let path = asked.path_and_query().map_or("/", |path| path.as_str());
    Uri::builder().scheme(Scheme::HTTP).authority(authority).path_and_query(path).build()
}

fn refuse(message: String) -> Response {
    (StatusCode::BAD_GATEWAY, Json(json!({ "error": message }))).into_response()
}
