//! Effects, undo, the point of no return, secrets, repetition, choices, calls, environments: the rules.

use runbook_plan::Work;

use crate::project::{Project, shape};

#[test]
fn undo() {
    let body = "
steps:
  - {id: a, uses: drop}
  - {id: b, run: 'true'}
  - {id: c, run: 'true', effect: read}
  - {id: d, uses: drop, rollback: none}
  - {id: e, uses: drop, rollback: none, reason: it is only a cache}
  - {id: f, uses: drop, irreversible: gone, rollback: {uses: drop}}
  - {id: g, uses: look, rollback: {uses: drop}}
  - {id: h, uses: put, with: {to: x}, reason: because}
  - {id: i, uses: drop, effect: read}
  - {id: j, uses: look, irreversible: x}
  - id: k
    uses: drop
    rollback: [{uses: drop, rollback: {uses: drop}}, {uses: put, with: {to: x}}]
  - {id: l, uses: look, required: true, on_in_doubt: ask, on_warning: fail, verify: {uses: check}}
  - id: m
    rollback: {uses: drop}
    steps: [{uses: drop}]
  - {id: n, uses: look, assert_target: [{uses: check}]}
  - {id: o, uses: tell, with: {text: x}, required: true, on_in_doubt: ask}
  - {id: p, uses: check, on_warning: fail, on_inconclusive: ask}
  - {id: q, uses: drop, irreversible: x, verify: {uses: look, not_done: {uses: tell, with: {text: x}}}, env: {A: b}, cwd: x}
finally: [{uses: drop, irreversible: x}]
";
    insta::assert_snapshot!(Project::new(body).faults(), @r"
    main:5:10 warning E501 `a` changes something and does not say how it is undone ⟨a⟩
        Add `rollback:` with a step that brings it back, `rollback: none` with a `reason:`, or `irreversible:` with why.
    main:6:10 warning E501 `b` changes something and does not say how it is undone ⟨b⟩
        Add `rollback:` with a step that brings it back, `rollback: none` with a `reason:`, or `irreversible:` with why. If it only looks, say `effect: read`.
    main:8:35 E502 `rollback: none` needs a `reason` ⟨none⟩
        Say why it is right to leave it as it is: `reason: …`. The report shows it.
    main:10:39 E503 a step is undone, or it is irreversible ⟨gone⟩
        Keep one of the two.
    main:11:35 E504 `look` changes nothing, so there is nothing that `rollback` could mean ⟨{⟩
        Leave it out. If the step does change something, its `effect` is not `read`.
    main:12:47 E503 `reason` says why there is no undo: it goes with `rollback: none` ⟨because⟩
        Add `rollback: none`, or leave `reason` out.
    main:13:33 E505 `drop` has the effect `write`; that is not the step's to say ⟨read⟩
        Leave `effect` out.
    main:14:39 E504 `look` changes nothing, so there is nothing that `irreversible` could mean ⟨x⟩
        Leave it out. If the step does change something, its `effect` is not `read`.
    main:17:39 E509 what an undo does is never undone, so `rollback` means nothing here ⟨{⟩
        Leave `rollback` out.
    main:18:35 E506 `required` has no effect here: only what tells somebody may fail without failing the run ⟨true⟩
        Leave `required` out.
    main:18:54 E506 `on_in_doubt` has no effect here: what changes nothing is never in doubt ⟨ask⟩
        Leave `on_in_doubt` out.
    main:18:71 E506 `on_warning` has no effect here: only checks warn ⟨fail⟩
        Leave `on_warning` out.
    main:18:85 E506 `verify` has no effect here: it changes nothing, so there is nothing to verify ⟨{⟩
        Leave `verify` out.
    main:22:41 E506 `assert_target` has no effect here: it binds what writes, and this does not ⟨{⟩
        Leave `assert_target` out.
    main:25:57 E416 `verify` wants a check, and `look` is none: it does not say whether something holds ⟨look⟩
        Checks are `assert` or `check`; a script is one by its exit code.
    main:25:80 E416 `not_done` wants a check, and `tell` is none: it does not say whether something holds ⟨tell⟩
        Checks are `assert` or `check`; a script is one by its exit code.
    main:25:111 E506 `env` is for scripts and programs; `drop` does not read it ⟨A⟩
        Leave it out, or hand the value in through `with`.
    main:25:123 E506 `cwd` is for scripts and programs; `drop` does not read it ⟨x⟩
        Leave it out, or hand the value in through `with`.
    main:26:38 E509 what `finally` does is never undone, so `irreversible` means nothing here ⟨x⟩
        Leave `irreversible` out.
    ");
    let protected = "steps: [{uses: drop}, {uses: put, with: {to: x}}]";
    insta::assert_snapshot!(Project::new(protected).environment("protected: true").faults(), @r"
    main:3:9 E501 this step changes something and does not say how it is undone ⟨{⟩
        Add `rollback:` with a step that brings it back, `rollback: none` with a `reason:`, or `irreversible:` with why.
    ");
    insta::assert_snapshot!(Project::new(protected).strict().faults(), @r"
    main:3:9 E501 this step changes something and does not say how it is undone ⟨{⟩
        Add `rollback:` with a step that brings it back, `rollback: none` with a `reason:`, or `irreversible:` with why.
    ");
}

#[test]
fn point_of_no_return() {
    let body = "
steps:
  - {id: a, uses: drop, irreversible: x, pivot: true}
  - {id: b, uses: look, pivot: true}
  - id: c
    for_each: {items: [1, 2]}
    steps: [{uses: drop, irreversible: x, pivot: true}]
  - id: d
    retry: {max_attempts: 2}
    steps: [{uses: drop, irreversible: x, pivot: true}]
  - id: e
    parallel: true
    steps:
      - {id: e1, uses: drop, irreversible: x, pivot: true}
      - {id: e2, uses: drop, irreversible: x}
      - {id: e3, uses: look}
  - {id: f, pivot: true, steps: [{uses: drop, irreversible: x}]}
finally: [{uses: drop, pivot: true}]
";
    insta::assert_snapshot!(Project::new(body).faults(), @r"
    main:6:32 E507 the point of no return is a step that writes, and this one does not ⟨true⟩
        Put `pivot: true` at the step whose effect cannot be taken back.
    main:9:50 E507 there is no point of no return inside a `for_each` ⟨true⟩
        Put it at a step after the `for_each`.
    main:9:50 E508 there is one point of no return, and this is a second ⟨true⟩
        Keep the one after which there is really no way back.
    main:12:50 E507 `d` is tried again when it fails, which means undoing what it did ⟨true⟩
        Take the point of no return out of the group, or `retry` off it.
    main:12:50 E508 there is one point of no return, and this is a second ⟨true⟩
        Keep the one after which there is really no way back.
    main:16:54 E507 `e2` may write at the same time ⟨true⟩
        What is beside the point of no return could not be undone any more. Put one after the other.
    main:16:54 E508 there is one point of no return, and this is a second ⟨true⟩
        Keep the one after which there is really no way back.
    main:19:20 E507 a group is no point of no return: a step inside is ⟨true⟩
        Put `pivot: true` at the step whose effect cannot be taken back.
    main:20:31 E509 what `finally` does is never undone, so `pivot` means nothing here ⟨true⟩
        Leave `pivot` out.
    ");
    let cases = "
inputs: {deep: {type: boolean, default: true}}
steps:
  - id: s
    switch: \"${{ inputs.deep }}\"
    cases: {'true': [{uses: drop, irreversible: x, pivot: true}], 'false': [{uses: drop, irreversible: x, pivot: true}]}
";
    insta::assert_snapshot!(Project::new(cases).faults(), @"");
}

#[test]
fn secrets() {
    let body = "
inputs: {token: {type: secret}, plain: string}
secrets: {slack: {env: SLACK}}
steps:
  - {id: a, uses: put, with: {to: x, token: \"${{ secrets.slack }}\"}}
  - {id: b, uses: put, with: {to: x, token: \"${{ inputs.token }}\"}}
  - {id: c, uses: put, with: {to: \"${{ secrets.slack }}\", token: \"${{ inputs.plain }}\"}}
  - {id: d, uses: put, with: {to: \"${{ inputs.token }}\", token: \"Bearer ${{ secrets.slack }}\"}}
  - {id: e, uses: put, with: {to: x, token: \"${{ secrets.slack | upper }}\"}}
  - {id: f, run: 'true', env: {T: \"${{ secrets.slack }}\", U: \"x${{ inputs.token }}\"}, effect: read}
  - {id: g, argv: [curl, \"${{ secrets.slack }}\"], effect: read}
  - {id: h, uses: look, when: secrets.slack == 'x'}
  - {id: i, uses: set, with: {x: \"${{ secrets.slack }}\"}}
  - {id: j, name: \"${{ secrets.slack }}\", uses: check, with: {url: \"${{ secrets.slack }}/x\"}}
  - {id: k, uses: look, when: \"inputs.token == 'x'\"}
outputs: {x: \"${{ secrets.slack }}\"}
";
    let project = Project::new(body).input("plain", "x");
    insta::assert_snapshot!(project.clone().input("token", "env:TOKEN").faults(), @r#"
    main:9:40 E510 a secret may not stand here: this is shown, stored, or handed on as plain text ⟨secrets.slack⟩
        Secrets go into `env`, and into parameters that take a secret.
    main:9:71 E321 `token` wants a secret, and this gives text ⟨inputs.plain⟩
        Such as `env:NAME`.
    main:10:40 E510 a secret may not stand here: this is shown, stored, or handed on as plain text ⟨inputs.token⟩
        Secrets go into `env`, and into parameters that take a secret.
    main:10:65 E321 `token` wants a secret, and this gives text ⟨"Bearer ${{ secrets.slack }}"⟩
        One expression with nothing around it keeps its type.
    main:11:50 E511 a secret is used inside an expression ⟨secrets.slack⟩
        Write `${{ secrets.NAME }}` with nothing around it inside the braces.
    main:13:31 E510 a secret may not stand here: this is shown, stored, or handed on as plain text ⟨secrets.slack⟩
        Secrets go into `env`, and into parameters that take a secret.
    main:14:31 E511 a secret is used inside an expression ⟨secrets.slack⟩
        Write `${{ secrets.NAME }}` with nothing around it inside the braces.
    main:15:39 E510 a secret may not stand here: this is shown, stored, or handed on as plain text ⟨secrets.slack⟩
        Secrets go into `env`, and into parameters that take a secret.
    main:16:24 E510 a secret may not stand here: this is shown, stored, or handed on as plain text ⟨secrets.slack⟩
        Secrets go into `env`, and into parameters that take a secret.
    main:17:32 E511 a secret is used inside an expression ⟨inputs.token⟩
        Write `${{ secrets.NAME }}` with nothing around it inside the braces.
    main:18:19 E510 a secret may not stand here: this is shown, stored, or handed on as plain text ⟨secrets.slack⟩
        Secrets go into `env`, and into parameters that take a secret.
    "#);
    insta::assert_snapshot!(project.input("token", "hunter2").faults().lines().last().unwrap(), @"    Secrets go into `env`, and into parameters that take a secret.");
}

#[test]
fn repetition() {
    let body = "
inputs: {hosts: {type: list, of: string, default: [a, b, a]}}
steps:
  - {id: a, for_each: {items: []}, uses: look}
  - {id: b, for_each: {items: [], allow_empty: true}, uses: look}
  - {id: c, for_each: {items: \"${{ inputs.hosts }}\", expect_count: 4, max_targets: 2}, uses: look}
  - {id: d, for_each: {items: [{n: 1}, {n: 2}]}, uses: look}
  - {id: e, for_each: {items: [{n: 1}, {n: 2}], key: \"${{ item.n }}\"}, uses: look, when: item.n > 1}
  - {id: f, for_each: {items: x}, uses: look}
  - {id: g, for_each: {items: [1], batches: [rest, {size: 0%}, {size: 0}, 30%]}, uses: look}
  - {id: h, for_each: {items: [1], max_parallel: 0, max_failures: \"${{ steps.a.status }}\"}, uses: look}
  - id: i
    for_each: {items: [1], as: host, between: [{uses: drop}, {uses: check}, {approval: {}}]}
    steps:
      - {id: i1, uses: set, with: {x: \"${{ host }} ${{ host_key }} ${{ item }}\"}}
      - {id: i2, for_each: {items: [1], as: host}, uses: look}
      - {id: i3, uses: set, with: {x: \"${{ steps.i1.outputs.x }} ${{ steps.i.each }}\"}}
    outputs: {x: \"${{ steps.i3.outputs.x }}\"}
  - {id: j, uses: set, with: {x: \"${{ steps.i.each | map(attribute='outputs') | list }}\", y: \"${{ steps.i.outputs.x }}\", z: \"${{ host }}\"}}
";
    insta::assert_snapshot!(Project::new(body).faults(), @r#"
    main:6:31 E417 there are no items ⟨[⟩
        `allow_empty: true` says that this is fine.
    main:8:31 E417 there are 3 items, and `expect_count` says 4 ⟨"${{ inputs.hosts }}"⟩
        Mend the one that is wrong.
    main:8:31 E417 there are 3 items, and `max_targets` says at most 2 ⟨"${{ inputs.hosts }}"⟩
        Choose fewer, or raise `max_targets`.
    main:8:31 E417 the item `a` is there twice ⟨"${{ inputs.hosts }}"⟩
        Each is done once: leave one of them out.
    main:9:31 E417 items that are maps need a `key` ⟨[⟩
        Say what tells them apart: `key: ${{ item.name }}`.
    main:11:31 E320 `items`: wanted a list of any value, got the text `x` ⟨x⟩
        Write a list, even of one.
    main:12:46 E418 `rest` takes all that are left, so it comes last ⟨rest⟩
        Move it to the end of `batches`.
    main:12:59 E418 `0%` is no size of a batch ⟨0%⟩
        It is a number from 1, a percentage from `1%` to `100%`, or `rest`.
    main:12:71 E418 `0` is no size of a batch ⟨0⟩
        It is a number from 1, a percentage from `1%` to `100%`, or `rest`.
    main:13:50 E320 `max_parallel`: wanted a whole number from 1 to 4294967295, got `0` ⟨0⟩
        Such as `1`.
    main:13:72 E323 `max_failures` is fixed before the run, and `steps.a.status` is not known then ⟨steps.a.status⟩
        Only `inputs` and `environment` may stand here.
    main:15:48 E506 `between` has no effect here: without `batches` all items are one batch ⟨{⟩
        Say what it stands between: `batches: [1]` is one item after the other, with this in between.
    main:15:48 E512 between two batches there are only checks, waits and gates ⟨{⟩
        A step that writes goes into the `for_each`. If it only looks, say `effect: read`.
    main:17:72 E401 `item` means nothing here ⟨item⟩
        Text is written in quotes: `'item'`.
    main:18:45 E420 `host` already means the item of the `for_each` around this one ⟨host⟩
        Give this one another name with `as`.
    main:19:70 E405 `i` reads itself: its outputs are there when it is over ⟨steps.i.each⟩
        Read the outputs of a step above; what this one gives is read by those below.
    main:21:99 E404 `i` runs for each item, and each has outputs of its own ⟨steps.i.outputs.x⟩
        `steps.i.each` lists the items, each with `key`, `status` and `outputs`.
    main:21:130 E401 `host` means nothing here ⟨host⟩
        Text is written in quotes: `'host'`.
    "#);
}

#[test]
fn choices() {
    let body = "
inputs: {how: {type: enum, one_of: [a, b, c], default: a}, free: {type: string, default: x}, b: {type: boolean, default: true}}
steps:
  - {id: s1, switch: \"${{ inputs.how }}\", cases: {a: [{uses: look}], b: [{uses: look}]}}
  - {id: s2, switch: \"${{ inputs.how }}\", cases: {a: [{uses: look}], b: [{uses: look}], cc: [{uses: look}], default: [{uses: look}]}}
  - {id: s3, switch: \"${{ inputs.how }}\", cases: {a: [{uses: look}], b: [{uses: look}], c: [{uses: look}], default: [{uses: look}]}}
  - {id: s4, switch: \"${{ inputs.free }}\", cases: {a: [{uses: look}]}}
  - {id: s5, switch: \"${{ inputs.b }}\", cases: {'true': [{uses: look}], 'false': [{uses: look}]}}
  - id: s6
    switch: \"${{ inputs.b }}\"
    cases:
      'true': {steps: [{id: x, uses: look}], outputs: {c: \"${{ steps.x.outputs.colour }}\", d: 1}}
      'false': {steps: [{id: y, uses: look}], outputs: {c: \"${{ steps.y.outputs.colour }}\"}}
  - {id: t, uses: set, with: {c: \"${{ steps.s6.outputs.c }}\", d: \"${{ steps.s6.outputs.d }}\", e: \"${{ steps.x.outputs.colour }}\"}}
";
    insta::assert_snapshot!(Project::new(body).faults(), @r#"
    main:6:22 E413 no case covers `c` ⟨"${{ inputs.how }}"⟩
        Add the cases, or a `default`.
    main:7:89 E414 the value is never `cc` ⟨cc⟩
        Did you mean `c`?
    main:8:108 E414 every value has a case, so `default` is never chosen ⟨default⟩
        Leave `default` out: then a value that is added later is missed at once.
    main:9:22 E413 the switch may have a value that no case covers ⟨"${{ inputs.free }}"⟩
        Add a case `default`; one that does nothing is `default: []`.
    main:16:71 E404 `s6` has no output `d` ⟨steps.s6.outputs.d⟩
        Did you mean `c`?
    main:16:103 E406 `x` is inside `s6`: outside, only the outputs of `s6` are seen ⟨steps.x.outputs.colour⟩
        Give it to the outside: `outputs: {colour: "${{ steps.x.outputs.colour }}"}` at `s6`, and read `steps.s6.outputs.colour`.
    "#);
}

#[test]
fn an_environment_that_is_to_be_run_in_itself_has_its_faults_said_once() {
    let mut project = Project::new("steps: []\n").environment("vars: {a: 1}\nroles: 7\n");
    project.request.file = "environments/test.yaml".into();
    let faults = project.faults();
    assert_eq!(faults.matches(" E204 ").count(), 1, "{faults}");
}

#[test]
fn calls() {
    let project = Project::new(
        "
inputs: {v: {type: string, default: x}}
steps:
  - {id: look, uses: look}
  - {id: a, call: sub/one.yaml, inputs: {version: \"${{ inputs.v }}\", soak: 5, extra: 1}}
  - {id: b, call: sub/one.yaml, inputs: {version: \"${{ steps.look.outputs.colour }}\", soak: \"${{ steps.look.outputs.colour }}\"}}
  - {id: c, call: sub/one.yaml, inputs: {soak: 1s}}
  - {id: d, call: ../up.yaml}
  - {id: e, call: /abs.yaml}
  - {id: f, call: none.yaml}
  - {id: g, uses: set, with: {x: \"${{ steps.a.outputs.live }}\", y: \"${{ steps.a.outputs.dead }}\", z: \"${{ steps.inner.outputs.colour }}\"}}
  - {id: h, call: environments/test.yaml}
  - {id: i, call: main.yaml}
  - {id: j, call: loop.yaml}
",
    )
    .environment("vars: {}")
    .runbook(
        "sub/one.yaml",
        "
inputs: {version: string, soak: duration}
steps:
  - {id: inner, uses: look, with: {at: \"${{ inputs.version }}\"}}
  - {wait: {for: \"${{ inputs.soak }}\"}}
  - {uses: set, with: {x: \"${{ steps.look.outputs.colour }}\"}}
outputs: {live: \"${{ steps.inner.outputs.colour }}\"}
",
    )
    .runbook("loop.yaml", "steps: [{call: sub/loop2.yaml}]")
    .runbook("sub/loop2.yaml", "steps: [{call: ../loop.yaml}]");
    insta::assert_snapshot!(project.faults(), @r"
    main:7:76 E320 input `soak`: wanted a duration, got `5` ⟨5⟩
        Add a unit, as in `30s`.
    main:7:79 E402 `sub/one.yaml` has no input `extra` ⟨extra⟩
        It has `version` and `soak`.
    main:9:19 E330 `sub/one.yaml` needs the input `version`: text ⟨sub/one.yaml⟩
        Give it: `inputs: {version: …}`.
    main:10:19 E602 `../up.yaml` leaves the project ⟨../up.yaml⟩
        The project is the nearest folder with a `runbook.toml`, else the runbook's own: put one above both.
    main:11:19 E602 `/abs.yaml` is an absolute path ⟨/abs.yaml⟩
        Write it relative to this file.
    main:12:19 E601 `none.yaml`: no such file ⟨none.yaml⟩
        A path is relative to the file that it stands in.
    main:13:73 E404 `a` has no output `dead` ⟨steps.a.outputs.dead⟩
        It has `live`.
    main:13:107 E403 there is no step `inner` ⟨steps.inner.outputs.colour⟩
        A step is read by its `id`, within one file.
    main:14:19 E606 `environments/test.yaml` is an environment, not a runbook ⟨environments/test.yaml⟩
        A `call` names a runbook.
    main:15:19 E603 the runbook calls itself ⟨main.yaml⟩
        It would never end. To repeat steps, use `for_each` or `retry`.
    sub/one:7:23 E323 `for` is fixed before the run, and the caller only knows `inputs.soak` in the run ⟨inputs.soak⟩
        Give the input a value that does not depend on a step.
    sub/one:8:32 E403 there is no step `look` ⟨steps.look.outputs.colour⟩
        A step is read by its `id`, within one file.
    sub/loop2:3:16 E603 the runbook calls itself: loop.yaml → sub/loop2.yaml → loop.yaml ⟨../loop.yaml⟩
        It would never end. To repeat steps, use `for_each` or `retry`.
    ");
}

#[test]
fn environments() {
    let body = "
inputs: {v: string, n: integer}
locks: [{name: \"deploy/${{ environment.name }}/${{ inputs.v }}\", if_held: wait, timeout: 1m}]
assert_target: [{uses: check, with: {url: \"${{ environment.vars.url }}\"}}]
steps:
  - {id: a, approval: {count: 3, from: ['role:sre', 'role:managers', ana]}}
  - {id: b, approval: {count: 2, from: ['role:empty', ana]}}
  - {id: c, uses: put, with: {to: x}}
  - id: g
    assert_target: [{uses: assert, with: {that: 1 == 1}}]
    steps: [{id: d, uses: put, with: {to: x}}, {id: e, uses: look}]
";
    let environment = "
roles: {sre: [ana, bo], empty: [ana]}
vars: {url: http://x}
inputs: {v: v1, n: x, other: 1}
assert_target: [{uses: check}]
answers: answers.yaml
protected: true
setup: [{id: up, uses: put, with: {to: x}}]
defaults: {timeout: 3m, with: {put: {content: x}, look: {atx: 1}}}
";
    insta::assert_snapshot!(Project::new(body).environment(environment).faults(), @r"
    main:8:53 E608 the environment `test` has no role `managers` ⟨'role:managers'⟩
        Say who has it: `roles: {managers: [NAME]}` in the environment.
    main:9:31 E609 2 people must agree, and only one may ⟨2⟩
        Those who may: ana.
    environments/test:6:20 E331 input `n`: wanted a whole number, got the text `x` ⟨x⟩
        Such as `1`.
    environments/test:8:10 E601 `environments/answers.yaml`: no such file ⟨answers.yaml⟩
        A path is relative to the file that it stands in.
    environments/test:8:10 E610 a protected environment has no answers file: people answer ⟨answers.yaml⟩
        Remove `answers`, or `protected` if this is no production.
    environments/test:11:58 E324 `look` has no parameter `atx` ⟨atx⟩
        Did you mean `at`?
    ");
    insta::assert_snapshot!(Project::new(body).faults(), @r"
    main:4:10 E330 input `v` has no value ⟨v⟩
        Give it: `-i v=…`.
    main:4:21 E330 input `n` has no value ⟨n⟩
        Give it: `-i n=…`.
    main:5:28 E607 this reads the environment, and there is none ⟨environment.name⟩
        Choose one: `-e NAME`.
    main:6:48 E607 this reads the environment, and there is none ⟨environment.vars.url⟩
        Choose one: `-e NAME`.
    main:8:41 E607 who has the role `sre` is said by the environment, and there is none ⟨'role:sre'⟩
        Choose one: `-e NAME`.
    main:8:53 E607 who has the role `managers` is said by the environment, and there is none ⟨'role:managers'⟩
        Choose one: `-e NAME`.
    main:9:41 E607 who has the role `empty` is said by the environment, and there is none ⟨'role:empty'⟩
        Choose one: `-e NAME`.
    ");
    let fine = environment
        .replace("answers: answers.yaml\n", "")
        .replace("n: x", "n: 3")
        .replace(", look: {atx: 1}", "");
    let body = body.replace("'role:managers', ana", "carl").replace("count: 2", "count: 1");
    let plan = Project::new(&body).environment(&fine).plan();
    insta::assert_snapshot!(shape(&plan), @r"
    setup group pure
    setup.up action write undoable
    setup.up.undo action write
    a human pure after setup
    b human pure after a
    c action write after b gated by a, b asserts check, check undoable
    c.undo action write asserts check, check
    g group pure after c
    g.d action write gated by a, b asserts check, check, assert undoable
    g.d.undo action write asserts check, check, assert
    g.e action read after g.d
    ");
    assert_eq!(plan.locks[0].name, "deploy/test/v1");
}

#[test]
fn files() {
    let body = "
inputs: {name: {type: string, default: b}}
steps:
  - {id: look, uses: look}
  - {id: a, uses: put, with: {to: x, file: a.txt}}
  - {id: b, uses: put, with: {to: x, file: \"deep/${{ inputs.name }}.txt\"}}
  - {id: c, uses: put, with: {to: x, file: \"${{ steps.look.outputs.colour }}.txt\"}}
  - {id: d, uses: put, with: {to: x, file: ../up.txt}}
  - {id: e, uses: put, with: {to: x, file: none.txt}}
  - {id: f, argv: [./tool, -x], effect: read}
  - {id: g, run: \"if ./deep/check; then ls; fi; ./absent\", effect: read}
  - {id: h, argv: [tool], cwd: deep, effect: read}
";
    let project = Project::new(body)
        .file("a.txt", "a")
        .file("deep/b.txt", "b")
        .file("tool", "#!/bin/sh")
        .file("deep/check", "#!/bin/sh");
    insta::assert_snapshot!(project.faults(), @r#"
    main:8:54 E604 this path is computed, and no pattern under `files` matches `deep/b.txt` ⟨inputs.name⟩
        Say under `files` of the runbook what it may be: `files: ["k8s/*.yaml"]`.
    main:9:49 E604 which file this names is only known in the run, so it cannot be stored with the plan ⟨steps.look.outputs.colour⟩
        Say under `files` of the runbook what it may be: `files: ["k8s/*.yaml"]`.
    main:10:44 E602 `../up.txt` leaves the project ⟨../up.txt⟩
        The project is the nearest folder with a `runbook.toml`, else the runbook's own: put one above both.
    main:11:44 E601 `none.txt`: no such file ⟨none.txt⟩
        A path is relative to the file that it stands in.
    "#);
    let fine = body
        .replace("file: ../up.txt", "content: x")
        .replace("file: none.txt", "content: x")
        .replace("\nsteps:", "\nfiles: [\"*.txt\", \"deep/**\", \"none/*\"]\nsteps:");
    let mut project = project.file("main.yaml", "");
    project = project.runbook("main.yaml", &fine);
    insta::assert_snapshot!(project.faults(), @r#"
    main:5:29 warning E612 no file matches `none/*` ⟨"none/*"⟩
        `*` stays within a folder, `**` goes through all below; from this file's folder.
    "#);
    let pinned = project.plan().pinned.keys().cloned().collect::<Vec<_>>().join(" ");
    insta::assert_snapshot!(pinned, @"a.txt deep/b.txt deep/check tool");
}

/// `type: file` is a file of the project, stored with the plan, whatever a step then does with its path.
#[test]
fn an_input_that_is_a_file_is_there_and_pinned() {
    let project = Project::new(
        "
inputs:
  config: {type: file, default: conf/a.conf}
  more: {type: list, of: file, default: [conf/b.conf]}
  parts: {type: map, fields: {one: file, text: string}, default: {one: conf/c.conf, text: none}}
  alert: {type: file, required: false}
steps: [{id: a, uses: put, with: {to: x, file: \"${{ inputs.config }}\"}}]
",
    )
    .file("conf/a.conf", "a")
    .file("conf/b.conf", "b")
    .file("conf/d.conf", "d");
    let given = project.clone().file("conf/c.conf", "c").input("config", "conf/d.conf");
    let pinned = given.plan().pinned.keys().cloned().collect::<Vec<_>>().join(" ");
    assert_eq!(pinned, "conf/b.conf conf/c.conf conf/d.conf");
    insta::assert_snapshot!(project.input("alert", "../alert").faults(), @r"
    main:7:66 E601 `conf/c.conf`: no such file ⟨{⟩
        A path is relative to the file that it stands in.
    -i alert:1:7 E602 `../alert` leaves the project ⟨../alert⟩
        The project is the nearest folder with a `runbook.toml`, else the runbook's own: put one above both.
    ");
}

#[test]
fn an_incomplete_request_leaves_open_what_depends_on_it() {
    let project = Project::new(
        "
inputs: {v: string, soak: duration}
steps:
  - {uses: look, with: {at: \"${{ inputs.v }}\"}}
  - {wait: {for: \"${{ inputs.soak }}\"}}
  - {call: sub.yaml, inputs: {soak: \"${{ inputs.soak }}\"}}
  - {approval: {from: ['role:any'], show: {x: \"${{ environment.vars.any }}\"}}}
  - {uses: put, with: {to: x, token: \"${{ secrets.any }}\"}}
",
    )
    .runbook("sub.yaml", "inputs: {soak: duration}\nsteps: [{wait: {for: \"${{ inputs.soak }}\"}}]");
    let planned = project.clone().incomplete().planned();
    assert_eq!(planned.missing, ["v", "soak"]);
    assert_eq!(planned.diagnostics, []);
    assert_eq!(planned.plan.unwrap().missing, ["v", "soak"]);
    insta::assert_snapshot!(project.faults(), @r"
    main:4:10 E330 input `v` has no value ⟨v⟩
        Give it: `-i v=…`.
    main:4:21 E330 input `soak` has no value ⟨soak⟩
        Give it: `-i soak=…`.
    main:9:24 E607 who has the role `any` is said by the environment, and there is none ⟨'role:any'⟩
        Choose one: `-e NAME`.
    main:9:52 E607 this reads the environment, and there is none ⟨environment.vars.any⟩
        Choose one: `-e NAME`.
    main:10:43 E611 there is no secret `any` ⟨secrets.any⟩
        Say where it comes from: `secrets: {any: {env: VARIABLE}}`.
    ");
}

/// By step: the programs that are pinned, and what decides that is only known in the run.
fn programs(project: &Project) -> String {
    let plan = project.plan();
    let lines = plan.nodes.iter().map(|node| match &node.work {
        Work::Step(invocation) => {
            let unpinned = invocation.unpinned.map(|what| format!(" ({what})")).unwrap_or_default();
            format!(
                "{}: {}{unpinned}\n",
                node.id.as_deref().unwrap_or_default(),
                invocation.programs.join(" ")
            )
        }
        _ => String::new(),
    });
    lines.collect()
}

#[test]
fn programs_are_pinned_wherever_a_step_names_them() {
    let project = Project::new(
        "
inputs: {p: {type: string, default: ./three.sh}, d: {type: string, default: bin}}
steps:
  - {id: look, uses: look, with: {at: x}}
  - {id: a, run: scripts/one.sh, effect: read}
  - {id: b, run: ./two.sh, cwd: \"${{ inputs.d }}\", effect: read}
  - {id: c, argv: [\"${{ inputs.p }}\"], effect: read}
  - {id: d, argv: [bash, four.sh], effect: read}
  - {id: e, run: python3 ./six.py ./data.json > ./out.json, effect: read}
  - {id: f, run: cd bin && ./two.sh, effect: read}
  - {id: g, argv: [\"${{ steps.look.outputs.colour }}\"], effect: read}
  - {id: h, run: ./two.sh, cwd: \"${{ steps.look.outputs.colour }}\", effect: read}
  - {id: i, run: kubectl get pods, cwd: \"${{ steps.look.outputs.colour }}\", effect: read}
  - {id: j, argv: [kubectl, \"${{ steps.look.outputs.colour }}\"], effect: read}
  - {id: k, run: print(1), shell: python3 -u six.py, effect: read}
",
    );
    let project = ["scripts/one.sh", "bin/two.sh", "three.sh", "four.sh", "six.py", "data.json", "out.json"]
        .iter()
        .fold(project, |project, path| project.file(path, "#!/bin/sh"));
    insta::assert_snapshot!(programs(&project), @r"
    look: 
    a: scripts/one.sh
    b: bin/two.sh
    c: three.sh
    d: four.sh
    e: six.py
    f: bin/two.sh
    g:  (the program)
    h:  (the folder of the program)
    i: 
    j: 
    k: six.py
    ");
}

#[test]
fn hints_say_what_helps() {
    let body = "
steps:
  - {uses: nope.check}
  - {uses: loook}
  - {id: m, uses: set, with: {l: [1]}}
  - {run: 'true', effect: read, env: {L: \"${{ [1, 2] }}\"}}
inputs: {v: {type: string, pattern: '^v', default: x}}
";
    insta::assert_snapshot!(Project::new(body).faults(), @r"
    main:5:12 E415 there is no step type `nope.check` ⟨nope.check⟩
        `runbook steps` lists those that there are.
    main:6:12 E415 there is no step type `loook` ⟨loook⟩
        Did you mean `look`?
    main:8:47 E321 `L` wants text or a secret, or a whole number, or `true` or `false`, and this gives a list of any value ⟨[1, 2]⟩
        `… | tojson` makes text of it.
    main:9:52 E320 the default does not fit: wanted text that matches `^v`, got the text `x` ⟨x⟩
        Write a text that this regular expression matches.
    ");
}

#[test]
fn what_the_file_says_of_an_effect_is_claimed() {
    let body = "
steps:
  - {id: a, run: 'true', effect: read}
  - {id: b, run: 'true', effect: notify}
  - {id: c, run: 'true', rollback: {run: 'true'}}
  - {id: d, uses: tell, with: {text: x}}
";
    let entries = Project::new(body).plan().outline.entries;
    let words = |id: &str| entries.iter().find(|entry| entry.segment == id).unwrap().effect_words();
    assert_eq!(["a", "b", "c", "d"].map(words), ["read (claimed)", "notify (claimed)", "write", "notify"]);
}

/// A file input as a path needs no pattern; a computed one without any is refused whatever else is known.
#[test]
fn what_a_computed_path_may_name_is_said_somewhere() {
    let steps = |input: &str, path: &str| {
        format!(
            "\ninputs: {{f: {input}}}\nsteps: [{{id: a, uses: put, with: {{to: x, file: \"{path}\"}}}}]\n"
        )
    };
    let given = Project::new(&steps("file", "${{ inputs.f }}")).file("conf/a", "a").input("f", "conf/a");
    assert_eq!(given.plan().pinned.keys().collect::<Vec<_>>(), ["conf/a"]);
    let incomplete = |input, path| Project::new(&steps(input, path)).incomplete().faults();
    assert_eq!(incomplete("file", "${{ inputs.f }}"), "");
    assert!(incomplete("string", "${{ inputs.f }}").contains("E604"));
    assert!(incomplete("file", "conf/${{ inputs.f }}").contains("E604"));
    let setup = "vars: {name: a}\nsetup: [{id: s, uses: put, with: {to: x, file: \"${{ environment.vars.name }}\"}}]\n";
    let prepared = Project::new("\nsteps: [{uses: look}]\n").environment(setup).file("environments/a", "a");
    assert_eq!(prepared.plan().pinned.keys().collect::<Vec<_>>(), ["environments/a"]);
}
