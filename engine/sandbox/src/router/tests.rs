use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, Ordering};

use axum::body::{Body, to_bytes};
use axum::http::Request;
use axum::routing::get;
use serde_json::json;
use tokio::sync::{mpsc, oneshot};

use super::*;
use crate::client::{Client, Connections, connections};
use crate::journal::read_lines;

async fn bind(app: Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await });
    address
}

struct Stage {
    shared: Arc<Shared>,
    folder: Folder,
    shop: SocketAddr,
    admin: String,
    client: Client,
    _temp: tempfile::TempDir,
}

impl Stage {
    async fn set() -> Self {
        let temp = tempfile::tempdir().unwrap();
        let folder = Folder::new(temp.path()).unwrap();
        let shared = Shared::open(&folder).unwrap();
        let shop = bind(shared.door(Door::Shop)).await;
        let admin = format!("http://{}", bind(shared.door(Door::Router)).await);
        Self { shared, folder, shop, admin, client: Client::new(), _temp: temp }
    }

    async fn backend(&self, slot: Slot, app: Router) {
        self.runs(slot, &format!("v1.0.0-{slot}"), app).await;
    }

    async fn runs(&self, slot: Slot, version: &str, app: Router) {
        let wish = json!({ "address": bind(app).await, "version": version });
        self.client.put(&format!("{}/-/backends/{slot}", self.admin), &wish).await.unwrap().ok().unwrap();
    }

    async fn switch(&self, slot: &str) -> crate::client::Answer {
        self.client.put(&format!("{}/-/live", self.admin), &json!({ "colour": slot })).await.unwrap()
    }
}

/// Status, the slot according to the header, body.
async fn visit(connections: &Connections, shop: SocketAddr) -> (u16, String, String) {
    ask(connections, shop, "/").await
}

async fn ask(connections: &Connections, shop: SocketAddr, path: &str) -> (u16, String, String) {
    let request = Request::get(format!("http://{shop}{path}")).body(Body::empty()).unwrap();
    let response = connections.request(request).await.unwrap();
    let status = response.status().as_u16();
    let slot =
        response.headers().get(SERVED_BY).map(|slot| slot.to_str().unwrap().to_owned()).unwrap_or_default();
    let body = to_bytes(Body::new(response.into_body()), 1 << 20).await.unwrap();
    (status, slot, String::from_utf8(body.to_vec()).unwrap())
}

fn says(word: &'static str) -> Router {
    Router::new().route("/", get(move || async move { word }))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_request_fails_through_many_switches_and_each_is_answered_by_one_colour() {
    let stage = Stage::set().await;
    stage.backend(Slot::Blue, says("blue")).await;
    stage.backend(Slot::Green, says("green")).await;
    assert_eq!(stage.switch("blue").await.status, 200);

    let answered = Arc::new(AtomicU32::new(0));
    let visitors: Vec<_> = (0..4)
        .map(|_| {
            let (connections, shop, answered) = (connections(), stage.shop, answered.clone());
            tokio::spawn(async move {
                for _ in 0..250 {
                    let (status, slot, body) = visit(&connections, shop).await;
                    assert_eq!((status, slot.as_str()), (200, body.as_str()));
                    answered.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    let mut switches = 0;
    let mine = connections();
    while answered.load(Ordering::Relaxed) < 1000 && !visitors.iter().all(|visitor| visitor.is_finished()) {
        let colour = if switches % 2 == 0 { "green" } else { "blue" };
        assert_eq!(stage.switch(colour).await.status, 200);
        // The switch has answered, so whoever comes now gets the new colour.
        assert_eq!(visit(&mine, stage.shop).await.1, colour);
        switches += 1;
    }
    for visitor in visitors {
        visitor.await.unwrap();
    }
    assert!(switches > 10, "{switches} switches are no test");
    let log = read_lines(&stage.folder.switch_log()).unwrap();
    assert_eq!(log.len(), switches + 1);
    assert!(log.windows(2).all(|pair| pair[0]["to"] == pair[1]["from"]), "{log:?}");
    let counted: u64 = stage.shared.routes.traffic().values().map(|traffic| traffic.requests).sum();
    assert_eq!(counted, 1000 + switches as u64);
    assert!(stage.shared.routes.traffic().values().all(|traffic| traffic.failed == 0));
}

#[tokio::test]
async fn a_request_in_flight_ends_where_it_began() {
    let stage = Stage::set().await;
    let (arrived, mut arrivals) = mpsc::channel::<oneshot::Sender<()>>(1);
    let slow = move || {
        let arrived = arrived.clone();
        async move {
            let (release, released) = oneshot::channel();
            arrived.send(release).await.unwrap();
            released.await.unwrap();
            "blue"
        }
    };
    stage.backend(Slot::Blue, Router::new().route("/", get(slow))).await;
    stage.backend(Slot::Green, says("green")).await;
    stage.switch("blue").await;

    let shop = stage.shop;
    let begun = tokio::spawn(async move { visit(&connections(), shop).await });
    let release = arrivals.recv().await.unwrap();
    stage.switch("green").await;
    assert_eq!(visit(&connections(), shop).await.2, "green");
    release.send(()).unwrap();
    assert_eq!(begun.await.unwrap(), (200, "blue".into(), "blue".into()));
}

#[tokio::test]
async fn a_backend_is_removed_when_its_last_request_has_an_answer() {
    let stage = Stage::set().await;
    stage.backend(Slot::Blue, says("blue")).await;
    stage.switch("blue").await;
    let on_its_way = stage.shared.routes.way(None).unwrap();
    let (client, url) = (stage.client.clone(), format!("{}/-/backends/blue", stage.admin));
    let removed = tokio::spawn(async move { client.delete(&url).await.unwrap().status });
    while stage.shared.routes.way(None).is_some() {
        tokio::task::yield_now().await;
    }
    assert!(!removed.is_finished());
    drop(on_its_way);
    assert_eq!(removed.await.unwrap(), 204);
}

#[tokio::test]
async fn a_switch_to_nothing_is_refused_and_changes_nothing() {
    let stage = Stage::set().await;
    stage.backend(Slot::Blue, says("blue")).await;
    stage.backend(Slot::Staging, says("staging")).await;
    stage.switch("blue").await;
    for (colour, status) in [("green", 409), ("staging", 400), ("red", 400)] {
        let answer = stage.switch(colour).await;
        assert_eq!(answer.status, status, "{colour}: {answer:?}");
        assert!(answer.body["error"].as_str().unwrap().contains(colour), "{answer:?}");
    }
    assert_eq!(visit(&connections(), stage.shop).await.2, "blue");
    assert_eq!(read_lines(&stage.folder.switch_log()).unwrap().len(), 1);
}

#[tokio::test]
async fn a_restarted_router_sends_customers_where_it_did_before() {
    let stage = Stage::set().await;
    stage.backend(Slot::Blue, says("blue")).await;
    stage.backend(Slot::Green, says("green")).await;
    stage.switch("blue").await;
    stage.switch("green").await;
    let again = Shared::open(&stage.folder).unwrap();
    let shop = bind(again.door(Door::Shop)).await;
    assert_eq!(visit(&connections(), shop).await.2, "green");
    let (_, previous) = again.routes.live();
    assert_eq!(previous.unwrap().colour, Slot::Blue);
}

#[tokio::test]
async fn a_version_that_was_taken_back_is_nowhere_to_go_back_to() {
    let stage = Stage::set().await;
    let mut idle = Slot::Blue;
    let mut seen = Vec::new();
    // Each is deployed where nobody is, and goes live. The fourth and the sixth are ways back.
    for version in ["v1.3.0", "v1.4.0", "v1.5.0", "v1.4.0", "v1.4.0", "v1.3.0", "v1.5.0"] {
        stage.runs(idle, version, says("hello")).await;
        assert_eq!(stage.switch(idle.name()).await.status, 200);
        let (live, previous) = stage.shared.routes.live();
        assert_eq!(live.unwrap().version, version);
        seen.push(previous.map_or("nothing".to_owned(), |previous| previous.version));
        idle = if idle == Slot::Blue { Slot::Green } else { Slot::Blue };
    }
    assert_eq!(seen, ["nothing", "v1.3.0", "v1.4.0", "v1.3.0", "v1.3.0", "nothing", "v1.3.0"]);
}

#[tokio::test]
async fn what_is_put_back_as_it_was_seen_takes_back_what_came_since() {
    let stage = Stage::set().await;
    let get = async || stage.client.get(&format!("{}/-/live", stage.admin)).await.unwrap().body;
    let put_back = async |seen: &serde_json::Value| {
        stage.client.put(&format!("{}/-/live", stage.admin), seen).await.unwrap().ok().unwrap();
    };
    for (slot, version) in [(Slot::Blue, "v1.0.0"), (Slot::Green, "v1.1.0")] {
        stage.runs(slot, version, says("hello")).await;
        stage.switch(slot.name()).await;
    }
    // A way back that turns out not to work: where it led is nowhere to go back to.
    let seen = get().await;
    stage.switch("blue").await;
    put_back(&seen).await;
    let live = get().await;
    assert_eq!((&live["version"], &live["previous"]), (&json!("v1.1.0"), &json!(null)));
    // With what is live now nothing is put back: the version before stood.
    put_back(&json!({ "colour": "blue", "since": live["since"] })).await;
    let live = get().await;
    assert_eq!((&live["version"], &live["previous"]["version"]), (&json!("v1.0.0"), &json!("v1.1.0")));
}

#[tokio::test]
async fn setting_what_is_set_is_logged_and_changes_nothing() {
    let stage = Stage::set().await;
    stage.backend(Slot::Blue, says("blue")).await;
    let first = stage.switch("blue").await;
    assert_eq!(stage.switch("blue").await, first);
    let log = read_lines(&stage.folder.switch_log()).unwrap();
    let changed: Vec<_> = log.iter().map(|line| line["changed"].as_bool().unwrap()).collect();
    assert_eq!(changed, [true, false]);
}

#[tokio::test]
async fn a_shop_that_is_gone_is_a_bad_gateway_and_counted_as_failed() {
    let stage = Stage::set().await;
    assert_eq!(visit(&connections(), stage.shop).await.0, 502);
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    stage
        .shared
        .routes
        .set_backend(Slot::Blue, Some(Backend { address: nobody, version: "v1.0.0".into() }))
        .unwrap();
    stage.switch("blue").await;
    let (status, _, body) = visit(&connections(), stage.shop).await;
    assert_eq!(status, 502);
    assert!(body.contains("refused"), "{body}");
    assert_eq!(stage.shared.routes.traffic()[&Slot::Blue], Traffic { requests: 1, failed: 1 });
}

#[tokio::test]
async fn a_probe_is_no_customer() {
    let stage = Stage::set().await;
    stage.backend(Slot::Blue, says("blue")).await;
    stage.switch("blue").await;
    for (path, status) in [("/health", 404), ("/version", 404), ("/", 200)] {
        assert_eq!(ask(&connections(), stage.shop, path).await.0, status);
    }
    assert_eq!(stage.shared.routes.traffic()[&Slot::Blue], Traffic { requests: 1, failed: 0 });
}

#[tokio::test]
async fn only_the_public_door_marks_live_traffic() {
    let stage = Stage::set().await;
    let tell = |headers: axum::http::HeaderMap| async move {
        if headers.contains_key(crate::shop::LIVE_TRAFFIC) { "live" } else { "direct" }
    };
    stage.backend(Slot::Blue, Router::new().route("/", get(tell))).await;
    stage.switch("blue").await;
    let direct = bind(stage.shared.door(Door::Blue)).await;
    assert_eq!(visit(&connections(), stage.shop).await.2, "live");
    assert_eq!(visit(&connections(), direct).await.2, "direct");
}
