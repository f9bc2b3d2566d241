//! Which migrations the database has had, and which it still needs.

use std::path::PathBuf;
use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::folder::{Folder, read_json, write_json};
use crate::serve::Refusal;

#[derive(Debug, Serialize, Deserialize)]
struct Migrations {
    applied: Vec<String>,
    pending: Vec<String>,
}

pub(super) fn app(folder: &Folder) -> Router {
    Router::new().route("/migrations", get(show).put(set)).with_state(Arc::new(folder.migrations()))
}

/// `GET /migrations`.
async fn show(State(path): State<Arc<PathBuf>>) -> Result<Json<Value>, Refusal> {
    match read_json::<Migrations>(&path)? {
        Some(migrations) => Ok(Json(describe(&migrations))),
        None => Err(Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "there is no database")),
    }
}

/// `PUT /migrations {"applied": […], "pending": […]}`, to see what a go-live does about pending ones.
async fn set(State(path): State<Arc<PathBuf>>, Json(wish): Json<Migrations>) -> Result<Json<Value>, Refusal> {
    write_json(&path, &wish)?;
    Ok(Json(describe(&wish)))
}

fn describe(migrations: &Migrations) -> Value {
    let status = if migrations.pending.is_empty() { "up_to_date" } else { "pending" };
    json!({ "status": status, "applied": migrations.applied, "pending": migrations.pending })
}
