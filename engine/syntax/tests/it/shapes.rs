//! Keys, shapes, ids and expressions: everything that is wrong, in one go.

use insta::assert_snapshot;

use crate::{said, said_of_steps};

#[test]
fn the_head_of_the_file() {
    assert_snapshot!(said("name: x\n"), @r#"
    E203 1:1 [name] this runbook has no `apiVersion` and `steps`
      = `apiVersion`: The version of the language: `runbook/v1`.
      = `steps`: What is done, from top to bottom.
    "#);
    assert_snapshot!(said("apiVersion: apps/v1\nkind: Deployment\n"), @r#"
    E211 1:13 [apps/v1] this program reads `apiVersion: runbook/v1`, and this is `apps/v1`
      = Is this file a runbook?
    E212 2:7 [Deployment] there is no `kind: Deployment`
      = It is `Runbook` or `Environment`.
    "#);
    assert_snapshot!(said("apiVersion: runbook/v2\nsteps: 3\n"), @r#"
    E211 1:13 [runbook/v2] this program reads `apiVersion: runbook/v1`, and this is `runbook/v2`
      = Is there a newer version of `runbook`?
    "#);
    assert_snapshot!(said("apiVersion: runbook/v1\nkind: Library\n"), @r"
    E212 2:7 [Library] `kind: Library` is not supported yet
      = There are `Runbook` and `Environment`.
    ");
    assert_snapshot!(said("apiVersion: runbook/v1\nkind: runbook\n"), @r#"
    E212 2:7 [runbook] there is no `kind: runbook`
      = Did you mean `Runbook`?
    "#);
    assert_snapshot!(said("apiVersion: runbook/v1\nname: x\nsteps: [{run: a}]\non: push\nlibraries: {}\nsteps: []\n"), @r"
    E201 4:1 [on] unknown key `on` in this runbook
      = A runbook has no triggers: a run is started with `runbook exec`.
    E213 5:1 [libraries] `libraries` is part of the language and not enforced yet
      = A key that promises something and does nothing would mislead. Leave it out until it works.
    E202 6:1 [steps] `steps` is there twice
      3:1 first here
      = Only one of them could hold: remove the other, or make one of both.
    ");
}

#[test]
fn words_of_neighbours() {
    assert_snapshot!(said_of_steps("- {run: a, if: b, timeout-minutes: 5, register: c, depends_on: [d], ignore_errors: true}\n"), @r#"
    E201 4:12 [if] unknown key `if` in this step
      = A condition is `when`.
    E201 4:19 [timeout-minutes] unknown key `timeout-minutes` in this step
      = Write `timeout: 10m`.
    E201 4:39 [register] unknown key `register` in this step
      = Nothing needs registering: other steps read `steps.ID.outputs.NAME`; a script declares its `outputs`.
    E201 4:52 [depends_on] unknown key `depends_on` in this step
      = What must be done first is `needs`.
    E201 4:69 [ignore_errors] unknown key `ignore_errors` in this step
      = A failure that does not matter is `continue_on_error: true`.
    "#);
    assert_snapshot!(said_of_steps("- script: echo\n- shell: echo hi\n- {uses: http.check, url: http://a}\n"), @r#"
    E201 4:3 [script] unknown key `script` in this step
      = A script is `run`.
    E208 5:3 [shell] this step says nothing to do
      = `shell` goes with `run`, which is missing.
    E201 6:22 [url] unknown key `url` in this step
      = Parameters of a step type stand under `with`.
    "#);
}

#[test]
fn kinds() {
    assert_snapshot!(said_of_steps("- {}\n- {run: a, uses: b}\n- {approval: {}, shell: zsh}\n- {window: {}}\n"), @r#"
    E208 4:3 [{] this step says nothing to do
      = Give it one of `run`, `argv`, `uses`, `wait`, `approval`, `checklist`, `prompt`, `switch`, `call` or `steps`.
    E209 5:12 [uses] this step has both `run` and `uses`
      5:4 `run` is here
      = Each says what to do, and there can be only one. Make two steps of it.
    E214 6:18 [shell] `shell` does not go with `approval`
      = It goes with `run`.
    E213 7:4 [window] `window` is part of the language and not enforced yet
      = A key that promises something and does nothing would mislead. Leave it out until it works.
    "#);
}

#[test]
fn ids() {
    assert_snapshot!(said_of_steps("- {id: Build-App, run: a}\n- {id: a, run: a}\n- {steps: [{id: a, run: b}]}\n"), @r#"
    E206 4:8 [Build-App] `id` cannot be `Build-App`
      = Write `build_app`. A name begins with a lower-case letter and goes on with lower-case letters, digits and `_`.
    E207 6:17 [a] two steps are called `a`
      5:8 the first one
      = An id is unique in a file, groups and cases included.
    "#);
}

#[test]
fn shapes() {
    assert_snapshot!(said_of_steps("- {run: a, needs: b, timeout: 10, pivot: yes, retry: 3, on_in_doubt: retyr, name: 1, guard: {uses: x}}\n- wait: 5m\n- steps: []\n"), @r"
    E204 4:19 [b] `needs` wants a list, and this is the text `b`
      = Write `[b]`.
    E204 4:31 [10] `timeout` wants a duration such as `30s`, and this is the number 10
      = Say the unit: `10s`, `10m`, `10ms`.
    E204 4:42 [yes] `pivot` wants `true` or `false`, and this is the text `yes`
      = Write `true`.
    E204 4:54 [3] `retry` wants a map, and this is the number 3
      = Such as `retry: {max_attempts: 3, delay: 10s}`.
    E205 4:70 [retyr] `on_in_doubt` cannot be `retyr`
      = Did you mean `retry`?
    E204 4:93 [{] `guard` wants a list, and this is a map
      = Put a `- ` before each item.
    E204 5:9 [5m] `wait` wants a map, and this is the text `5m`
      = Such as `wait: {for: 30s}`.
    E210 6:10 [[] `steps` is an empty list
      = Leave the key out, or put something into the list.
    ");
    assert_snapshot!(said_of_steps("- run:\n- - run: a\n- {run: a, env: {A-B: c, D: on, true: x, [a]: b}}\n"), @r#"
    E210 4:3 [run] `run` has no value
      = It wants a script as text. A script, run by `bash -euo pipefail` unless `shell` says otherwise.
    E204 5:3 [] an item of `steps` wants a map, and this is a list
      = Leave out the `- `: each line is `key: value`.
    E206 6:18 [A-B] an environment variable cannot be called `A-B`
      = It begins with a letter or `_` and goes on with letters, digits and `_`.
    E115 6:29 [on] `on` is text here and a boolean to tools that read YAML 1.1
      = Write "on" for the text, or true for the boolean.
    E114 6:33 [true] a key is text, and this is `true`
      = Put it in quotes.
    E114 6:42 [[] a key is text, and this is a list
      = Write a name before the colon.
    "#);
}

#[test]
fn scripts_take_values_from_their_environment() {
    assert_snapshot!(said_of_steps("- run: |\n    echo ${{ steps.target.outputs.colour }}\n    echo \"${#a} {{ b }} {% c %} $${{ d }}\"\n"), @r#"
    E306 5:10 [${{ steps.target.outputs.colour }}] an expression is not pasted into a script: what it holds could run
      = Put it into the environment of the step, and write "$COLOUR" in the script:
      =   env:
      =     COLOUR: "${{ steps.target.outputs.colour }}"
    "#);
}

#[test]
fn expressions() {
    assert_snapshot!(said_of_steps("- {run: a, when: 'a && b', name: '${{ x | upcase }} ${{ y.z() }} ${{ }}'}\n"), @r"
    E302 4:21 [&] not an expression: unexpected character
      = And is written `and`.
    E303 4:43 [upcase] unknown filter `upcase`
      = `runbook explain E303` lists them.
    E303 4:57 [y.z] a value cannot be called
      = There are no methods. Use a filter: `value | name`.
    E302 4:69 [ ] there is nothing between the braces
      = Write what is read, such as `${{ inputs.NAME }}`, or leave the braces out.
    ");
    assert_snapshot!(said_of_steps("- {run: a, name: \"${{ steps['x'].outputs.y }} ${{ steps }} ${{ environment.vars['a'] }}\"}\n"), @r#"
    E304 4:23 [steps['x']] `steps[…]` cannot be checked before the run
      = Write the name out: `steps.x`.
    E304 4:51 [steps] `steps` as a whole has no value
      = Name what you need: `steps.ID.outputs.NAME`.
    "#);
    assert_snapshot!(said_of_steps("- {run: a, when: '${{ a }} and ${{ b }}', name: '${{ open'}\n- {uses: 'http.${{ x }}'}\n"), @r#"
    E308 4:18 ['${{ a }} and ${{ b }}'] a condition is one expression that gives true or false
      = Write it without braces, or with one pair around all of it: `when: inputs.a and inputs.b`.
    E301 4:50 [${{] this `${{` has no `}}`
      = Close it, its quotes and its brackets. An unquoted text ends at ` #`. A literal `${{` is written `$${{`.
    E307 5:10 ['http.${{ x }}'] `uses` is fixed: it cannot hold an expression
      = It must be known before the run. Choose with `switch`, or write two steps with `when`.
    "#);
    assert_snapshot!(said_of_steps("- name: ${{ a # b }}\n  run: a\n"), @r#"
    E301 4:9 [${{] this `${{` has no `}}`
      = Close it, its quotes and its brackets. An unquoted text ends at ` #`. A literal `${{` is written `$${{`.
    "#);
}

#[test]
fn functions_of_neighbours_are_named_in_our_words() {
    assert_snapshot!(said_of_steps("- {run: a, when: failure()}\n- {run: b, when: success()}\n"), @"
    E303 4:18 [failure] unknown function `failure`
      = What runs whatever happens stands under `finally:`, where `run.status` says how the run went; what runs first on a failure, under `on_failure: {first: …}`.
    E303 5:18 [success] unknown function `success`
      = A step runs only where all that it needs succeeded: leave it out. In `finally:` there is `run.status`.
    ");
}

#[test]
fn a_fault_under_an_alias_is_said_once() {
    assert_snapshot!(said_of_steps("- {run: a, retry: &often {max: 3}}\n- {run: b, retry: *often}\n"), @r#"
    E201 4:27 [max] unknown key `max` in this retry
      = How often in all is `max_attempts`.
    "#);
}

#[test]
fn hints_name_each_key_once_and_every_way() {
    assert_snapshot!(said_of_steps("- prompt: {message: a, type: string, foo: 1}\n- {run: x, rollback: foo}\n- {run: x, not_done: {run: y}}\n"), @"
    E201 4:38 [foo] unknown key `foo` in this prompt
      = It may have `message`, `type`, `timeout`, `pattern`, `min`, `max`, `one_of`, `of`, `fields` or `extra`.
    E205 5:22 [foo] `rollback` cannot be `foo`
      = Write `none`. Or such as `rollback: {run: echo undone}`.
    E201 6:12 [not_done] unknown key `not_done` in this step
      = It stands in `verify`: `verify: {uses: …, not_done: {uses: …}}`.
    ");
}
