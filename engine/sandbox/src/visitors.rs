//! The visitors: customers who never stop, so that a practice production has traffic to lose.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::extract::{Query, State};
use axum::http::Uri;
use axum::routing::get;
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::MissedTickBehavior;

use crate::folder::Folder;
use crate::journal::{Lines, now, read_lines};
use crate::role::Door;
use crate::router::SERVED_BY;
use crate::serve::{Refusal, Settings, Stop, run_single, stopped};
use crate::{Error, Role, client, process};

/// Requests a second.
const PER_SECOND: u64 = 25;
/// A request that takes longer has failed.
const PATIENCE: Duration = Duration::from_secs(10);

/// What the visitors saw.
#[derive(Debug, Default, Serialize)]
struct Seen {
    since: String,
    requests: u64,
    failed: u64,
    /// By the slot that answered.
    by_slot: BTreeMap<String, u64>,
}

struct Visitors {
    folder: Folder,
    connections: client::Connections,
    seen: watch::Sender<Seen>,
    failures: Lines,
}

/// The process.
pub(crate) async fn serve(folder: Folder, settings: Settings, stop: Stop) -> Result<(), Error> {
    let visitors = Arc::new(Visitors {
        failures: Lines::open(folder.visitor_failures())?,
        folder: folder.clone(),
        connections: client::connections(),
        seen: watch::Sender::new(Seen { since: now(), ..Seen::default() }),
    });
    let walking = tokio::spawn(walk(visitors.clone(), stop.clone()));
    let app = Router::new()
        .route("/health", get(|| async { Json(json!({ "status": "healthy" })) }))
        .route("/", get(summary))
        .route("/failures", get(failures))
        .with_state(visitors);
    let served = run_single(Role::Visitors, Door::Visitors, &folder, &settings, app, stop).await;
    walking.abort();
    served
}

/// What `GET /` is asked for.
#[derive(Debug, Deserialize)]
struct Wanted {
    /// A number of requests: the answer comes once there were more.
    #[serde(default)]
    beyond: Option<u64>,
}

/// `GET /`: how many requests there were, and how many failed. `GET /?beyond=N` answers once there were more than `N`,
/// so that whoever waits for the next customer needs no clock.
async fn summary(State(visitors): State<Arc<Visitors>>, Query(wanted): Query<Wanted>) -> Json<Value> {
    let mut seen = visitors.seen.subscribe();
    let enough = |seen: &Seen| wanted.beyond.is_none_or(|beyond| seen.requests > beyond);
    // It cannot fail: the sender is this process's own and outlives every answer.
    drop(seen.wait_for(enough).await);
    Json(json!(*seen.borrow()))
}

/// `GET /failures`: each request that failed, oldest first.
async fn failures(State(visitors): State<Arc<Visitors>>) -> Result<Json<Value>, Refusal> {
    Ok(Json(read_lines(&visitors.folder.visitor_failures())?.into()))
}

async fn walk(visitors: Arc<Visitors>, stop: Stop) {
    let mut pace = tokio::time::interval(Duration::from_millis(1000 / PER_SECOND));
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let end = stopped(stop);
    tokio::pin!(end);
    let mut turn = 0_usize;
    let mut shop = None;
    loop {
        tokio::select! { _ = pace.tick() => {}, () = &mut end => return }
        if shop.is_none() {
            shop = shop_address(&visitors.folder);
        }
        let Some(address) = shop else { continue };
        let path = ["/", "/", "/api/users/me", "/login"][turn % 4];
        turn += 1;
        tokio::spawn(visit(visitors.clone(), format!("http://{address}{path}"), path));
    }
}

fn shop_address(folder: &Folder) -> Option<std::net::SocketAddr> {
    process::running(folder, Role::Router).ok()??.address(Door::Shop)
}

async fn visit(visitors: Arc<Visitors>, url: String, path: &'static str) {
    let begun = now();
    let asked = tokio::time::timeout(PATIENCE, ask(&visitors.connections, &url)).await;
    let (slot, fault) =
        asked.unwrap_or_else(|_| (None, Some(format!("no answer within {} s", PATIENCE.as_secs()))));
    // The failure first: whoever sees it counted finds it written down.
    if let Some(fault) = &fault {
        visitors.failures.write(&json!({ "begun": begun, "path": path, "slot": slot, "fault": fault }));
    }
    visitors.seen.send_modify(|seen| {
        seen.requests += 1;
        seen.failed += u64::from(fault.is_some());
        if let Some(slot) = slot {
            *seen.by_slot.entry(slot).or_default() += 1;
        }
    });
}

/// Who answered, and what was wrong with the answer.
async fn ask(connections: &client::Connections, url: &str) -> (Option<String>, Option<String>) {
    let uri = match url.parse::<Uri>() {
        Ok(uri) => uri,
        Err(error) => return (None, Some(error.to_string())),
    };
    let response = match connections.get(uri).await {
        Ok(response) => response,
        Err(error) => return (None, Some(client::chain(&error))),
    };
    let slot = response.headers().get(SERVED_BY).and_then(|slot| slot.to_str().ok()).map(str::to_owned);
    let status = response.status();
    // To the end, as a browser would; a page that breaks off is a failure too.
    match to_bytes(Body::new(response.into_body()), 1 << 20).await {
        Err(error) => (slot, Some(client::chain(&error))),
        Ok(_) if status.is_server_error() => (slot, Some(format!("status {}", status.as_u16()))),
        Ok(_) => (slot, None),
    }
}
