//! The router's administration: the live colour, the slots' addresses, what traffic there was.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{get, put};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Backend, Shared};
use crate::Slot;
use crate::serve::Refusal;

/// How long requests in flight may keep a backend from being removed.
const DRAIN: Duration = Duration::from_secs(10);

pub(super) fn app(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/-/health", get(|| async { Json(json!({ "status": "healthy" })) }))
        .route("/-/live", get(live).put(switch))
        .route("/-/backends", get(backends))
        .route("/-/backends/{slot}", put(add).delete(remove))
        .route("/-/traffic", get(traffic))
        .with_state(shared)
}

/// `GET /-/live`: `previous` is the version before this one that stood; one that was taken back is not.
async fn live(State(shared): State<Arc<Shared>>) -> Json<Value> {
    let (live, previous) = shared.routes.live();
    Json(json!({
        "colour": live.as_ref().map(|live| live.colour),
        "version": live.as_ref().map(|live| &live.version),
        "since": live.as_ref().map(|live| &live.since),
        "previous": previous,
    }))
}

#[derive(Deserialize)]
struct Wish {
    colour: String,
    /// As `GET` gave it: whoever puts back what they have seen there takes back what became live since.
    since: Option<String>,
}

/// `PUT /-/live`: when it has answered, every request that arrives goes to the colour; those already forwarded end
/// where they began.
async fn switch(
    State(shared): State<Arc<Shared>>,
    headers: HeaderMap,
    Json(wish): Json<Wish>,
) -> Result<Json<Value>, Refusal> {
    let colour = slot(&wish.colour)?;
    if !colour.is_colour() {
        return Err(Refusal::new(StatusCode::BAD_REQUEST, format!("{colour} never takes live traffic")));
    }
    let Some(switch) = shared.routes.switch(colour, wish.since.as_deref())? else {
        return Err(Refusal::new(StatusCode::CONFLICT, format!("nothing is deployed on {colour}")));
    };
    let key = headers.get("idempotency-key").and_then(|key| key.to_str().ok());
    let mut line = serde_json::to_value(&switch).unwrap_or(Value::Null);
    line["key"] = key.into();
    shared.switches.write(&line);
    Ok(live(State(shared)).await)
}

/// `GET /-/backends`.
async fn backends(State(shared): State<Arc<Shared>>) -> Json<Value> {
    Json(json!(shared.routes.backends()))
}

async fn add(
    State(shared): State<Arc<Shared>>,
    Path(name): Path<String>,
    Json(backend): Json<Backend>,
) -> Result<StatusCode, Refusal> {
    shared.routes.set_backend(slot(&name)?, Some(backend))?;
    Ok(StatusCode::NO_CONTENT)
}

/// Sends nobody there any more, and answers when those who were sent there have arrived.
async fn remove(State(shared): State<Arc<Shared>>, Path(name): Path<String>) -> Result<StatusCode, Refusal> {
    let slot = slot(&name)?;
    shared.routes.set_backend(slot, None)?;
    if tokio::time::timeout(DRAIN, shared.routes.drained(slot)).await.is_err() {
        tracing::warn!("{slot} still has requests in flight after {} s", DRAIN.as_secs());
    }
    Ok(StatusCode::NO_CONTENT)
}

/// `GET /-/traffic`: what customers asked for since the router started, by the slot that answered. Probes of `/health`
/// and `/version` are no customers.
async fn traffic(State(shared): State<Arc<Shared>>) -> Json<Value> {
    Json(json!(shared.routes.traffic()))
}

fn slot(name: &str) -> Result<Slot, Refusal> {
    name.parse().map_err(|_| {
        Refusal::new(StatusCode::BAD_REQUEST, format!("`{name}` is not a slot: blue, green or staging"))
    })
}
