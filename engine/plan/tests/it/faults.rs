//! What is wrong is found, all of it, and said once.

use crate::project::Project;

#[test]
fn names() {
    let faults = Project::new(
        "
inputs: {version: string, cfg: {type: map, fields: {replicas: integer}}}
secrets: {slack: {env: SLACK}}
steps:
  - id: look
    uses: look
  - id: all
    uses: set
    with:
      a: \"${{ inputs.verison }}\"
      b: \"${{ steps.lok.outputs.colour }}\"
      c: \"${{ steps.look.outputs.color }}\"
      d: \"${{ steps.look.colour }}\"
      e: \"${{ version }}\"
      f: \"${{ look }}\"
      g: \"${{ environment.vars.ur }}\"
      h: \"${{ environment.nam }}\"
      i: \"${{ inputs.cfg.replica }}\"
      j: \"${{ run.idd }}\"
      k: \"${{ run.status }}\"
      l: \"${{ prepared }}\"
      m: \"${{ secrets.slak }}\"
      n: \"${{ inputs.version.x }}\"
      o: \"${{ steps.all.outputs.a }}\"
      p: \"${{ blue }}\"
      q: \"${{ steps.look.outputs.count.x | default(1) }}\"
      r: \"${{ environment.vars.ur | default('') }}\"
      s: \"${{ url }}\"
      t: \"${{ env.HOME }}\"
",
    )
    .environment("vars: {url: http://x}")
    .input("version", "1")
    .input("cfg", "{\"replicas\": 3}")
    .faults();
    insta::assert_snapshot!(faults, @r"
    main:12:15 E402 there is no input `verison` ⟨inputs.verison⟩
        Did you mean `version`?
    main:13:15 E403 there is no step `lok` ⟨steps.lok.outputs.colour⟩
        Did you mean `look`?
    main:14:15 E404 `look` has no output `color` ⟨steps.look.outputs.color⟩
        Did you mean `colour`?
    main:15:15 E408 `steps.look` has no `colour` ⟨steps.look.colour⟩
        Outputs are read as `steps.look.outputs.colour`.
    main:16:15 E401 `version` means nothing here ⟨version⟩
        An input is read as `inputs.version`.
    main:17:15 E401 `look` means nothing here ⟨look⟩
        A step is read as `steps.look.outputs.…`.
    main:18:15 E408 `environment.vars` has no `ur` ⟨environment.vars.ur⟩
        Did you mean `url`?
    main:19:15 E408 `environment` has no `nam` ⟨environment.nam⟩
        Did you mean `name`?
    main:20:15 E408 `inputs.cfg` has no `replica` ⟨inputs.cfg.replica⟩
        Did you mean `replicas`?
    main:21:15 E408 `run` has no `idd` ⟨run.idd⟩
        Did you mean `id`?
    main:22:15 E409 `run.status` is how the run went, and means nothing outside of `finally` and `on_failure` ⟨run.status⟩
        Read it in `finally` and `on_failure` only.
    main:23:15 E409 `prepared` is what a step gathered for its undo, and means nothing outside of its `rollback` ⟨prepared⟩
        Read it in its `rollback` only.
    main:24:15 E611 there is no secret `slak` ⟨secrets.slak⟩
        Did you mean `slack`?
    main:25:15 E408 `inputs.version` is text, which has no `x` ⟨inputs.version.x⟩
        Read `inputs.version` as a whole.
    main:26:15 E405 `all` reads itself: its outputs are there when it is over ⟨steps.all.outputs.a⟩
        Read the outputs of a step above; what this one gives is read by those below.
    main:27:15 E401 `blue` means nothing here ⟨blue⟩
        Text is written in quotes: `'blue'`.
    main:30:15 E401 `url` means nothing here ⟨url⟩
        A variable of the environment is read as `environment.vars.url`.
    main:31:15 E401 `env` means nothing here ⟨env.HOME⟩
        A script reads its environment itself, as `$NAME`. A value that a place has is `environment.vars.NAME`.
    ");
}

#[test]
fn order() {
    let faults = Project::new(
        "
steps:
  - {id: a, uses: look, needs: []}
  - {id: b, uses: look, needs: []}
  - {id: c, uses: set, needs: [a], with: {x: \"${{ steps.b.outputs.colour }}\", y: \"${{ steps.d.outputs.colour }}\"}}
  - {id: d, uses: look}
  - id: g
    steps:
      - {id: inside, uses: look}
      - {id: more, uses: set, with: {x: \"${{ steps.b.outputs.colour }}\", y: \"${{ steps.inside.outputs.colour }}\"}}
    outputs: {x: \"${{ steps.inside.outputs.colour }}\"}
  - {id: e, uses: set, with: {x: \"${{ steps.inside.outputs.colour }}\", y: \"${{ steps.g.outputs.x }}\"}}
  - {id: f, uses: set, needs: [inside, nowhere, f], with: {x: \"${{ steps.g.outputs.x }}\"}}
  - {id: h, uses: look, needs: [i]}
  - {id: i, uses: look, needs: [j]}
  - {id: j, uses: look, needs: [h]}
",
    )
    .faults();
    insta::assert_snapshot!(faults, @r#"
    main:7:51 E405 `b` need not be over when `c` starts ⟨steps.b.outputs.colour⟩
        Add it: `needs: [a, b]` at `c`.
    main:7:87 E405 `d` runs after `c` ⟨steps.d.outputs.colour⟩
        Move `c` below `d`.
    main:14:39 E406 `inside` is inside `g`: outside, only the outputs of `g` are seen ⟨steps.inside.outputs.colour⟩
        Give it to the outside: `outputs: {colour: "${{ steps.inside.outputs.colour }}"}` at `g`, and read `steps.g.outputs.colour`.
    main:15:32 E411 `f` needs `inside`, which is not beside it ⟨inside⟩
        Need the group: `g`.
    main:15:40 E410 `f` needs `nowhere`, which does not exist ⟨nowhere⟩
        `needs` names steps of the same list by their `id`.
    main:16:32 E412 steps need each other in a circle: `h` needs `i` needs `j` needs `h` ⟨[⟩
        Without `needs`, a step needs everything above it.
    "#);
}

#[test]
fn absence() {
    let faults = Project::new(
        "
inputs: {deep: boolean}
steps:
  - {id: a, uses: look, when: inputs.deep}
  - {id: b, uses: look, continue_on_error: true}
  - {id: c, uses: tell, with: {text: hello}}
  - {id: d, uses: tell, required: true, with: {text: hello}}
  - id: e
    uses: set
    with:
      a: \"${{ steps.a.outputs.colour }}\"
      b: \"${{ steps.b.outputs.colour | default('') }}\"
      c: \"${{ steps.c.outputs.id }}\"
      d: \"${{ steps.d.outputs.id }}\"
      e: \"${{ steps.a.status }}\"
      f: \"${{ 1 if steps.b.outputs.colour is none else 2 }}\"
  - id: w
    uses: drop
    rollback:
      uses: put
      with: {to: \"${{ steps.w.outputs.x }}\", content: \"${{ steps.e.outputs.a }} ${{ prepared.x }}\"}
finally:
  - {uses: tell, with: {text: \"${{ steps.e.outputs.a }} ${{ steps.e.outputs.b | default('') }} ${{ run.status }}\"}}
outputs: {a: \"${{ steps.a.outputs.colour }}\", b: \"${{ steps.e.outputs.a }}\"}
",
    )
    .input("deep", "true")
    .faults();
    insta::assert_snapshot!(faults, @r"
    main:13:15 E407 `a` may have no outputs: it is skipped when its `when` does not hold ⟨steps.a.outputs.colour⟩
        Say what holds then: `steps.a.outputs.colour | default(…)`.
    main:15:15 E407 `c` may have no outputs: it tells somebody, and may fail ⟨steps.c.outputs.id⟩
        Say what holds then: `steps.c.outputs.id | default(…)`.
    main:23:23 E404 `w` has no output `x` ⟨steps.w.outputs.x⟩
        It has no outputs.
    main:25:36 E407 `e` may have no outputs: it need not have come to an end ⟨steps.e.outputs.a⟩
        Say what holds then: `steps.e.outputs.a | default(…)`.
    main:26:19 E407 `a` may have no outputs: it is skipped when its `when` does not hold ⟨steps.a.outputs.colour⟩
        Say what holds then: `steps.a.outputs.colour | default(…)`.
    ");
}

#[test]
fn parameters() {
    let faults = Project::new(
        "
inputs: {n: {type: integer, default: 3}, t: {type: duration, default: 5m}, deep: {type: boolean, default: true}}
steps:
  - {id: a, uses: lok}
  - {id: b, uses: look, with: {att: x, at: 3, within: 5}}
  - {id: c, uses: look, with: {at: \"${{ inputs.n }}\", within: \"${{ inputs.n }}\"}}
  - {id: d, uses: look, with: {at: \"${{ inputs.t }}\", within: \"${{ inputs.t }}\"}}
  - {id: e, uses: put, with: {content: x, file: y}}
  - {id: f, uses: query, effect: read, with: {sql: \"select ${{ inputs.n }}\"}}
  - {id: g, uses: check, with: {expect: {status: 20, bdy: x}}}
  - {id: h, uses: check, with: {expect: {status: \"${{ inputs.deep }}\", body: \"${{ inputs.n }}\"}}}
  - {id: i, uses: assert, with: {that: \"inputs.n + 1\"}}
  - {id: j, uses: assert, with: {that: [{that: inputs.n > 2, message: x}, {that: yes it is}, {mesage: x}]}}
  - {id: k, uses: assert, with: {that: inputs.deep}}
  - {id: l, uses: look, with: {at: null, within: \"${{ inputs.n }}s\"}}
  - {id: m, uses: look, when: inputs.n, with: {at: \"${{ 1 / 0 }}\"}}
  - {id: n, uses: set, with: {x: \"${{ inputs.n // 0 }}\"}}
  - {id: o, uses: get, with: {select: {a: 1, b: x}}}
  - {id: p, uses: set, with: {x: \"${{ steps.o.outputs.b }}\", y: \"${{ steps.o.outputs.c }}\"}}
  - {id: q, argv: [ls, 1, true, 2.5, \"${{ inputs.n }}\", [x]], effect: read}
",
    )
    .faults();
    insta::assert_snapshot!(faults, @r#"
    main:6:19 E415 there is no step type `lok` ⟨lok⟩
        Did you mean `look`?
    main:7:32 E324 `look` has no parameter `att` ⟨att⟩
        Did you mean `at`?
    main:7:44 E320 `at`: wanted text, got `3` ⟨3⟩
        Put it in quotes.
    main:7:55 E320 `within`: wanted a duration, got `5` ⟨5⟩
        Add a unit, as in `30s`.
    main:8:41 E321 `at` wants text, and this gives a whole number ⟨inputs.n⟩
        `… | string` makes text of it.
    main:8:68 E321 `within` wants a duration, and this gives a whole number ⟨inputs.n⟩
        Add the unit: `${{ … }}s`.
    main:9:41 E321 `at` wants text, and this gives a duration ⟨inputs.t⟩
        `… | duration` writes a length of time as text.
    main:10:19 E325 `put` lacks the parameter `to`: text ⟨put⟩
        Add it: `to: 'text'`.
    main:10:19 E326 give at most one of `content` or `file` ⟨put⟩
        `runbook steps put` says what each is for.
    main:10:49 E601 `y`: no such file ⟨y⟩
        A path is relative to the file that it stands in.
    main:11:52 E327 `sql` decides what runs, so there are no expressions in it ⟨"select ${{ inputs.n }}"⟩
        Hand values in through another parameter.
    main:12:50 E320 `status`: wanted a whole number from 100 to 599, got `20` ⟨20⟩
        Such as `100`.
    main:12:54 E324 `expect` has no field `bdy` ⟨bdy⟩
        Did you mean `body`?
    main:13:55 E321 `status` wants a whole number from 100 to 599, and this gives `true` or `false` ⟨inputs.deep⟩
        Such as `100`.
    main:13:83 E321 `body` wants text, and this gives a whole number ⟨inputs.n⟩
        `… | string` makes text of it.
    main:14:41 E321 a condition must be true or false, and this is a whole number ⟨inputs.n + 1⟩
        Compare it with something.
    main:15:86 E302 not an expression: unexpected input after expression ⟨it⟩
        Something is missing or too much here. Text stands in quotes: `'…'`.
    main:15:94 E325 an item of `that` lacks the field `that`: `true` or `false` ⟨{⟩
        Add it: `that: true`.
    main:15:95 E324 an item of `that` has no field `mesage` ⟨mesage⟩
        Did you mean `message`?
    main:18:31 E321 a condition must be true or false, and this is a whole number ⟨inputs.n⟩
        Compare it with something.
    main:18:57 E321 `at` wants text, and this gives a number ⟨1 / 0⟩
        `… | string` makes text of it.
    main:19:39 E322 unable to calculate 3 // 0 ⟨inputs.n // 0⟩
        Mend the expression, or the value that it reads: both are known before the run.
    main:20:43 E320 `a`: wanted text, got `1` ⟨1⟩
        Put it in quotes.
    main:21:70 E404 `o` has no output `c` ⟨steps.o.outputs.c⟩
        Did you mean `a`?
    main:22:33 E320 an argument: wanted text, or a whole number, or `true` or `false`, got `2.5` ⟨2.5⟩
        Such as `'text'`.
    main:22:57 E204 an item of `argv` wants text, and this is a list ⟨[⟩
        Write one text, in quotes if it has signs of its own.
    "#);
}
