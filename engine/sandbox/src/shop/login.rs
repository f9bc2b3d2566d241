//! Logging in: a form, a session cookie, a page for those who have one.

use std::sync::Arc;

use axum::Form;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{Html, IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::Shop;
use super::pages::{escape, page};

const FORM: &str = r#"<h1>Log in</h1>
<form method="post" action="/login">
<input type="email" name="email" data-testid="email" required>
<input type="password" name="password" data-testid="password" required>
<button data-testid="login-button">Log in</button>
</form>
"#;

/// `GET /login`.
pub(super) async fn form(State(shop): State<Arc<Shop>>) -> Response {
    tokio::time::sleep(shop.conduct.page_delay()).await;
    Html(page("Log in", FORM)).into_response()
}

#[derive(Deserialize)]
pub(super) struct Credentials {
    email: String,
    password: String,
}

/// `POST /login`: 303 to the dashboard with a session, 401, or 429 after too many attempts for one address.
pub(super) async fn submit(State(shop): State<Arc<Shop>>, Form(given): Form<Credentials>) -> Response {
    if let Err(wait) = shop.throttle.attempt(&given.email, std::time::Instant::now()) {
        let seconds = wait.as_secs() + 1;
        let text = page("Too many attempts", "<h1>Too many attempts</h1>\n");
        return (StatusCode::TOO_MANY_REQUESTS, [(header::RETRY_AFTER, seconds.to_string())], Html(text))
            .into_response();
    }
    let Ok(content) = shop.database.read() else { return StatusCode::SERVICE_UNAVAILABLE.into_response() };
    let known = content.users.iter().any(|user| user.email == given.email && user.password == given.password);
    if !known {
        let text = page("Log in", &format!("<p>Wrong address or password.</p>\n{FORM}"));
        return (StatusCode::UNAUTHORIZED, Html(text)).into_response();
    }
    match shop.database.begin_session(&given.email) {
        Ok(session) => {
            let cookie = format!("session={session}; Path=/; HttpOnly; Secure; SameSite=Lax; Max-Age=3600");
            ([(header::SET_COOKIE, cookie)], Redirect::to("/dashboard")).into_response()
        }
        Err(error) => {
            tracing::error!("{error}");
            StatusCode::SERVICE_UNAVAILABLE.into_response()
        }
    }
}

/// `GET /dashboard`: for those who are logged in; others go to the form.
pub(super) async fn dashboard(State(shop): State<Arc<Shop>>, headers: HeaderMap) -> Response {
    tokio::time::sleep(shop.conduct.page_delay()).await;
    match session(&headers).map(|name| shop.database.session(name)) {
        Some(Ok(Some(email))) => {
            let body =
                format!("<h1>Your orders</h1>\n<nav data-testid=\"user-menu\">{}</nav>\n", escape(&email));
            Html(page("Dashboard", &body)).into_response()
        }
        Some(Err(error)) => {
            tracing::error!("{error}");
            StatusCode::SERVICE_UNAVAILABLE.into_response()
        }
        _ => Redirect::to("/login").into_response(),
    }
}

fn session(headers: &HeaderMap) -> Option<&str> {
    let cookies = headers.get(header::COOKIE)?.to_str().ok()?;
    cookies.split(';').find_map(|cookie| cookie.trim().strip_prefix("session="))
}
