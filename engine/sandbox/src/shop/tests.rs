use axum::body::{Body, to_bytes};
use axum::http::{Method, Request, Response};
use tokio::net::TcpListener;

use super::*;
use crate::client::connections;

struct Running {
    address: std::net::SocketAddr,
    folder: Folder,
    _temp: tempfile::TempDir,
}

async fn start(behaviour: Behaviour) -> Running {
    let temp = tempfile::tempdir().unwrap();
    let folder = Folder::new(temp.path()).unwrap();
    prepare_database(&folder).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let app = app(&folder, Slot::Green, "v1.1.0", behaviour);
    tokio::spawn(async move { axum::serve(listener, app).await });
    Running { address, folder, _temp: temp }
}

impl Running {
    async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> (Response<()>, String) {
        let mut request = Request::builder().method(method).uri(format!("http://{}{path}", self.address));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response =
            connections().request(request.body(Body::from(body.to_owned())).unwrap()).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = to_bytes(Body::new(body), 1 << 20).await.unwrap();
        (Response::from_parts(parts, ()), String::from_utf8(bytes.to_vec()).unwrap())
    }

    async fn get(&self, path: &str, headers: &[(&str, &str)]) -> (Response<()>, String) {
        self.send(Method::GET, path, headers, "").await
    }

    async fn status(&self, path: &str, headers: &[(&str, &str)]) -> u16 {
        self.get(path, headers).await.0.status().as_u16()
    }

    async fn log_in(&self, email: &str, password: &str) -> Response<()> {
        let form = [("content-type", "application/x-www-form-urlencoded")];
        let body = format!("email={}&password={password}", email.replace('@', "%40"));
        self.send(Method::POST, "/login", &form, &body).await.0
    }

    fn credential(&self, name: &str) -> String {
        std::fs::read_to_string(self.folder.credential(name)).unwrap()
    }
}

#[tokio::test]
async fn the_front_page_has_a_heading_a_title_and_the_security_headers() {
    let shop = start(Behaviour::Healthy).await;
    let (response, body) = shop.get("/", &[]).await;
    assert_eq!(response.status(), 200);
    assert!(
        body.contains("<title>Practice Shop</title>") && body.contains("<h1>Practice Shop</h1>"),
        "{body}"
    );
    for (name, value) in SECURITY_HEADERS {
        assert_eq!(response.headers()[name], value);
    }
    assert_eq!(response.headers()["x-shop-version"], "v1.1.0");
}

#[tokio::test]
async fn health_tells_whether_the_database_is_there() {
    let shop = start(Behaviour::Healthy).await;
    let (response, body) = shop.get("/api/health", &[]).await;
    assert_eq!(response.status(), 200);
    insta::assert_snapshot!(body, @r#"{"status":"healthy","database":"connected","version":"v1.1.0","slot":"green"}"#);
    std::fs::remove_file(shop.folder.database()).unwrap();
    let (response, body) = shop.get("/health", &[]).await;
    assert_eq!(response.status(), 503);
    insta::assert_snapshot!(body, @r#"{"status":"unhealthy","database":"disconnected","version":"v1.1.0","slot":"green"}"#);
    assert_eq!(shop.status("/", &[]).await, 503);
}

#[tokio::test]
async fn the_api_wants_the_right_token() {
    let shop = start(Behaviour::Healthy).await;
    let bearer = format!("Bearer {}", shop.credential("test-user-token"));
    assert_eq!(shop.status("/api/users/me", &[]).await, 401);
    assert_eq!(shop.status("/api/users/me", &[("authorization", "Bearer wrong")]).await, 401);
    let (response, body) = shop.get("/api/users/me", &[("authorization", &bearer)]).await;
    assert_eq!(response.status(), 200);
    assert!(body.contains("test.user@shop.example") && !body.contains("password"), "{body}");
}

#[tokio::test]
async fn a_login_opens_the_dashboard_and_nothing_else_does() {
    let shop = start(Behaviour::Healthy).await;
    let closed = shop.get("/dashboard", &[]).await.0;
    assert_eq!(
        (closed.status().as_u16(), &closed.headers()["location"]),
        (303, &HeaderValue::from_static("/login"))
    );
    assert_eq!(shop.status("/dashboard", &[("cookie", "session=../shop.json")]).await, 303);
    assert_eq!(shop.log_in("test.user@shop.example", "wrong").await.status(), 401);

    let opened = shop.log_in("test.user@shop.example", &shop.credential("test-user-password")).await;
    assert_eq!(opened.status(), 303);
    assert_eq!(opened.headers()["location"], "/dashboard");
    let cookie = opened.headers()["set-cookie"].to_str().unwrap();
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax"), "{cookie}");
    let session = cookie.split(';').next().unwrap();
    let (response, body) = shop.get("/dashboard", &[("cookie", session)]).await;
    assert_eq!(response.status(), 200);
    assert!(body.contains("data-testid=\"user-menu\""), "{body}");
}

#[tokio::test]
async fn a_login_holds_on_the_other_colour_too() {
    let shop = start(Behaviour::Healthy).await;
    let opened = shop.log_in("test.user@shop.example", &shop.credential("test-user-password")).await;
    let session = opened.headers()["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let other =
        Running { address: listener.local_addr().unwrap(), folder: shop.folder.clone(), _temp: shop._temp };
    let app = app(&other.folder, Slot::Blue, "v1.0.0", Behaviour::Healthy);
    tokio::spawn(async move { axum::serve(listener, app).await });
    assert_eq!(other.status("/dashboard", &[("cookie", &session)]).await, 200);
}

#[tokio::test]
async fn guessing_is_throttled_per_address() {
    let shop = start(Behaviour::Healthy).await;
    for _ in 0..5 {
        assert_eq!(shop.log_in("a@shop.example", "guess").await.status(), 401);
    }
    let refused = shop.log_in("a@shop.example", "guess").await;
    assert_eq!(refused.status(), 429);
    assert!(refused.headers().contains_key("retry-after"));
    assert_eq!(shop.log_in("b@shop.example", "guess").await.status(), 401);
}

#[tokio::test]
async fn a_broken_version_is_never_healthy_and_says_its_version_all_the_same() {
    let shop = start(Behaviour::Broken).await;
    assert_eq!(shop.status("/health", &[]).await, 503);
    assert_eq!(shop.status("/", &[]).await, 500);
    assert_eq!(shop.get("/version", &[]).await.1, "v1.1.0\n");
}

#[tokio::test]
async fn a_flaky_version_fails_under_live_traffic_alone_and_health_does_not_notice() {
    let shop = start(Behaviour::Flaky).await;
    for _ in 0..50 {
        assert_eq!(shop.status("/", &[]).await, 200);
    }
    let mut failed = 0;
    for nth in 0..60 {
        let status = shop.status("/", &[(LIVE_TRAFFIC, "1")]).await;
        assert!(nth >= 30 || status == 200, "{nth}: {status}");
        failed += u32::from(status == 500);
    }
    assert_eq!(failed, 20);
    assert_eq!(shop.status("/health", &[]).await, 200);
}
