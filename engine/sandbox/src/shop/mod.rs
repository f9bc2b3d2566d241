//! The web shop: one process per slot, in one version, with one behaviour.

mod api;
mod behaviour;
mod database;
mod login;
mod metrics;
mod pages;
mod throttle;

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use crate::deployer::Wanted;
use crate::folder::{Folder, read_json};
use crate::process::Registration;
use crate::role::Door;
use crate::serve::{Stop, listen, run};
use crate::{Error, Role, Slot};

pub use behaviour::Behaviour;
pub(crate) use database::{Database, prepare as prepare_database};
pub(crate) use pages::escape;

/// The header by which the router marks what customers asked for, as opposed to a look at one colour.
pub(crate) const LIVE_TRAFFIC: &str = "x-live-traffic";

/// One running shop.
struct Shop {
    slot: Slot,
    version: String,
    database: Database,
    conduct: behaviour::Conduct,
    metrics: metrics::Metrics,
    throttle: throttle::Throttle,
}

/// The process: registers itself, then serves what the deployer wrote down for this slot.
pub(crate) async fn serve(folder: Folder, slot: Slot, stop: Stop) -> Result<(), Error> {
    let role = Role::Shop(slot);
    let path = folder.deployment(slot);
    let wanted: Wanted = read_json(&path)?
        .ok_or_else(|| Error::File { path, source: std::io::Error::from(std::io::ErrorKind::NotFound) })?;
    // Any free port: customers and checks reach it through the router, which is told where it is.
    let (listener, address) = listen(role, 0).await?;
    let _registration = Registration::take(&folder, role, &[(door(slot), address)]).await?;
    let app = app(&folder, slot, &wanted.version, wanted.behaviour);
    run(role, listener, app, stop).await
}

pub(crate) fn door(slot: Slot) -> Door {
    match slot {
        Slot::Blue => Door::Blue,
        Slot::Green => Door::Green,
        Slot::Staging => Door::Staging,
    }
}

/// The shop's routes.
pub(crate) fn app(folder: &Folder, slot: Slot, version: &str, behaviour: Behaviour) -> Router {
    let shop = Arc::new(Shop {
        slot,
        version: version.to_owned(),
        database: Database::of(folder),
        conduct: behaviour::Conduct::new(behaviour),
        metrics: metrics::Metrics::default(),
        throttle: throttle::Throttle::default(),
    });
    Router::new()
        .route("/", get(pages::front))
        .route("/login", get(login::form).post(login::submit))
        .route("/dashboard", get(login::dashboard))
        .route("/api/users/me", get(api::me))
        // What customers use is subject to the behaviour; what operators look at tells it as it is.
        .layer(middleware::from_fn_with_state(shop.clone(), conduct))
        .route("/health", get(api::health))
        .route("/api/health", get(api::health))
        .route("/version", get(api::version))
        .route("/metrics", get(metrics::show))
        .layer(middleware::from_fn_with_state(shop.clone(), observe))
        .layer(middleware::map_response(security_headers))
        .with_state(shop)
}

async fn conduct(State(shop): State<Arc<Shop>>, request: Request, next: Next) -> Response {
    let live = request.headers().contains_key(LIVE_TRAFFIC);
    match shop.conduct.meet(live).await {
        Ok(()) => next.run(request).await,
        Err(message) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{message}\n")).into_response(),
    }
}

async fn observe(State(shop): State<Arc<Shop>>, request: Request, next: Next) -> Response {
    let begun = std::time::Instant::now();
    let mut response = next.run(request).await;
    shop.metrics.count(response.status().as_u16(), begun.elapsed());
    if let Ok(version) = HeaderValue::from_str(&shop.version) {
        response.headers_mut().insert("x-shop-version", version);
    }
    response
}

const SECURITY_HEADERS: [(&str, &str); 5] = [
    ("strict-transport-security", "max-age=63072000; includeSubDomains"),
    ("content-security-policy", "default-src 'self'; style-src 'unsafe-inline'; frame-ancestors 'none'"),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("referrer-policy", "same-origin"),
];

async fn security_headers(mut response: Response) -> Response {
    for (name, value) in SECURITY_HEADERS {
        response.headers_mut().insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    response
}

#[cfg(test)]
mod tests;
