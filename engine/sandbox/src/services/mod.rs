//! What surrounds a production: the pipeline, the migrations, the backups, the monitoring.

mod backups;
mod migrations;
mod monitoring;
mod pipelines;

use axum::routing::get;
use axum::{Json, Router};
use serde_json::json;

use crate::folder::Folder;
use crate::role::Door;
use crate::serve::{Settings, Stop, run_single};
use crate::{Error, Role};

/// The process.
pub(crate) async fn serve(folder: Folder, settings: Settings, stop: Stop) -> Result<(), Error> {
    let (watch, watching) = monitoring::start(&folder);
    let app = Router::new()
        .route("/health", get(|| async { Json(json!({ "status": "healthy" })) }))
        .merge(pipelines::app(&folder))
        .merge(migrations::app(&folder))
        .merge(backups::app(&folder))
        .merge(monitoring::app(watch));
    let served = run_single(Role::Services, Door::Services, &folder, &settings, app, stop).await;
    watching.abort();
    served
}
