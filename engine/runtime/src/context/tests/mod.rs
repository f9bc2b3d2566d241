//! The standard step types through the real context: real sockets, real processes, real files.

mod hostile;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::sync::Mutex;
use std::time::Duration;

use runbook_plan::SecretSpec;
use runbook_step::{Call, Map, Outcome, Registry, Value, Verdict};
use serde_json::json;

use self::hostile::{Hostile, nobody};

use super::*;
use crate::clock::Clock;

/// Longer than anything here takes on however slow a machine.
const LONG: Duration = Duration::from_secs(600);

/// A folder with a world in it.
struct World {
    context: AttemptContext,
    registry: Registry,
    folder: tempfile::TempDir,
    // Kept open, as an execution keeps them.
    _live: mpsc::Receiver<Live>,
    _spawned: mpsc::UnboundedReceiver<Spawned>,
}

impl World {
    fn new() -> World {
        let folder = tempfile::tempdir().unwrap();
        let (live, live_from) = mpsc::channel(16);
        let (spawned, spawned_from) = mpsc::unbounded_channel();
        let path: OsString = "/usr/local/bin:/usr/bin:/bin".into();
        let environment =
            Environment::from([("PATH".into(), path), ("CANARY".into(), "s3cr3t-canary".into())]);
        let mask = Mask::default();
        let module = runbook_plan::Module {
            secrets: BTreeMap::from([("canary".into(), SecretSpec::Env("CANARY".into()))]),
            ..module()
        };
        let secrets =
            Secrets::new(&[module], folder.path(), environment.clone(), Environment::new(), mask.clone());
        let shared = Shared {
            clock: RunClock::new(Clock::system(), 0, 0),
            mask,
            secrets,
            http: HttpClients::new(&Environment::new(), "0"),
            root: folder.path().to_owned(),
            environment: Environment::from([(
                "PATH".into(),
                environment["PATH".as_ref() as &std::ffi::OsStr].clone(),
            )]),
            pinned: Pinned::new(folder.path().to_owned(), Arc::default(), BTreeMap::new()),
            logs: folder.path().to_owned(),
            outputs: folder.path().to_owned(),
            patience: Patience { grace: LONG, killed: LONG, linger: LONG, drain: LONG },
            processes: std::sync::atomic::AtomicU64::new(0),
            live,
            spawned,
        };
        let context = AttemptContext {
            mask: shared.mask.of_attempt(),
            shared: Arc::new(shared),
            task: Task { frame: 0, node: 0, path: "test".into() },
            attempt: 1,
            folder: folder.path().to_owned(),
            programs: Vec::new(),
            key: "the-key".into(),
            cancel: Cancel::new(),
            log: LogFile::new(folder.path().join("log")),
        };
        World {
            context,
            registry: runbook_stdlib::registry(),
            folder,
            _live: live_from,
            _spawned: spawned_from,
        }
    }

    fn call(&self, step: &str, params: serde_json::Value) -> Call {
        let given = Value::from_json(params).as_map().unwrap().clone();
        let params = self.registry.get(step).unwrap().declaration().fill(given).unwrap();
        Call { params, ..Call::default() }
    }

    async fn run(&self, step: &str, params: serde_json::Value) -> Outcome {
        self.registry.get(step).unwrap().run(&self.call(step, params), &self.context).await
    }

    /// `unknown timeout: …`, without the address of the server.
    async fn told_of(&self, server: &str, step: &str, params: serde_json::Value) -> String {
        self.told(step, params).await.replace(server, "SERVER")
    }

    /// Of a path of a server. Where it does not end its answer, the request is repeated with ever more time, until it
    /// has come to that: how much that is depends on the machine. Anything else ends by itself.
    async fn told_of_path(
        &self,
        server: &Hostile,
        path: &str,
        step: &str,
        params: serde_json::Value,
    ) -> String {
        let hangs = match path.rsplit('/').next() {
            Some("hang") => "no answer in time",
            Some("drip") => "no whole answer in time",
            _ => "",
        };
        let mut told = String::new();
        for timeout in ["300ms", "3s", "30s", "1h"].into_iter().skip(if hangs.is_empty() { 3 } else { 0 }) {
            let mut params = params.clone();
            params["url"] = server.url(path).into();
            params["timeout"] = timeout.into();
            told = self.told_of(&server.address.to_string(), step, params).await;
            if told.ends_with(hangs) {
                break;
            }
        }
        told
    }

    async fn told(&self, step: &str, params: serde_json::Value) -> String {
        let outcome = self.run(step, params).await;
        let word = match outcome {
            Outcome::Done(_) => "done",
            Outcome::Failed(_) => "failed",
            Outcome::NotDone(_) => "not_done",
            Outcome::Unknown(_) => "unknown",
        };
        let failure = outcome.failure().map(|failure| format!(" {}: {}", failure.kind, failure.message));
        format!("{word}{}", failure.unwrap_or_default())
    }
}

fn module() -> runbook_plan::Module {
    runbook_plan::Module {
        name: "test".into(),
        file: "test.yaml".into(),
        folder: String::new(),
        caller: None,
        ids: BTreeMap::new(),
        inputs: Vec::new(),
        secrets: BTreeMap::new(),
    }
}

#[tokio::test]
async fn a_check_is_never_passed_by_a_server_on_a_bad_day() {
    let (world, server) = (World::new(), Hostile::start().await);
    let nobody = nobody().await.to_string();
    let mut told = Vec::new();
    for path in ["/hang", "/drip", "/reset", "/half", "/endless", "/loop", "/garbage", "/broken", "/fine"] {
        let ended = world.told_of_path(&server, path, "http.check", json!({"redirects": 3})).await;
        told.push(format!("{path} {ended}"));
    }
    let params = json!({"url": format!("http://{nobody}/")});
    told.push(world.told_of(&nobody, "http.check", params).await);
    insta::assert_snapshot!(told.join("\n"), @r#"
    /hang failed timeout: GET http://SERVER/hang: no answer in time
    /drip failed timeout: GET http://SERVER/drip: no whole answer in time
    /reset failed lost: GET http://SERVER/reset: connection reset by peer
    /half failed lost: GET http://SERVER/half: end of file before message length reached
    /endless failed error: GET http://SERVER/endless: status 200, but the body is longer than 1048576 bytes
    /loop failed http:302: GET http://SERVER/loop: status = 302, wanted 2xx
    /garbage failed lost: GET http://SERVER/garbage: invalid HTTP version parsed
    /broken failed http:503: GET http://SERVER/broken: status = 503, wanted 2xx, saying `{"error": "no database"}`
    /fine done
    failed connect: GET http://SERVER/: connection refused
    "#);
}

#[tokio::test]
async fn a_write_is_in_doubt_exactly_if_it_may_have_arrived() {
    let (world, server) = (World::new(), Hostile::start().await);
    let nobody = nobody().await.to_string();
    let mut told = Vec::new();
    for path in ["/hang", "/drip", "/reset", "/half", "/endless", "/garbage", "/broken", "/fine"] {
        let params = json!({"method": "POST", "json": {"n": 1}});
        let ended = world.told_of_path(&server, path, "http.request", params).await;
        told.push(format!("{path} {ended}"));
    }
    let params = json!({"url": format!("http://{nobody}/"), "method": "POST"});
    told.push(world.told_of(&nobody, "http.request", params).await);
    insta::assert_snapshot!(told.join("\n"), @r#"
    /hang unknown timeout: POST http://SERVER/hang: no answer in time
    /drip unknown timeout: POST http://SERVER/drip: no whole answer in time
    /reset unknown lost: POST http://SERVER/reset: connection reset by peer
    /half unknown lost: POST http://SERVER/half: end of file before message length reached
    /endless failed error: POST http://SERVER/endless: status 200, but the body is longer than 1048576 bytes
    /garbage unknown lost: POST http://SERVER/garbage: invalid HTTP version parsed
    /broken failed http:503: POST http://SERVER/broken: status = 503, wanted 2xx, saying `{"error": "no database"}`
    /fine done
    not_done connect: POST http://SERVER/: connection refused
    "#);
}

#[tokio::test]
async fn after_a_redirect_nothing_is_provably_not_done() {
    let (world, server) = (World::new(), Hostile::start().await);
    let (nobody, here) = (nobody().await.to_string(), server.address.to_string());
    let mut told = Vec::new();
    for path in [
        format!("/303/{nobody}/"),
        format!("/303/{here}/missing"),
        format!("/303/{here}/hang"),
        format!("/307/{here}/fine"),
        format!("/303/{here}/fine"),
    ] {
        let params = json!({"method": "POST", "json": {"n": 1}, "redirects": 3});
        let ended = world.told_of_path(&server, &path, "http.request", params).await;
        told.push(ended.replace(&here, "SERVER").replace(&nobody, "NOBODY"));
    }
    insta::assert_snapshot!(told.join("\n"), @"
    unknown lost: POST http://SERVER/303/NOBODY/: after a redirect: connection refused
    failed http:404: POST http://SERVER/303/SERVER/missing: status = 404, wanted 2xx
    unknown timeout: POST http://SERVER/303/SERVER/hang: no answer in time
    done
    done
    ");
    let heads = server.heads.lock().unwrap().clone();
    let last: Vec<_> = heads[heads.len() - 3..].iter().map(|head| head.split(' ').next().unwrap()).collect();
    // 307 keeps the method, 303 asks for what came of it, without body and key.
    assert_eq!(last, ["POST", "POST", "GET"]);
    assert!(
        heads[heads.len() - 3].contains("idempotency-key")
            && !heads[heads.len() - 1].contains("idempotency-key")
    );
}

#[tokio::test]
async fn neither_a_secret_nor_a_write_is_sent_on_to_another_server() {
    let (world, server, other) = (World::new(), Hostile::start().await, Hostile::start().await);
    let away = server.url(&format!("/307/{}/fine", other.address));
    let get = world.call("http.check", json!({"url": away, "redirects": 3, "headers": {"x-token": "x"}}));
    let mut secret = get.clone();
    let token: Value = Secret::named("canary").into();
    secret.params.insert("headers".into(), Map::from([("x-token".into(), token)]).into());
    let check = world.registry.get("http.check").unwrap();
    let outcome = check.run(&secret, &world.context).await;
    let failure = outcome.failure().unwrap();
    assert!(
        failure.hint.as_ref().unwrap().contains("neither secrets nor changes are sent on"),
        "{failure:?}"
    );
    let post = json!({"url": away, "redirects": 3, "method": "POST", "json": {"n": 1}});
    assert!(matches!(world.run("http.request", post).await, Outcome::Failed(_)));
    assert!(other.heads.lock().unwrap().is_empty());
    assert!(matches!(check.run(&get, &world.context).await, Outcome::Done(_)));
    assert_eq!(other.heads.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn a_cookie_goes_along_on_the_same_server_and_is_not_recorded() {
    let (world, server, other) = (World::new(), Hostile::start().await, Hostile::start().await);
    let cookie = |heads: &Mutex<Vec<String>>| {
        let last = heads.lock().unwrap().last().cloned().unwrap_or_default();
        last.lines().find_map(|line| line.strip_prefix("cookie: ").map(str::to_owned))
    };
    let here = server.url(&format!("/303/{}/fine", server.address));
    world.run("http.request", json!({"url": here, "method": "POST", "redirects": 1})).await;
    assert_eq!(cookie(&server.heads), Some("session=e197".to_owned()));
    let away = server.url(&format!("/303/{}/fine", other.address));
    world.run("http.request", json!({"url": away, "method": "POST", "redirects": 1})).await;
    assert_eq!(cookie(&other.heads), None);
    assert_eq!(other.heads.lock().unwrap().len(), 1);
    // `expect` sees it as it came.
    let wanted =
        json!({"status": 303, "headers": {"set-cookie": {"matches": "^session=e197; Path=/; HttpOnly$"}}});
    let outcome = world.run("http.request", json!({"url": here, "method": "POST", "expect": wanted})).await;
    assert_eq!(outcome.failure(), None);
    assert!(!format!("{outcome:?}").contains("e197"), "{outcome:?}");
    let outcome = world
        .run("http.check", json!({"url": here, "expect": {"status": 200, "headers": {"set-cookie": false}}}))
        .await;
    assert!(outcome.failure().unwrap().message.contains("session=***; Path=/; HttpOnly"), "{outcome:?}");
    assert!(!format!("{outcome:?}").contains("e197"), "{outcome:?}");
}

#[tokio::test]
async fn what_is_quoted_is_hidden_before_it_is_cut() {
    let world = World::new();
    world.context.shared.mask.hide("s3cr3t-canary");
    let script = format!("echo n={}s3cr3t-canary >> \"$RUNBOOK_OUTPUT\"", "x".repeat(54));
    let mut call = world.call("run", json!({"script": script}));
    call.declared = BTreeMap::from([("n".into(), runbook_step::Type::integer())]);
    let outcome = world.registry.get("run").unwrap().run(&call, &world.context).await;
    let message = &outcome.failure().unwrap().message;
    assert!(message.contains("xxx***") && !message.contains("s3c"), "{message}");
}

#[tokio::test]
async fn a_pipe_in_place_of_the_outputs_holds_nobody_up() {
    let world = World::new();
    let mut call = world.call("run", json!({"script": "mkfifo \"$RUNBOOK_OUTPUT\""}));
    call.declared = BTreeMap::from([("n".into(), runbook_step::Type::integer())]);
    let outcome = world.registry.get("run").unwrap().run(&call, &world.context).await;
    let message = &outcome.failure().unwrap().message;
    assert_eq!(message, "it ended well, but its outputs cannot be read: $RUNBOOK_OUTPUT: not a regular file");
}

#[tokio::test]
async fn the_key_goes_with_what_changes_something() {
    let (world, server) = (World::new(), Hostile::start().await);
    for method in ["GET", "POST", "PUT", "DELETE"] {
        world.run("http.request", json!({"url": server.url("/fine"), "method": method})).await;
    }
    let keyed = |head: &String| head.contains("idempotency-key: the-key\r\n");
    let keyed: Vec<_> = server.heads.lock().unwrap().iter().map(keyed).collect();
    assert_eq!(keyed, [false, true, true, true]);
}

#[tokio::test]
async fn a_secret_reaches_the_server_and_nobody_else() {
    let (world, server) = (World::new(), Hostile::start().await);
    let mut call =
        world.call("http.check", json!({"url": server.url("/broken"), "headers": {"x-token": "x"}}));
    let token: Value = Secret::named("canary").into();
    call.params.insert("headers".into(), Map::from([("x-token".into(), token)]).into());
    let outcome = world.registry.get("http.check").unwrap().run(&call, &world.context).await;
    assert!(server.heads.lock().unwrap()[0].contains("x-token: s3cr3t-canary\r\n"));
    assert!(!format!("{outcome:?}").contains("s3cr3t"));
    // In a URL too, where nobody listens.
    let parts = vec![
        runbook_step::SecretPart::Text(format!("http://{}/", nobody().await)),
        runbook_step::SecretPart::Name("canary".into()),
    ];
    call.params.insert("url".into(), Secret { parts }.into());
    let outcome = world.registry.get("http.check").unwrap().run(&call, &world.context).await;
    assert!(!format!("{outcome:?}").contains("s3cr3t"), "{outcome:?}");
}

#[tokio::test]
async fn a_cancelled_write_says_that_it_may_have_arrived() {
    let (world, server) = (World::new(), Hostile::start().await);
    let cancel = world.context.cancel.clone();
    let params = json!({"url": server.url("/hang"), "method": "POST"});
    let address = server.address.to_string();
    let told = tokio::join!(world.told_of(&address, "http.request", params), async {
        server.asked.notified().await;
        cancel.cancel(Cancelled::Run);
    });
    insta::assert_snapshot!(told.0, @"unknown cancelled: POST http://SERVER/hang: cancelled before an answer came");
    // Nothing leaves after a cancel.
    let params = json!({"url": server.url("/fine"), "method": "POST"});
    insta::assert_snapshot!(world.told_of(&address, "http.request", params).await, @"not_done cancelled: POST http://SERVER/fine: cancelled before an answer came");
    assert_eq!(server.heads.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn a_load_measures_what_was_answered() {
    let (world, server) = (World::new(), Hostile::start().await);
    let outcome =
        world.run("load.run", json!({"url": server.url("/fine"), "requests": 60, "concurrency": 6})).await;
    let Outcome::Done(success) = outcome else { panic!("{outcome:?}") };
    assert_eq!((&success.outputs["requests"], &success.outputs["failures"]), (&60.into(), &0.into()));
    assert!(success.outputs["p95"].as_float() >= success.outputs["p50"].as_float());
    assert_eq!(server.heads.lock().unwrap().len(), 60);
    let params = json!({"url": server.url("/broken"), "requests": 5, "expect": {"p95": "< 1s"}});
    let told = world.told_of(&server.address.to_string(), "load.run", params).await;
    insta::assert_snapshot!(told, @r#"failed http:503: failures = 5, wanted == 0; p95 cannot be told, since no request succeeded; wanted < 1s (first: GET http://SERVER/broken: status = 503, wanted 2xx, saying `{"error": "no database"}`)"#);
}

#[tokio::test]
async fn a_port_is_open_or_it_is_not() {
    let (world, server) = (World::new(), Hostile::start().await);
    let port = |address: std::net::SocketAddr| json!({"host": "127.0.0.1", "port": address.port()});
    assert!(matches!(world.run("tcp.check", port(server.address)).await, Outcome::Done(_)));
    let nobody = nobody().await;
    insta::assert_snapshot!(world.told_of(&nobody.to_string(), "tcp.check", port(nobody)).await, @"failed connect: SERVER: Connection refused");
}

#[tokio::test]
async fn a_script_ends_as_it_says() {
    let world = World::new();
    let mut told = Vec::new();
    for script in [
        "true",
        "echo first >&2; echo 'no space left' >&2; exit 3",
        "false; echo not reached",
        "echo $undefined",
        "kill -9 $$",
        "kill -TERM $$",
    ] {
        told.push(format!("{script} => {}", world.told("run", json!({"script": script})).await));
    }
    told.push(world.told("run", json!({"script": "x", "shell": "no-such-shell"})).await);
    told.push(world.told("argv", json!({"argv": ["no-such-program"]})).await);
    insta::assert_snapshot!(told.join("\n"), @"
    true => done
    echo first >&2; echo 'no space left' >&2; exit 3 => failed exit:3: exit code 3: no space left
    false; echo not reached => failed exit:1: exit code 1
    echo $undefined => failed exit:1: exit code 1: bash: line 1: undefined: unbound variable
    kill -9 $$ => unknown signal:9: ended by signal 9 (KILL)
    kill -TERM $$ => unknown signal:15: ended by signal 15 (TERM)
    not_done error: no-such-shell: no such program
    not_done error: no-such-program: no such program
    ");
}

#[tokio::test]
async fn a_script_returns_outputs_and_sees_its_environment() {
    let world = World::new();
    let script = "printf 'n=%s\\ntext<<END\\n%s\\nEND\\n' \"$N\" \"$TOKEN $RUNBOOK_IDEMPOTENCY_KEY\" >> \"$RUNBOOK_OUTPUT\"";
    let mut call = world.call("run", json!({"script": script, "env": {"N": 7}}));
    let Some(Value::Map(env)) = call.params.get_mut("env") else { unreachable!() };
    env.insert("TOKEN".into(), Secret::named("canary").into());
    call.declared = BTreeMap::from([
        ("n".into(), runbook_step::Type::integer()),
        ("text".into(), runbook_step::Type::string()),
    ]);
    let outcome = world.registry.get("run").unwrap().run(&call, &world.context).await;
    assert_eq!(outcome.outputs()["n"], 7.into());
    assert!(outcome.outputs()["text"].to_string().ends_with("the-key"), "{outcome:?}");
}

#[tokio::test]
async fn a_script_that_is_cancelled_is_in_doubt() {
    let world = World::new();
    let cancel = world.context.cancel.clone();
    // It opens the pipe once it runs, which whoever reads it waits for.
    let pipe = world.folder.path().join("started");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let script = json!({"script": "echo > started; sleep 600"});
    let (told, ()) = tokio::join!(world.told("run", script), async {
        tokio::fs::read(&pipe).await.unwrap();
        cancel.cancel(Cancelled::Timeout);
    });
    insta::assert_snapshot!(told, @"unknown timeout: stopped: its time was over");
}

#[tokio::test]
async fn a_file_is_written_and_put_back() {
    let world = World::new();
    let path = world.folder.path().join("motd");
    std::fs::write(&path, b"old \xff").unwrap();
    let step = world.registry.get("file.write").unwrap();
    let mut call = world.call("file.write", json!({"path": "motd", "content": "new", "mode": "0600"}));
    call.prepared = step.prepare(&call, &world.context).await.unwrap();
    assert!(matches!(step.verify(&call, &world.context).await, Verdict::NotDone(_)));
    assert!(matches!(step.run(&call, &world.context).await, Outcome::Done(_)));
    assert_eq!(std::fs::read(&path).unwrap(), b"new");
    assert!(matches!(step.verify(&call, &world.context).await, Verdict::Done(_)));
    assert!(matches!(step.undo(&call, &world.context).await, Outcome::Done(_)));
    assert_eq!(std::fs::read(&path).unwrap(), b"old \xff");

    let mut told = Vec::new();
    for path in ["no/such/folder/file", "../outside", ".", "log/below/a/file"] {
        let call = world.call("file.write", json!({"path": path, "content": ""}));
        told.push(format!("{path} {}", step.prepare(&call, &world.context).await.unwrap_err().message));
    }
    insta::assert_snapshot!(told.join("\n"), @"
    no/such/folder/file no/such/folder/file: its folder does not exist
    ../outside ../outside: it leads out of the project; write the whole path if that is meant
    . .: is a directory
    log/below/a/file log/below/a/file: its folder does not exist
    ");
}

#[tokio::test]
async fn a_script_whose_program_was_changed_does_not_start() {
    let mut world = World::new();
    let program = world.folder.path().join("five.sh");
    std::fs::write(&program, "echo five").unwrap();
    world.context.programs = vec!["five.sh".into()];
    let shared = Arc::get_mut(&mut world.context.shared).unwrap();
    let planned = BTreeMap::from([("five.sh".into(), b"echo five".to_vec())]);
    shared.pinned = Pinned::new(shared.root.clone(), Arc::new(planned), BTreeMap::new());
    let script = json!({"script": "bash five.sh"});
    assert_eq!(world.told("run", script.clone()).await, "done");
    std::fs::write(&program, "echo six").unwrap();
    assert_eq!(
        world.told("run", script.clone()).await,
        "not_done error: five.sh: not the program that was planned: its digest was 0e38e2e1f872, and is 12b1611a20a7 now"
    );
    std::fs::remove_file(&program).unwrap();
    assert_eq!(world.told("run", script).await, "not_done error: five.sh: No such file or directory");
}
