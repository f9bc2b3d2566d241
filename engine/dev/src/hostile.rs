//! Files that try to take the checker's time or memory, and a large honest one.

use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

/// What `runbook validate` may take.
const SECONDS: f64 = 1.0;
const MEGABYTES: u64 = 200;

/// A file that a person would not write, or would not like to wait for.
struct Case {
    name: &'static str,
    files: Vec<(&'static str, String)>,
    /// 0 valid, 10 invalid: never a crash, never killed.
    exit: i32,
}

/// Validates each file under a limit of address space, and makes a table row of each.
pub(crate) fn table(binary: &Path, folder: &Path, missed: &mut Vec<String>) -> Result<String, String> {
    let mut table = format!(
        "| `runbook validate` of | size | exit | seconds | aim | within {MEGABYTES} MB | met |\n|---|---|---|---|---|---|---|\n"
    );
    for case in cases() {
        let place = folder.join("hostile");
        std::fs::create_dir_all(&place).map_err(|error| error.to_string())?;
        for (name, text) in &case.files {
            std::fs::write(place.join(name), text).map_err(|error| error.to_string())?;
        }
        let size: usize = case.files.iter().map(|(_, text)| text.len()).sum();
        let mut seconds: Vec<f64> = Vec::new();
        let mut exits = Vec::new();
        for _ in 0..3 {
            // Address space bounds resident memory from above, and a process that wants more of it is refused.
            let limited = format!("ulimit -v {}; exec \"$0\" validate \"$1\"", MEGABYTES * 1024);
            let mut command = Command::new("bash");
            command.args(["-c", &limited]).arg(binary).arg(place.join(case.files[0].0));
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
            let start = Instant::now();
            let status = command.status().map_err(|error| format!("bash: {error}"))?;
            seconds.push(start.elapsed().as_secs_f64());
            exits.push(status.code());
        }
        std::fs::remove_dir_all(&place).map_err(|error| error.to_string())?;
        seconds.sort_by(f64::total_cmp);
        let median = seconds[seconds.len() / 2];
        let within = exits.iter().all(|exit| *exit == Some(case.exit));
        let exit = exits.iter().find(|exit| **exit != Some(case.exit)).copied().unwrap_or(Some(case.exit));
        let met = within && median < SECONDS;
        if !met {
            missed.push(case.name.to_owned());
        }
        let exit = exit.map_or("killed".to_owned(), |code| code.to_string());
        let yes = |holds: bool| if holds { "yes" } else { "no" };
        writeln!(
            table,
            "| {} | {} KiB | {exit} | {median:.3} | < {SECONDS} | {} | {} |",
            case.name,
            size / 1024,
            yes(within),
            yes(met)
        )
        .map_err(|error| error.to_string())?;
    }
    Ok(table)
}

const HEAD: &str =
    "apiVersion: runbook/v1\nkind: Runbook\nname: hostile\nsummary: A file that is hard to read.\n";

fn cases() -> Vec<Case> {
    let one = |name, text: String, exit| Case { name, files: vec![("a.yaml", text)], exit };
    let steps: String = (0..10_000)
        .map(|n| format!("  - id: step_{n}\n    uses: assert\n    with: {{that: \"{n} == {n}\"}}\n"))
        .collect();
    let wrong: String = (0..10_000).map(|n| format!("  - id: step_{n}\n    use: assert\n")).collect();
    let nonsense: String = (0..1 << 20)
        .map(|n: u32| char::from(b' ' + (n.wrapping_mul(2_654_435_761) >> 25) as u8 % 95))
        .collect();
    let brackets = "[".repeat(1 << 20);
    let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for level in 1..30 {
        let before = vec![format!("*a{}", level - 1); 10].join(", ");
        let _ = writeln!(bomb, "a{level}: &a{level} [{before}]");
    }
    let mut deep = String::from("steps:\n");
    for level in 0..10_000 {
        let _ = writeln!(deep, "{}- steps:", " ".repeat(level));
    }
    let cycle = "steps:\n  - {id: a, needs: [b], run: 'true', effect: read}\n  - {id: b, needs: [a], run: 'true', effect: read}\n";
    let itself = "steps:\n  - {id: again, call: a.yaml}\n";
    let long = format!(
        "steps:\n  - id: a\n    uses: set\n    with: {{x: \"${{{{ {}1 }}}}\"}}\n",
        "1 + ".repeat(200_000)
    );
    let parentheses = format!(
        "steps:\n  - id: a\n    uses: set\n    with: {{x: \"${{{{ {}1{} }}}}\"}}\n",
        "(".repeat(200_000),
        ")".repeat(200_000)
    );
    let pattern = "inputs:\n  n: {type: string, pattern: '(((((a{9}){99}){99}){99}){99}){99}'}\nsteps:\n  - {id: a, run: 'true', effect: read}\n";
    let mut needs = String::new();
    for n in 0..1000 {
        let all: Vec<String> = (0..n).map(|other| format!("s{other}")).collect();
        let _ = writeln!(needs, "  - {{id: s{n}, run: 'true', effect: read, needs: [{}]}}", all.join(","));
    }
    let merged: String = (0..10_000).map(|n| format!("  - {{<<: *base, id: step_{n}}}\n")).collect();
    let merge = format!(
        "steps:\n  - &base\n    id: base\n    run: 'true'\n    effect: read\n    env: {{A: a, B: b}}\n{merged}"
    );
    let endless = "inputs:\n  n: {type: integer, default: \"${{ range(1000000000) | length }}\"}\nsteps:\n  - {id: a, wait: {for: \"${{ range(100000000) | join('') | length }}s\"}}\n";
    let mut all = vec![
        one("10,000 steps", format!("{HEAD}steps:\n{steps}"), 0),
        one("10,000 steps, each wrong", format!("{HEAD}steps:\n{wrong}"), 10),
        one("1 MiB of nonsense", nonsense, 10),
        one("1 MiB of open brackets", brackets, 10),
        one("an alias bomb", format!("{HEAD}{bomb}"), 10),
        one("10,000 levels of steps", format!("{HEAD}{deep}"), 10),
        one("1,000 steps that each name all before them", format!("{HEAD}steps:\n{needs}"), 0),
        one("10,000 merge keys", format!("{HEAD}{merge}"), 0),
        one("a pattern that repeats repetitions", format!("{HEAD}{pattern}"), 10),
        one("200,000 parentheses", format!("{HEAD}{parentheses}"), 10),
        one("a cycle", format!("{HEAD}{cycle}"), 10),
        one("a call of itself", format!("{HEAD}{itself}"), 10),
        one("an expression of 800 KB", format!("{HEAD}{long}"), 10),
        one("an endless expression", format!("{HEAD}{endless}"), 10),
    ];
    all.extend(many_of_a_kind());
    all
}

/// What is cheap once and was dear ten thousand times.
fn many_of_a_kind() -> Vec<Case> {
    let file = |head: &str, count: usize, line: &dyn Fn(usize) -> String| {
        let lines: String = (0..count).map(line).collect();
        format!("{HEAD}{head}{lines}")
    };
    let one = |name, text: String, exit| Case { name, files: vec![("a.yaml", text)], exit };
    let needs = file("steps:\n", 10_000, &|n| {
        format!("  - {{id: step_number_{n:05}, needs: [step_nomber_{n:05}_x], run: 'true', effect: read}}\n")
    });
    let reads = file("steps:\n", 10_000, &|n| {
        format!(
            "  - {{id: step_number_{n:05}, uses: set, with: {{x: '${{{{ steps.stop_{n:05}.outputs.x }}}}'}}}}\n"
        )
    });
    let nothing = "steps: [{run: 'true', effect: read}]\ninputs:\n";
    let pattern = file(nothing, 20_000, &|n| format!("  i{n}: {{type: string, pattern: '\\w{{60}}'}}\n"));
    let patterns = file(nothing, 20_000, &|n| format!("  i{n}: {{type: string, pattern: '\\w{{60}}{n}'}}\n"));
    let prompt = "steps:\n  - {id: p, prompt: {message: x, type: string, pattern: '\\w{60}'}}\n";
    let read = |_| "  - {uses: set, with: {x: '${{ steps.p.outputs.answer }}'}}\n".to_owned();
    let prompt = file(prompt, 10_000, &read);
    let work = |_| "  - {uses: set, with: {x: '${{ range(90000)|list|reverse|sort|length }}'}}\n".to_owned();
    let work = file("steps:\n", 10_000, &work);
    let text = "steps:\n  - uses: set\n    with:\n";
    let text = file(text, 10_000, &|n| {
        format!("      x{n}: '${{{{ range(90000)|map(\"string\")|join(\"\")|upper|length }}}}'\n")
    });
    let open = format!("{HEAD}steps: []\nowner: @{}\n", "${{ \\\"".repeat(170_000));
    let outputs: Vec<String> = (0..20_000).map(|n| format!("o{n}: 1")).collect();
    let outputs = format!("steps:\n  - {{id: a, uses: set, with: {{{}}}}}\n", outputs.join(", "));
    let outputs = file(&outputs, 8_000, &|n| {
        format!("  - {{uses: set, with: {{x: '${{{{ steps.a.outputs.o{n} }}}}'}}}}\n")
    });
    let called = file("inputs: {v: string}\nsteps:\n", 5_000, &|n| {
        format!("  - {{id: s{n}, uses: set, with: {{x: 'some text of some length ${{{{ inputs.v }}}}'}}}}\n")
    });
    let calls = |name, times: usize, exit| Case {
        name,
        files: vec![
            ("a.yaml", file("steps:\n", times, &|_| "  - {call: b.yaml, inputs: {v: a}}\n".to_owned())),
            ("b.yaml", called.clone()),
        ],
        exit,
    };
    vec![
        one("10,000 misspelt needs", needs, 10),
        one("10,000 reads of steps that are not there", reads, 10),
        one("one large pattern, 20,000 times", pattern, 0),
        one("20,000 large patterns", patterns, 10),
        one("an answer with a large pattern, read 10,000 times", prompt, 0),
        one("10,000 expressions that sort", work, 10),
        one("10,000 expressions of long texts", text, 10),
        one("170,000 open expressions in a broken line", open, 10),
        one("20,000 outputs, 8,000 reads", outputs, 0),
        calls("5,000 steps, called 7 times", 7, 0),
        calls("5,000 steps, called 30 times", 30, 10),
    ]
}
