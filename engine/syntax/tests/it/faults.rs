//! Faults of the YAML itself: one clear diagnostic, at the place to change.

use insta::assert_snapshot;

use crate::{said, said_of_steps};

#[test]
fn unquoted_expressions() {
    assert_snapshot!(said("with: {url: ${{ x }}}\n"), @r#"
    E102 1:13 [${{ x }}] the braces of this expression are YAML's own here
      = Put the value in quotes: "${{ x }}"
    "#);
    assert_snapshot!(said("with: {url: http://${{ x.y }}/health, a: b}\n"), @r#"
    E102 1:13 [http://${{ x.y }}/health] the braces of this expression are YAML's own here
      = Put the value in quotes: "http://${{ x.y }}/health"
    "#);
    assert_snapshot!(said("argv: [a, ${{ x[\"a\"] }}]\n"), @r#"
    E102 1:11 [${{ x["a"] }}] the braces of this expression are YAML's own here
      = Put the value in quotes: '${{ x["a"] }}'
    "#);
    assert_snapshot!(said("url: ${{ x if {\"k\": 1} else 2 }}\n"), @r#"
    E102 1:6 [${{ x if {"k": 1} else 2 }}] the braces of this expression are YAML's own here
      = Put the value in quotes: '${{ x if {"k": 1} else 2 }}'
    "#);
}

#[test]
fn tabs_and_indentation() {
    assert_snapshot!(said("a:\n\tb: 1\n"), @r#"
    E103 2:1 [	] YAML is indented with spaces, and this is a tab
      = Replace it with two spaces, in an editor that shows tabs.
    "#);
    assert_snapshot!(said("a:\n  b: 1\n c: 2\n"), @r#"
    E105 3:2 [c:] this line does not line up with those above it
      = The keys of one map, and the dashes of one list, stand in one column.
    "#);
    assert_snapshot!(said("a:\n- b\nc\n"), @r"
    E101 3:1 [c] this line is neither `key: value` nor `- item`
      = A `: ` is missing, or the line belongs to the text above it: indent it further, below `key: |`.
    ");
    assert_snapshot!(said("a: b: c\n"), @r#"
    E106 1:5 [:] this colon makes the text before it a key
      = Put a text that contains `: ` in quotes.
    "#);
}

#[test]
fn quotes_and_brackets() {
    assert_snapshot!(said("a: \"open\nb: 1\n"), @r#"
    E104 1:4 ["open] this quote is not closed
      = Put the same quote at the end of the text. Inside '…' a quote is written twice.
    "#);
    assert_snapshot!(said("a: 'it's'\n"), @r#"
    E104 1:8 [s'] the quoted text ends before this
      = Inside '…' a quote is written twice, inside "…" it is written \".
    "#);
    assert_snapshot!(said("a: [1, 2\nb: 3\n"), @r#"
    E104 2:2 [:] a `,` or a closing bracket is missing before this
      = A `{` or `[` above is not closed, or a text with `{`, `}`, `[`, `]` or `,` in it needs quotes.
    "#);
    assert_snapshot!(said("a: \"\\q\"\n"), @r#"
    E112 1:5 [\q] this `\` is followed by what YAML does not know
      = Between "…" a backslash is written twice. Between '…' it stands for itself.
    "#);
}

#[test]
fn characters_tags_numbers() {
    assert_snapshot!(said("a: @b\n"), @r#"
    E112 1:4 [@b] a text cannot begin with `@` here
      = Put the text in quotes.
    "#);
    assert_snapshot!(said("a: \u{1}b\n"), @r#"
    E112 1:4 [b] the file contains the control character U+0001
      = Is this a text file?
    "#);
    assert_snapshot!(said("a: !secret b\n"), @r#"
    E111 1:4 [!secret] the tag `!secret` means nothing here
      = Remove it, or quote the text if the `!` belongs to it.
    "#);
    assert_snapshot!(said_of_steps("- {uses: set, with: {a: 18446744073709551615, b: [-98765432109876543210], c: 1e30}}\n"), @r#"
    E113 4:25 [18446744073709551615] this number is too large
      = Whole numbers lie within 64 bits. Put it in quotes if it is text.
    E113 4:51 [-98765432109876543210] this number is too large
      = Whole numbers lie within 64 bits. Put it in quotes if it is text.
    "#);
    assert_snapshot!(said("a: .nan\n"), @r#"
    E113 1:4 [.nan] `.nan` is not a number that can be kept
      = Put it in quotes if it is text.
    "#);
}

#[test]
fn anchors_and_documents() {
    assert_snapshot!(said("cron: * * *\n"), @r#"
    E107 1:7 [*] a text that begins with `*` is an alias, with `&` an anchor, and neither has a name here
      = Put the text in quotes.
    "#);
    assert_snapshot!(said("a: {<<: 3}\n"), @r#"
    E107 1:9 [3}] `<<` merges maps, and this is none
      = Write `<<: *name`, where `&name` stands before a map.
    "#);
    assert_snapshot!(said("a: 1\n---\nb: 2\n"), @r#"
    E110 2:1 [---] a second YAML document begins here
      = A file holds one document. Put the other one into a file of its own.
    "#);
    assert_snapshot!(said(""), @r#"
    E210 1:1 [] the file is empty
      = A runbook begins with `apiVersion: runbook/v1`, `name: …` and `steps:`.
    "#);
    assert_snapshot!(said("- a\n- b\n"), @r#"
    E204 1:1 [] a runbook is a map with keys such as `name` and `steps`
      = It begins with `apiVersion: runbook/v1`, `name: …` and `steps:`.
    "#);
}
