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
    let killed = Command::new("/bin/kill").args(["-KILL", &pid.to_string()]).status().unwrap();
    assert!(killed.success());
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
