//! The sink: takes what would go to Slack, PagerDuty and mail, keeps it, and shows it.

use std::sync::Arc;

use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Html;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::folder::Folder;
use crate::journal::{Lines, read_lines};
use crate::role::Door;
use crate::serve::{Refusal, Settings, Stop, run_single};
use crate::shop::escape;
use crate::{Error, Role};

struct Sink {
    folder: Folder,
    messages: Lines,
}

/// The process.
pub(crate) async fn serve(folder: Folder, settings: Settings, stop: Stop) -> Result<(), Error> {
    let app = app(&folder)?;
    run_single(Role::Sink, Door::Sink, &folder, &settings, app, stop).await
}

pub(crate) fn app(folder: &Folder) -> Result<Router, Error> {
    let sink = Arc::new(Sink { folder: folder.clone(), messages: Lines::open(folder.messages())? });
    Ok(Router::new()
        .route("/", get(page))
        .route("/health", get(|| async { Json(json!({ "status": "healthy" })) }))
        .route("/messages", get(messages))
        .route("/slack", post(slack))
        .route("/pagerduty", post(pagerduty))
        .route("/mail", post(mail))
        .with_state(sink))
}

type Reply = Result<(StatusCode, Json<Value>), Refusal>;

/// `POST /slack`: an incoming webhook, which needs `text`.
async fn slack(State(sink): State<Arc<Sink>>, headers: HeaderMap, Json(body): Json<Value>) -> Reply {
    let text = required(&body, &["text"])?;
    sink.keep("slack", text, &body, &headers);
    Ok((StatusCode::OK, Json(json!({ "ok": true }))))
}

/// `POST /pagerduty`: an event of the Events API, version 2.
async fn pagerduty(State(sink): State<Arc<Sink>>, headers: HeaderMap, Json(body): Json<Value>) -> Reply {
    let action = required(&body, &["event_action"])?;
    required(&body, &["routing_key"])?;
    let text = match action.as_str() {
        "trigger" => {
            required(&body, &["payload", "source"])?;
            required(&body, &["payload", "severity"])?;
            required(&body, &["payload", "summary"])?
        }
        "acknowledge" | "resolve" => format!("{action} {}", required(&body, &["dedup_key"])?),
        other => {
            return Err(Refusal::new(StatusCode::BAD_REQUEST, format!("`{other}` is not an event_action")));
        }
    };
    sink.keep("pagerduty", text, &body, &headers);
    let reply = json!({ "status": "success", "message": "Event processed", "dedup_key": body["dedup_key"] });
    Ok((StatusCode::ACCEPTED, Json(reply)))
}

/// `POST /mail`: needs `to`, `subject` and `text`.
async fn mail(State(sink): State<Arc<Sink>>, headers: HeaderMap, Json(body): Json<Value>) -> Reply {
    let to = required(&body, &["to"])?;
    let subject = required(&body, &["subject"])?;
    required(&body, &["text"])?;
    sink.keep("mail", format!("to {to}: {subject}"), &body, &headers);
    Ok((StatusCode::ACCEPTED, Json(json!({ "accepted": true }))))
}

fn required(body: &Value, path: &[&str]) -> Result<String, Refusal> {
    let found = path.iter().try_fold(body, |value, name| value.get(name)).and_then(Value::as_str);
    match found {
        Some(text) if !text.is_empty() => Ok(text.to_owned()),
        _ => Err(Refusal::new(StatusCode::BAD_REQUEST, format!("`{}` is missing", path.join(".")))),
    }
}

#[derive(Deserialize)]
struct Filter {
    channel: Option<String>,
}

/// `GET /messages`, oldest first; `?channel=slack` for one kind.
async fn messages(
    State(sink): State<Arc<Sink>>,
    Query(filter): Query<Filter>,
) -> Result<Json<Value>, Refusal> {
    let all = read_lines(&sink.folder.messages())?;
    let wanted =
        |message: &Value| filter.channel.as_deref().is_none_or(|channel| message["channel"] == channel);
    Ok(Json(all.into_iter().filter(wanted).collect()))
}

/// `GET /`: the same, to look at.
async fn page(State(sink): State<Arc<Sink>>) -> Result<Html<String>, Refusal> {
    let mut rows = String::new();
    for message in read_lines(&sink.folder.messages())?.iter().rev() {
        let cell = |name: &str| escape(message[name].as_str().unwrap_or_default());
        rows.push_str(&format!(
            "<tr><td>{}</td><td>{}</td><td><pre>{}</pre></td></tr>\n",
            cell("at"),
            cell("channel"),
            cell("text")
        ));
    }
    Ok(Html(format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>Messages</title></head>\n<body>\n\
         <h1>What would have been sent</h1>\n<table>\n{rows}</table>\n</body></html>\n"
    )))
}

impl Sink {
    fn keep(&self, channel: &str, text: String, body: &Value, headers: &HeaderMap) {
        let key = headers.get("idempotency-key").and_then(|key| key.to_str().ok());
        self.messages.write(&json!({ "channel": channel, "text": text, "body": body, "key": key }));
    }
}
