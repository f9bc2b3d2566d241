//! The shop's pages.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};

use super::Shop;

/// `/`.
pub(super) async fn front(State(shop): State<Arc<Shop>>) -> Response {
    tokio::time::sleep(shop.conduct.page_delay()).await;
    let Ok(content) = shop.database.read() else {
        return (StatusCode::SERVICE_UNAVAILABLE, Html(page("Closed", "<h1>The shop is closed</h1>")))
            .into_response();
    };
    let mut body = String::from("<h1>Practice Shop</h1>\n<ul>\n");
    for product in &content.products {
        let (whole, cents) = (product.price_cents / 100, product.price_cents % 100);
        body.push_str(&format!("<li>{} {whole}.{cents:02}</li>\n", escape(&product.name)));
    }
    body.push_str(&format!(
        "</ul>\n<p><a href=\"/login\">Log in</a></p>\n<footer>{} on {}</footer>\n",
        escape(&shop.version),
        shop.slot
    ));
    Html(page("Practice Shop", &body)).into_response()
}

/// A whole page; `body` is HTML.
pub(super) fn page(title: &str, body: &str) -> String {
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>{title}</title></head>\n<body>\n{body}</body></html>\n"
    )
}

/// Text as HTML.
pub(crate) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}
