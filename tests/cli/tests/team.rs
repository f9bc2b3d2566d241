//! One journal folder for a team: two users of one group, neither of whom owns it.

#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::path::PathBuf;
use std::process::Command;

use runbook_testbed::{Ran, binary, ran, runbook, skip};

/// The group of the team; like the users a number alone, which the system need not know.
const GROUP: &str = "54000";

/// A folder with a project and a journal, both the team's.
struct Team {
    folder: tempfile::TempDir,
}

/// A command as root, if we may.
fn as_root(words: &[&str]) -> Command {
    let root = rustix::process::geteuid().is_root();
    let prefix: &[&str] = if root { &[] } else { &["sudo", "-n"] };
    let mut words = prefix.iter().chain(words);
    let mut command = Command::new(words.next().unwrap());
    command.args(words);
    command
}

impl Team {
    fn new() -> Team {
        let folder = tempfile::tempdir().unwrap();
        let team = Team { folder };
        let place = team.folder.path().to_str().unwrap();
        for (mode, name) in [("0755", "."), ("2770", "project"), ("2770", "state")] {
            let made = as_root(&["install", "-d", "-m", mode, "-g", GROUP, &format!("{place}/{name}")]);
            ran(made).expect(0);
        }
        // Where it was built others may not be allowed to go.
        let copied = format!("{place}/runbook");
        ran(as_root(&["install", "-m", "0755", binary().to_str().unwrap(), &copied])).expect(0);
        team
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Runs `runbook` as this user, with a umask that gives others nothing.
    fn runbook(&self, user: &str, args: &[&str]) -> Ran {
        let program = self.path("runbook");
        let (state, home) = (self.path("state"), self.path("home"));
        let mut words = vec!["setpriv", "--reuid", user, "--regid", GROUP, "--clear-groups", "env", "-i"];
        let environment = [
            "PATH=/usr/local/bin:/usr/bin:/bin".to_owned(),
            format!("HOME={}", home.display()),
            format!("RUNBOOK_STATE={}", state.display()),
            format!("USER=user{user}"),
        ];
        words.extend(environment.iter().map(String::as_str));
        words.extend(["sh", "-c", "umask 077; exec \"$@\"", "sh", program.to_str().unwrap()]);
        words.extend(args);
        let mut command = as_root(&words);
        command.current_dir(self.folder.path());
        ran(command)
    }

    fn write(&self, user: &str, name: &str, text: &str) {
        let place = self.path("project").join(name);
        let script = "umask 007; printf %s \"$1\" > \"$2\"";
        let words = ["setpriv", "--reuid", user, "--regid", GROUP, "--clear-groups"];
        let rest = ["sh", "-c", script, "sh", text, place.to_str().unwrap()];
        ran(as_root(&[&words[..], &rest[..]].concat())).expect(0);
    }
}

/// A team, if we can act as two users.
fn team() -> Option<Team> {
    let allowed = as_root(&["setpriv", "--reuid", "54001", "--regid", GROUP, "--clear-groups", "true"]);
    if !ran(allowed).status.success() {
        skip("only root can act as two users");
        return None;
    }
    Some(Team::new())
}

/// Here `USER` says `user54001`, which anybody can write there.
#[test]
fn who_approves_is_who_the_system_says() {
    let Some(team) = team() else { return };
    let steps = "  - {id: ok, approval: {from: [user54002, uid 54002], timeout: 1h}}\n";
    team.write("54001", "a.yaml", &runbook(steps));
    team.runbook("54001", &["exec", "project/a.yaml"]).expect(24);
    let runs = team.runbook("54001", &["runs", "-o", "json"]).expect(0).json_lines();
    let run = runs[0]["run"].as_str().unwrap();
    let pretended = team.runbook("54001", &["approve", run]).expect(2);
    assert!(pretended.stderr.contains("uid 54001"), "{}", pretended.stderr);
    team.runbook("54002", &["approve", run]).expect(0);
    let shown = team.runbook("54001", &["show", "-o", "json"]).expect(0).json_lines();
    assert_eq!(shown[0]["requester"], "uid 54001", "{}", shown[0]);
    assert_eq!(shown[0]["answers"][0]["by"], "uid 54002", "{}", shown[0]);
}

#[test]
fn a_team_shares_one_folder() {
    let Some(team) = team() else { return };
    // The first executor is killed in the middle of a step that reads, which is then done again, with its output already
    // written. The change before it sees to it that the run is on disk by then.
    let steps = r#"
  - {id: first, run: 'true', rollback: none, reason: a test, on_in_doubt: retry}
  - id: a
    effect: read
    outputs: {n: integer}
    run: |
      echo n=1 >> "$RUNBOOK_OUTPUT"
      echo said
      test -e once || { : > once; kill -9 $PPID; }
  - {id: b, uses: assert, with: {that: '${{ steps.a.outputs.n == 1 }}'}}
"#;
    team.write("54001", "a.yaml", &runbook(&steps[1..]));
    let file = "project/a.yaml";
    team.runbook("54001", &["exec", file]).expect(137);

    let ran = team.runbook("54002", &["resume"]).expect(0);
    assert!(!ran.stderr.contains("denied"), "{}", ran.stderr);
    for user in ["54002", "54001"] {
        let ran = team.runbook(user, &["exec", file]).expect(0);
        assert!(!ran.stderr.contains("denied"), "{}", ran.stderr);
        // Each reads what the other's steps have said.
        let other = if user == "54001" { "54002" } else { "54001" };
        assert!(team.runbook(other, &["logs"]).expect(0).stdout.contains("said"));
    }
}
