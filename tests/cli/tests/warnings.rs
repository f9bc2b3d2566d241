//! Checks that hold less well than they should, and what `on_warning` makes of them.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;

use runbook_testbed::Bed;

/// A project whose one check goes through with a warning: the server says `x-backlog: 12`.
fn warned(policy: &str) -> Bed {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let head = BufReader::new(stream.try_clone().unwrap()).lines();
            head.take_while(|line| line.as_ref().is_ok_and(|line| !line.is_empty())).for_each(drop);
            let body = "{\"backlog\": 12}";
            let length = body.len();
            write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}")
                .unwrap();
        }
    });
    Bed::with_steps(&format!(
        "  - id: backlog\n    uses: http.check\n    with:\n      url: {url}\n      expect: {{json: {{backlog: \"< 100\"}}}}\n      warn: {{json: {{backlog: \"< 10\"}}}}\n    {policy}\n  - {{id: after, run: touch after, effect: read}}\n",
    ))
}

#[test]
fn a_warning_is_shown_and_the_run_goes_on() {
    let bed = warned("");
    let ran = bed.runbook(&["exec", "a.yaml"]).expect(0);
    assert!(bed.read("after").is_some());
    let shown =
        [ran.stderr, bed.runbook(&["show"]).expect(0).stdout, bed.runbook(&["report"]).expect(0).stdout];
    for shown in shown {
        assert!(shown.contains("json.backlog = 12, wanted"), "{shown}");
    }
}

#[test]
fn a_warning_fails_the_step_where_the_file_says_so() {
    let bed = warned("on_warning: fail");
    let ran = bed.runbook(&["exec", "a.yaml"]).expect(20);
    assert!(ran.stderr.contains("json.backlog = 12, wanted < 10"), "{}", ran.stderr);
    assert!(bed.read("after").is_none());
}

#[test]
fn somebody_decides_about_a_warning_where_the_file_says_so() {
    for (answer, code) in [("--keep", 0), ("--fail", 20)] {
        let bed = warned("on_warning: ask");
        let ran = bed.runbook(&["exec", "a.yaml"]).expect(24);
        assert!(ran.stderr.contains("json.backlog = 12, wanted < 10"), "{}", ran.stderr);
        assert!(bed.read("after").is_none());
        let hint = format!("runbook answer {} backlog {answer}", bed.newest_run());
        assert!(ran.stderr.contains(&hint), "{hint} is not in:\n{}", ran.stderr);
        bed.hinted(&hint).expect(code);
        assert_eq!(bed.read("after").is_some(), code == 0);
    }
}
