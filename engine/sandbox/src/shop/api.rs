//! What programs ask the shop: health, version, the user behind a token.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::Shop;

/// `/health` and `/api/health`.
pub(super) async fn health(State(shop): State<Arc<Shop>>) -> Response {
    tokio::time::sleep(shop.conduct.api_delay()).await;
    let connected = shop.database.read().is_ok();
    let healthy = connected && shop.conduct.healthy();
    let body = json!({
        "status": if healthy { "healthy" } else { "unhealthy" },
        "database": if connected { "connected" } else { "disconnected" },
        "version": shop.version,
        "slot": shop.slot,
    });
    (if healthy { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }, Json(body)).into_response()
}

/// `/version`.
pub(super) async fn version(State(shop): State<Arc<Shop>>) -> String {
    format!("{}\n", shop.version)
}

/// `/api/users/me`: needs `Authorization: Bearer`.
pub(super) async fn me(State(shop): State<Arc<Shop>>, headers: HeaderMap) -> Response {
    tokio::time::sleep(shop.conduct.api_delay()).await;
    let token = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.strip_prefix("Bearer "));
    let Ok(content) = shop.database.read() else {
        return (StatusCode::SERVICE_UNAVAILABLE, Json(json!({ "error": "no database" }))).into_response();
    };
    match token.and_then(|token| content.users.iter().find(|user| user.token == token)) {
        Some(user) => Json(json!({ "id": user.id, "email": user.email, "name": user.name })).into_response(),
        None => (
            StatusCode::UNAUTHORIZED,
            [(header::WWW_AUTHENTICATE, "Bearer realm=\"shop\"")],
            Json(json!({ "error": "a valid bearer token is needed" })),
        )
            .into_response(),
    }
}
