//! Backups of the shop's database: real copies with a checksum beside them.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::Error;
use crate::folder::{Folder, write_text};
use crate::serve::Refusal;

pub(super) fn app(folder: &Folder) -> Router {
    Router::new()
        .route("/backups", get(list).post(make))
        .route("/backups/latest", get(latest))
        .with_state(Arc::new(folder.clone()))
}

/// `GET /backups`, newest first.
async fn list(State(folder): State<Arc<Folder>>) -> Result<Json<Value>, Refusal> {
    Ok(Json(found(&folder.backups())?.into()))
}

/// `GET /backups/latest`: 404 where there is none.
async fn latest(State(folder): State<Arc<Folder>>) -> Result<Json<Value>, Refusal> {
    match found(&folder.backups())?.into_iter().next() {
        Some(backup) => Ok(Json(backup)),
        None => Err(Refusal::new(StatusCode::NOT_FOUND, "there is no backup")),
    }
}

/// `POST /backups` makes one.
async fn make(State(folder): State<Arc<Folder>>) -> Result<(StatusCode, Json<Value>), Refusal> {
    let source = folder.database();
    let content =
        std::fs::read_to_string(&source).map_err(|error| Error::File { path: source, source: error })?;
    let name = format!("shop-{}.json", jiff::Timestamp::now().strftime("%Y%m%dT%H%M%S.%fZ"));
    let path = folder.backups().join(name);
    // The checksum goes first: a backup without one would look like one that was tampered with.
    write_text(&checksum_file(&path), &checksum(content.as_bytes()))?;
    write_text(&path, &content)?;
    Ok((StatusCode::CREATED, Json(describe(&path)?)))
}

fn found(folder: &Path) -> Result<Vec<Value>, Error> {
    let file_error = |source| Error::File { path: folder.to_owned(), source };
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(source) => return Err(file_error(source)),
    };
    let mut paths = Vec::new();
    for entry in entries {
        let path = entry.map_err(file_error)?.path();
        if path.extension().is_some_and(|extension| extension == "json") {
            paths.push(path);
        }
    }
    // Their names begin with their times.
    paths.sort_unstable_by(|a, b| b.cmp(a));
    paths.iter().map(|path| describe(path)).collect()
}

fn describe(path: &Path) -> Result<Value, Error> {
    let file_error = |source| Error::File { path: path.to_owned(), source };
    let content = std::fs::read(path).map_err(file_error)?;
    let written = std::fs::metadata(path).and_then(|metadata| metadata.modified()).map_err(file_error)?;
    let recorded = std::fs::read_to_string(checksum_file(path)).ok();
    let sha256 = checksum(&content);
    Ok(json!({
        "name": path.file_name().map(|name| name.to_string_lossy()),
        "bytes": content.len(),
        "age_seconds": written.elapsed().unwrap_or_default().as_secs(),
        "intact": recorded.as_deref() == Some(sha256.as_str()),
        "sha256": sha256,
    }))
}

fn checksum_file(path: &Path) -> PathBuf {
    path.with_extension("sha256")
}

fn checksum(content: &[u8]) -> String {
    Sha256::digest(content).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_damaged_backup_is_not_intact() {
        let temp = tempfile::tempdir().unwrap();
        let folder = Arc::new(Folder::new(temp.path()).unwrap());
        write_text(&folder.database(), "{\"users\":[]}").unwrap();
        let (_, Json(first)) = make(State(folder.clone())).await.unwrap();
        let (_, Json(second)) = make(State(folder.clone())).await.unwrap();
        let Json(newest) = latest(State(folder.clone())).await.unwrap();
        assert_eq!(newest["name"], second["name"]);
        assert_eq!(newest["intact"], true);
        std::fs::write(folder.backups().join(second["name"].as_str().unwrap()), "{").unwrap();
        let Json(all) = list(State(folder)).await.unwrap();
        assert_eq!((&all[0]["intact"], &all[1]["intact"]), (&json!(false), &json!(true)));
        assert_eq!(all[1]["name"], first["name"]);
    }
}
