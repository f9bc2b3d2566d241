//! The sandbox as real processes, started through the example program of this crate.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

/// A sandbox in a folder of its own; taken down at the end, also of a test that failed.
struct Sandbox {
    temp: tempfile::TempDir,
}

impl Sandbox {
    fn new() -> Self {
        Self { temp: tempfile::tempdir().unwrap() }
    }

    fn folder(&self) -> PathBuf {
        self.temp.path().join("sandbox")
    }

    fn call(&self, word: &str) -> Value {
        let output = call(word, &self.folder());
        assert!(output.status.success(), "{word}: {}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    fn pids(&self) -> Vec<(String, u64)> {
        let status = self.call("status");
        let parts = status["parts"].as_array().unwrap();
        parts
            .iter()
            .filter_map(|part| Some((part["role"].as_str()?.to_owned(), part["pid"].as_u64()?)))
            .collect()
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        call("down", &self.folder());
    }
}

fn call(word: &str, folder: &Path) -> Output {
    Command::new(program()).arg(word).arg(folder).output().unwrap()
}

fn program() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let program = test.parent().unwrap().parent().unwrap().join("examples").join("sandbox");
    assert!(program.exists(), "{} is built by `cargo test` and `cargo nextest run`", program.display());
    program
}

fn kill(pid: u64) {
    let pid = rustix::process::Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
}

#[test]
fn up_twice_is_up_once_and_down_stops_everything() {
    let sandbox = Sandbox::new();
    let first = sandbox.call("up");
    let pids = sandbox.pids();
    let roles: Vec<&str> = pids.iter().map(|(role, _)| role.as_str()).collect();
    assert_eq!(roles, ["visitors", "deployer", "services", "sink", "router", "shop-blue", "shop-staging"]);
    assert_eq!(sandbox.call("up"), first);
    assert_eq!(sandbox.pids(), pids);
    assert_eq!(sandbox.call("status")["live"], serde_json::json!(["blue", "v1.0.0"]));

    let stopped = sandbox.call("down");
    let stopped: Vec<u64> =
        stopped.as_array().unwrap().iter().map(|part| part["pid"].as_u64().unwrap()).collect();
    assert_eq!(stopped, pids.iter().map(|(_, pid)| *pid).collect::<Vec<_>>());
    assert_eq!(sandbox.pids(), []);
    assert_eq!(sandbox.call("down"), serde_json::json!([]));
}

#[test]
fn what_was_killed_comes_back_with_the_next_up() {
    let sandbox = Sandbox::new();
    sandbox.call("up");
    for victims in
        [&["shop-blue"][..], &["router", "deployer", "shop-blue"], &["services", "sink", "visitors"]]
    {
        let before = sandbox.pids();
        for role in victims {
            kill(before.iter().find(|(name, _)| name == role).unwrap().1);
        }
        sandbox.call("up");
        let after = sandbox.pids();
        assert_eq!(after.len(), before.len());
        for ((role, old), (_, new)) in before.iter().zip(&after) {
            assert_eq!(old != new, victims.contains(&role.as_str()), "{role}");
        }
    }
    assert_eq!(sandbox.call("status")["live"], serde_json::json!(["blue", "v1.0.0"]));
}

/// A process that is stopped until this is dropped.
struct Sick(u64);

impl Sick {
    fn make(pid: u64) -> Self {
        Self::signal("STOP", pid);
        Sick(pid)
    }

    /// With the shell's own `kill`, which every machine has.
    fn signal(name: &str, pid: u64) {
        let sent = Command::new("sh").args(["-c", &format!("kill -{name} {pid}")]).status().unwrap();
        assert!(sent.success());
    }
}

impl Drop for Sick {
    fn drop(&mut self) {
        Self::signal("CONT", self.0);
    }
}

#[test]
fn a_bystander_that_is_sick_is_told_of_and_what_customers_need_is_a_fault() {
    let sandbox = Sandbox::new();
    assert_eq!(sandbox.call("up").get("warnings"), None);
    let pids = sandbox.pids();
    let pid = |role: &str| pids.iter().find(|(name, _)| name == role).unwrap().1;
    let sick = Sick::make(pid("sink"));
    let up = sandbox.call("up");
    let warnings = up["warnings"].as_array().unwrap();
    assert_eq!(warnings.len(), 1);
    assert!(warnings[0].as_str().unwrap().starts_with("sink does not answer as it should"), "{warnings:?}");
    drop(sick);
    assert_eq!(sandbox.call("up").get("warnings"), None);
    // What customers are on may be what somebody has to get them away from.
    let sick = Sick::make(pid("shop-blue"));
    let up = sandbox.call("up");
    assert!(up["warnings"][0].as_str().unwrap().starts_with("shop does not answer as it should"), "{up}");
    drop(sick);
    let _sick = Sick::make(pid("deployer"));
    let output = call("up", &sandbox.folder());
    assert!(!output.status.success());
}

#[test]
fn a_folder_of_somebody_else_is_left_alone() {
    let sandbox = Sandbox::new();
    std::fs::create_dir(sandbox.folder()).unwrap();
    std::fs::write(sandbox.folder().join("thesis.txt"), "mine").unwrap();
    let output = call("up", &sandbox.folder());
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("is not a sandbox's folder"));
    assert_eq!(std::fs::read_dir(sandbox.folder()).unwrap().count(), 1);
}

#[test]
fn a_taken_port_is_named() {
    let sandbox = Sandbox::new();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let output =
        Command::new(program()).arg("up").arg(sandbox.folder()).arg(port.to_string()).output().unwrap();
    assert!(!output.status.success());
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains(&format!("cannot listen on 127.0.0.1:{port}")), "{said}");
}

#[test]
fn other_ports_than_it_has_are_refused_while_it_runs() {
    let sandbox = Sandbox::new();
    let running = sandbox.call("up");
    let output = Command::new(program()).arg("up").arg(sandbox.folder()).arg("7400").output().unwrap();
    assert!(!output.status.success());
    let said = String::from_utf8_lossy(&output.stderr);
    let shop = running["urls"]["shop"].as_str().unwrap();
    assert!(said.contains(shop) && said.contains("7400") && said.contains("sandbox down"), "{said}");
    // It is as it was, and whoever does not mind where it is gets it.
    assert_eq!(sandbox.call("up"), running);
}

#[test]
fn a_version_that_is_deployed_again_has_not_been_repaired_meanwhile() {
    let sandbox = Sandbox::new();
    let urls = sandbox.call("up")["urls"].clone();
    let deployer = urls["deployer"].as_str().unwrap();
    let put = |wish: &str| ask("PUT", deployer, "/deployments/green", wish);
    assert_eq!(put(r#"{"version": "v1.5.0", "behaviour": "flaky"}"#).0, 201);
    assert_eq!(put(r#"{"version": "v1.5.0"}"#).0, 200, "nothing changes");
    assert_eq!(put(r#"{"version": "v1.4.0"}"#).1["behaviour"], "healthy");
    assert_eq!(put(r#"{"version": "v1.5.0"}"#).1["behaviour"], "flaky");
    assert_eq!(put(r#"{"version": "v1.5.0", "behaviour": "healthy"}"#).1["behaviour"], "healthy");
    // The same version somewhere else does not change the one that runs here.
    let other = r#"{"version": "v1.5.0", "behaviour": "broken"}"#;
    assert_eq!(ask("PUT", deployer, "/deployments/staging", other).0, 201);
    assert_eq!(put(r#"{"version": "v1.5.0"}"#).0, 200, "nothing changes");
}

#[test]
fn going_live_back_and_forth_costs_no_visitor_a_request() {
    let sandbox = Sandbox::new();
    let urls = sandbox.call("up")["urls"].clone();
    let (deployer, router) = (urls["deployer"].as_str().unwrap(), urls["router"].as_str().unwrap());
    let seen = || ask("GET", urls["visitors"].as_str().unwrap(), "/", "").1;
    for (round, (new, old)) in [("green", "blue"), ("blue", "green")].repeat(4).into_iter().enumerate() {
        let version = format!(r#"{{"version": "v1.{}.0"}}"#, round + 1);
        assert_eq!(ask("PUT", deployer, &format!("/deployments/{new}"), &version).0, 201);
        assert_eq!(ask("DELETE", deployer, &format!("/deployments/{old}"), "").0, 409, "it is live");
        assert_eq!(ask("PUT", router, "/-/live", &format!(r#"{{"colour": "{new}"}}"#)).0, 200);
        assert_eq!(ask("DELETE", deployer, &format!("/deployments/{old}"), "").0, 200);
        assert_eq!(ask("GET", deployer, &format!("/deployments/{old}"), "").0, 404);
        // Until somebody was served by the new version, the round has shown nothing.
        let served = || seen()["by_slot"][new].as_u64().unwrap_or_default();
        let before = served();
        while served() == before {
            std::thread::yield_now();
        }
    }
    let seen = seen();
    assert_eq!(seen["failed"], 0, "{seen}");
    assert!(seen["requests"].as_u64().unwrap() >= 8, "{seen}");
}

/// Status and JSON body of one request, over a connection of its own.
fn ask(method: &str, url: &str, path: &str, body: &str) -> (u16, Value) {
    use std::io::{Read as _, Write as _};
    let address = url.strip_prefix("http://").unwrap();
    let mut stream = std::net::TcpStream::connect(address).unwrap();
    let head = format!("{method} {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n");
    let length = body.len();
    write!(stream, "{head}content-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, serde_json::from_str(body).unwrap_or_default())
}
