//! Texts that want to hurt: bounded work, no panic, no overflow of the stack.

use proptest::prelude::*;
use runbook_syntax::{Sources, parse};

/// The codes of what is said, on a thread with a small stack.
fn codes(text: String) -> Vec<&'static str> {
    let parse = move || {
        let mut sources = Sources::default();
        let file = sources.add("a.yaml", text);
        let (_, faults) = parse(&sources, file);
        let codes: Vec<&str> = faults.iter().map(|fault| fault.code.0).collect();
        assert!(faults.iter().all(|fault| sources.position(fault.primary.span).line > 0));
        codes
    };
    let thread =
        std::thread::Builder::new().stack_size(2 << 20).spawn(parse).expect("a thread can be started");
    thread.join().expect("parsing does not panic")
}

fn only(text: impl Into<String>) -> &'static str {
    let codes = codes(text.into());
    assert_eq!(codes.len(), 1, "{codes:?}");
    codes[0]
}

#[test]
fn nesting_of_ten_thousand_levels() {
    assert_eq!(only("[".repeat(10_000)), "E108");
    assert_eq!(only("{a: ".repeat(10_000)), "E108");
    assert_eq!(only("- ".repeat(10_000)), "E108");
    let block: String = (0..2_000).map(|depth| " ".repeat(depth) + "a:\n").collect();
    assert_eq!(only(block), "E108");
}

#[test]
fn as_deep_as_is_allowed() {
    let group = |inner: &str| format!("{{steps: [{inner}]}}");
    let steps = (0..30).fold("{run: 'true'}".to_owned(), |inner, _| group(&inner));
    assert_eq!(codes(format!("{{apiVersion: runbook/v1, name: deep, steps: [{steps}]}}")), [""; 0]);
}

#[test]
fn a_bomb_of_aliases() {
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..9 {
        let aliases = vec![format!("*a{}", level - 1); 9].join(", ");
        bomb += &format!("a{level}: &a{level} [{aliases}]\n");
    }
    assert_eq!(only(bomb), "E107");
    let mut merged = "a0: &a0 {x: 1}\n".to_owned();
    for level in 1..9 {
        let aliases = vec![format!("*a{}", level - 1); 50].join(", ");
        merged += &format!("a{level}: &a{level} {{<<: [{aliases}]}}\n");
    }
    assert_eq!(only(merged), "E107");
    assert_eq!(only("a: &a [*a]\n"), "E107");
    assert_eq!(only("a: &a {<<: *a}\n"), "E107");
}

#[test]
fn nonsense() {
    assert_eq!(codes("a: b\n".repeat(20_000)).last(), Some(&"E199"));
    assert_eq!(
        codes("apiVersion: runbook/v1\nname: x\nsteps:\n".to_owned() + &"- {}\n".repeat(20_000)).last(),
        Some(&"E199")
    );
    let keys: String = (0..20_000).map(|at| format!("k{at}: v\n")).collect();
    assert_eq!(codes(keys).last(), Some(&"E199"));
    assert_eq!(only("x".repeat(1 << 20)), "E204");
    assert_eq!(only("# nothing\n".repeat(100_000)), "E210");
    assert_eq!(only("[".to_owned() + &"a,".repeat(40_000) + "]"), "E204");
    assert_eq!(only("\0".repeat(1 << 20)), "E112");
    assert_eq!(only(" ".repeat(9 << 20)), "E109");
}

#[test]
fn nonsense_in_expressions() {
    let outputs = |value: &str| {
        format!("apiVersion: runbook/v1\nname: x\nsteps: [{{run: 'true'}}]\noutputs:\n  a: {value}\n")
    };
    assert_eq!(only(outputs(&format!("\"{}\"", "${{ ".repeat(200_000)))), "E301");
    assert_eq!(only(outputs(&format!("${{{{ {}a }}}}", "a+".repeat(500_000)))), "E305");
    assert_eq!(only(outputs(&format!("${{{{ {}a }}}}", "(".repeat(2_000)))), "E302");
    assert_eq!(codes(outputs(&format!("${{{{ {}a }}}}", "a+".repeat(2_000)))), [""; 0]);
    assert_eq!(codes(outputs(&format!("${{{{ a{} }}}}", "[0]".repeat(1_300)))), [""; 0]);
    assert_eq!(codes(outputs(&format!("${{{{ {}a }}}}", "not ".repeat(1_000)))), [""; 0]);
    let empty: String = "${{ }}".repeat(100_000);
    assert_eq!(codes(outputs(&format!("\"{empty}\""))).last(), Some(&"E199"));
}

#[test]
fn ten_thousand_steps() {
    let mut text = "apiVersion: runbook/v1\nname: long\nsteps:\n".to_owned();
    for at in 0..10_000 {
        text += &format!(
            "- id: step_{at}\n  uses: http.check\n  with: {{url: \"http://host-{at}/${{{{ inputs.version }}}}\", expect: {{status: 200}}}}\n  retry: {{max_attempts: 3, delay: 10s}}\n"
        );
    }
    assert_eq!(codes(text), [""; 0]);
    let shared = "- {run: 'true', retry: *often}\n".repeat(10_000);
    assert_eq!(
        codes(format!(
            "apiVersion: runbook/v1\nname: long\nsteps:\n- {{run: 'true', retry: &often {{max_attempts: 3, delay: 10s}}}}\n{shared}"
        )),
        [""; 0]
    );
}

proptest! {
    #[test]
    fn any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        codes(String::from_utf8_lossy(&bytes).into_owned());
    }

    #[test]
    fn anything_that_looks_like_yaml(text in "([a-z]{1,3}|: |- |\\n|  |\\{|\\}|\\[|\\]|,|&a |\\*a|\"|'|\\|\\n|>\\n|\\$\\{\\{|\\}\\}|#|!|<<: |é|\\t|\\?){0,60}") {
        codes(text);
    }

    /// A good file with something cut out, doubled or put in.
    #[test]
    fn mutations_of_a_good_file(cuts in prop::collection::vec((any::<prop::sample::Index>(), 0..40_usize, "([a-z:\\-{}\\[\\],\"'$ \\n]|\\$\\{\\{|\\}\\}){0,6}"), 1..5)) {
        let mut text = include_str!("blue_green.yaml").to_owned();
        for (at, length, insert) in cuts {
            let start = text.floor_char_boundary(at.index(text.len().max(1)).min(text.len()));
            let end = text.floor_char_boundary((start + length).min(text.len()));
            text.replace_range(start..end.max(start), &insert);
        }
        codes(text);
    }

    #[test]
    fn any_expression(source in "([a-z]{1,3}|[0-9]|\\.|\\[|\\]|\\(|\\)|\\{|\\}|'|\"|\\||==|<|\\+|-| |,|:|not |and |is |if |else |in |\\*|~|é|\\\\){0,40}") {
        let quoted = source.replace('\'', "''");
        codes(format!("apiVersion: runbook/v1\nname: x\nsteps: [{{run: 'true', when: '{quoted}'}}]\noutputs: {{a: '${{{{ {quoted} }}}}'}}\n"));
    }
}
