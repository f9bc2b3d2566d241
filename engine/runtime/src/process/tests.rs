use std::collections::BTreeSet;
use std::path::Path;

use super::*;
use crate::mask::Mask;
use crate::process::environment::program;
use crate::stream::OutputStream;

/// Keeps what a process did.
struct Seen {
    stdout: OutputStream,
    stderr: OutputStream,
    group: Option<Pid>,
    notes: Vec<String>,
    /// Cancel as soon as this text was printed.
    cancel_at: Option<(&'static str, Cancel)>,
    bytes: usize,
    most: usize,
}

impl Seen {
    fn new() -> Seen {
        Seen {
            stdout: OutputStream::new(LogStream::Stdout, Mask::default(), Some(1 << 20)),
            stderr: OutputStream::new(LogStream::Stderr, Mask::default(), None),
            group: None,
            notes: Vec::new(),
            cancel_at: None,
            bytes: 0,
            most: 0,
        }
    }

    fn text(&self) -> String {
        self.stdout.whole().unwrap()
    }
}

impl Watch for Seen {
    fn spawned(&mut self, group: Pid) {
        self.group = Some(group);
    }

    fn output(&mut self, stream: LogStream, chunk: Option<&[u8]>) {
        let mut log = Vec::new();
        let out = if stream == LogStream::Stderr { &mut self.stderr } else { &mut self.stdout };
        match chunk {
            Some(chunk) => {
                self.bytes += chunk.len();
                out.push(chunk, 0, &mut log, &mut |_| ());
            }
            None => out.finish(0, &mut log, &mut |_| ()),
        }
        self.most = self.most.max(log.len());
        if let Some((text, cancel)) = &self.cancel_at
            && self.stdout.tail().contains(text)
        {
            cancel.cancel(Cancelled::Timeout);
        }
    }

    fn note(&mut self, line: &str) {
        self.notes.push(line.to_owned());
    }
}

/// Nothing that a test waits for takes so long, on however slow a machine. Where it is the time that runs out, a test says
/// which.
const PATIENCE: Patience = Patience { grace: LONG, killed: LONG, linger: LONG, drain: LONG };
const LONG: Duration = Duration::from_secs(600);
/// Long enough to be noticed; how long does not matter to a test that waits for it to be over.
const SHORT: Duration = Duration::from_millis(50);

fn launch(script: &str) -> Launch {
    let environment = Environment::from([("PATH".into(), "/usr/bin:/bin".into())]);
    Launch {
        name: "bash".into(),
        program: program("bash", &environment, Path::new("/")).unwrap(),
        args: ["-c", script].map(OsString::from).into(),
        environment,
        cwd: "/".into(),
        stdin: None,
    }
}

async fn run_script(script: &str) -> (Exit, Seen) {
    run_patiently(script, PATIENCE).await
}

async fn run_patiently(script: &str, patience: Patience) -> (Exit, Seen) {
    let mut seen = Seen::new();
    let exit = run(launch(script), &Cancel::new(), patience, &mut seen).await.unwrap();
    (exit, seen)
}

/// Runs a script and cancels it once it has printed `ready`.
async fn cancel_script(script: &str, patience: Patience) -> (Exit, Seen) {
    let cancel = Cancel::new();
    let mut seen = Seen::new();
    seen.cancel_at = Some(("ready", cancel.clone()));
    let exit = run(launch(script), &cancel, patience, &mut seen).await.unwrap();
    (exit, seen)
}

fn nothing_left(seen: &Seen) {
    assert!(!platform::group_alive(seen.group.unwrap()), "a process of the group lives");
}

#[tokio::test]
async fn code_output_and_errors_come_back() {
    let (exit, seen) = run_script("echo out; echo err >&2; printf 'no newline'; exit 3").await;
    assert_eq!((exit.code(), exit.signal(), exit.cancelled), (Some(3), None, None));
    assert_eq!(seen.text(), "out\nno newline");
    assert_eq!(seen.stderr.tail(), "err\n");
    assert_eq!(seen.notes, [""; 0]);
}

#[tokio::test]
async fn a_signal_is_told_from_a_code() {
    let (exit, _) = run_script("kill -USR1 $$").await;
    assert_eq!((exit.code(), exit.signal()), (None, Some(10)));
}

#[tokio::test]
async fn it_leads_a_group_of_its_own_and_is_called_by_its_name() {
    // There is no group of its number unless it leads one.
    let (exit, seen) = run_script("kill -0 -- -$$; echo $0 $$").await;
    assert_eq!(seen.text(), format!("bash {}\n", seen.group.unwrap().as_raw_nonzero()));
    assert_eq!((seen.stderr.tail().as_str(), exit.code()), ("", Some(0)));
}

#[tokio::test]
async fn its_environment_is_what_was_given_and_nothing_else() {
    let (_, seen) = run_script("/usr/bin/env").await;
    let text = seen.text();
    let names: BTreeSet<&str> = text.lines().filter_map(|line| line.split('=').next()).collect();
    // bash adds these itself.
    assert_eq!(names, BTreeSet::from(["PATH", "PWD", "SHLVL", "_"]));
}

#[tokio::test]
async fn a_program_that_cannot_start_says_so_in_the_systems_words() {
    let mut wrong = launch("");
    wrong.program = "/no/such".into();
    let error = run(wrong, &Cancel::new(), PATIENCE, &mut Seen::new()).await.unwrap_err();
    assert_eq!(error.message, "bash: No such file or directory");
    let mut wrong = launch("");
    wrong.cwd = "/no/such".into();
    let error = run(wrong, &Cancel::new(), PATIENCE, &mut Seen::new()).await.unwrap_err();
    assert_eq!(error.message, "/no/such: no such folder to run `bash` in");
}

#[tokio::test]
async fn stdin_is_given_whole_or_is_empty() {
    let mut with = launch("cat");
    with.stdin = Some("line\n".repeat(50_000).into_bytes());
    let mut seen = Seen::new();
    run(with, &Cancel::new(), PATIENCE, &mut seen).await.unwrap();
    assert_eq!(seen.text(), "line\n".repeat(50_000));
    let (exit, seen) = run_script("cat; echo over").await;
    assert_eq!((exit.code(), seen.text().as_str()), (Some(0), "over\n"));
}

#[tokio::test]
async fn one_that_does_not_read_its_stdin_ends_all_the_same() {
    let mut deaf = launch("exec 0<&-; exit 4");
    deaf.stdin = Some(vec![b'x'; 1 << 20]);
    let exit = run(deaf, &Cancel::new(), PATIENCE, &mut Seen::new()).await.unwrap();
    assert_eq!(exit.code(), Some(4));
}

#[tokio::test]
async fn one_that_closes_its_stdout_is_waited_for() {
    let (exit, seen) = run_script("echo a; exec 1>&-; exec 2>&-; sleep 0.05; exit 5").await;
    assert_eq!((exit.code(), seen.text().as_str()), (Some(5), "a\n"));
}

#[tokio::test]
async fn a_flood_of_output_stays_flat_in_memory() {
    let (exit, seen) = run_script("head -c 268435456 /dev/zero | tr '\\0' x").await;
    assert_eq!(exit.code(), Some(0));
    assert_eq!(seen.bytes, 256 << 20);
    assert!(seen.most < 2 * CHUNK, "{} bytes of log at once", seen.most);
    assert!(seen.stdout.tail().len() <= 4096);
}

#[tokio::test]
async fn cancel_ends_the_whole_group() {
    let (exit, seen) = cancel_script("sleep 60 & sleep 60 | cat & echo ready; wait", PATIENCE).await;
    assert_eq!(exit.cancelled, Some(Cancelled::Timeout));
    assert_eq!(exit.signal(), Some(15));
    nothing_left(&seen);
}

#[tokio::test]
async fn one_that_ignores_term_is_killed_after_the_grace() {
    let script =
        "trap '' TERM; (while :; do sleep 60; done) > /dev/null & echo ready; while :; do sleep 60; done";
    let (exit, seen) = cancel_script(script, Patience { grace: SHORT, ..PATIENCE }).await;
    assert_eq!(exit.signal(), Some(9));
    assert!(seen.notes.iter().any(|note| note.contains("killed")), "{:?}", seen.notes);
    nothing_left(&seen);
}

#[tokio::test]
async fn one_that_cleans_up_on_term_is_given_the_time() {
    let script = "trap 'echo cleaned; exit 7' TERM; echo ready; while :; do sleep 0.01; done";
    let (exit, seen) = cancel_script(script, PATIENCE).await;
    assert_eq!((exit.code(), exit.cancelled), (Some(7), Some(Cancelled::Timeout)));
    assert_eq!(seen.text(), "ready\ncleaned\n");
}

#[tokio::test]
async fn a_grandchild_may_clean_up_although_its_parent_is_gone() {
    let script = "bash -c 'trap \"sleep 0.05; echo late; exit\" TERM; echo ready; while :; do sleep 0.01; done' & wait";
    let (exit, seen) = cancel_script(script, PATIENCE).await;
    assert_eq!(exit.signal(), Some(15));
    assert_eq!(seen.text(), "ready\nlate\n");
    nothing_left(&seen);
}

#[tokio::test]
async fn a_grandchild_that_holds_the_pipes_is_ended_with_the_group() {
    let (exit, seen) = run_patiently("sleep 60 & echo done", Patience { linger: SHORT, ..PATIENCE }).await;
    assert_eq!((exit.code(), seen.text().as_str()), (Some(0), "done\n"));
    assert!(seen.notes.iter().any(|note| note.contains("left processes behind")), "{:?}", seen.notes);
    nothing_left(&seen);
}

#[tokio::test]
async fn what_ends_by_itself_soon_after_its_parent_is_let_be() {
    let (exit, seen) = run_script("exec > >(sleep 0.02; cat); echo through a pipe").await;
    assert_eq!((exit.code(), seen.text().as_str()), (Some(0), "through a pipe\n"));
    assert_eq!(seen.notes, [""; 0]);
}

#[tokio::test]
async fn a_process_outside_the_group_is_not_waited_for() {
    let (exit, seen) =
        run_patiently("setsid sleep 60 & echo $!", Patience { drain: SHORT, ..PATIENCE }).await;
    assert_eq!(exit.code(), Some(0));
    assert!(seen.notes.iter().any(|note| note.contains("outside the step's group")), "{:?}", seen.notes);
    let left: i32 = seen.text().trim().parse().unwrap();
    rustix::process::kill_process(Pid::from_raw(left).unwrap(), Signal::KILL).unwrap();
}

#[tokio::test]
async fn letting_go_of_a_run_kills_the_group() {
    let (told, group) = tokio::sync::oneshot::channel();
    struct Tell(Option<tokio::sync::oneshot::Sender<Pid>>);
    impl Watch for Tell {
        fn spawned(&mut self, group: Pid) {
            self.0.take().unwrap().send(group).unwrap();
        }
        fn output(&mut self, _stream: LogStream, _chunk: Option<&[u8]>) {}
        fn note(&mut self, _line: &str) {}
    }
    let task = tokio::spawn(async move {
        run(launch("sleep 60 & wait"), &Cancel::new(), PATIENCE, &mut Tell(Some(told))).await
    });
    let group = group.await.unwrap();
    task.abort();
    assert!(task.await.unwrap_err().is_cancelled());
    while platform::group_alive(group) {
        tokio::task::yield_now().await;
    }
}

/// A terminal sends its Ctrl-C to the whole foreground group, and a child is in ours until it has left it.
#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn a_signal_to_our_group_does_not_end_what_is_just_being_started() {
    // Nobody else is to get it.
    rustix::process::setpgid(None, None).unwrap();
    let _heard = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::interrupt()).unwrap();
    let (about_to_start, starts) = std::sync::mpsc::channel();
    // One for each child, ever later: some of them come between its birth and its own group.
    let terminal = std::thread::spawn(move || {
        for turns in starts {
            (0..turns * 50).for_each(|_| std::hint::spin_loop());
            kill_process_group(crate::platform::own_group().unwrap(), Signal::INT).unwrap();
        }
    });
    for turn in 0..300 {
        about_to_start.send(turn).unwrap();
        let (exit, seen) = run_script("echo began").await;
        assert_eq!((exit.code(), exit.signal(), seen.text().as_str()), (Some(0), None, "began\n"));
    }
    drop(about_to_start);
    terminal.join().unwrap();
}
