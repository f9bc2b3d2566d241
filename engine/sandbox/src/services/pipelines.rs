//! The pipeline: whether a version was built and tested.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::{Path, State};
use axum::routing::get;
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::Mutex;

use crate::folder::{Folder, read_json, write_json};
use crate::serve::Refusal;

/// How a version's pipeline ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Status {
    Passed,
    Failed,
    Running,
}

struct Pipelines {
    folder: Folder,
    writing: Mutex<()>,
}

pub(super) fn app(folder: &Folder) -> Router {
    let pipelines = Arc::new(Pipelines { folder: folder.clone(), writing: Mutex::new(()) });
    Router::new().route("/pipelines/{version}", get(show).put(set)).with_state(pipelines)
}

/// `GET /pipelines/v1.1.0`. Every version has passed, unless somebody said otherwise with `PUT`.
async fn show(
    State(pipelines): State<Arc<Pipelines>>,
    Path(version): Path<String>,
) -> Result<Json<Value>, Refusal> {
    let known: BTreeMap<String, Status> = read_json(&pipelines.folder.pipelines())?.unwrap_or_default();
    let status = known.get(&version).copied().unwrap_or(Status::Passed);
    Ok(Json(json!({ "version": version, "status": status })))
}

#[derive(Deserialize)]
struct Wish {
    status: Status,
}

/// `PUT /pipelines/v1.1.0 {"status": "failed"}`, to see what a go-live does about it.
async fn set(
    State(pipelines): State<Arc<Pipelines>>,
    Path(version): Path<String>,
    Json(wish): Json<Wish>,
) -> Result<Json<Value>, Refusal> {
    let _writing = pipelines.writing.lock().await;
    let path = pipelines.folder.pipelines();
    let mut known: BTreeMap<String, Status> = read_json(&path)?.unwrap_or_default();
    known.insert(version.clone(), wish.status);
    write_json(&path, &known)?;
    Ok(Json(json!({ "version": version, "status": wish.status })))
}
