//! Where things stand: expressions in every style of scalar.

use proptest::prelude::*;
use runbook_syntax::ast::{Data, Document, Segment};
use runbook_syntax::{Sources, parse};

/// The texts that the file has under the expressions of its outputs, and under what they read.
fn under(text: &str) -> Vec<(String, Vec<String>)> {
    let mut sources = Sources::default();
    let file = sources.add("a.yaml", text);
    let (document, faults) = parse(&sources, file);
    assert_eq!(faults, []);
    let Some(Document::Runbook(runbook)) = document else { panic!("a runbook") };
    let mut found = Vec::new();
    for (_, output) in &runbook.outputs {
        let Data::Text(text) = &output.value else { continue };
        for segment in &text.segments {
            let Segment::Expr(expr) = segment else { continue };
            let reads = expr.reads.iter().map(|read| sources.text(read.span).to_owned()).collect();
            found.push((sources.text(expr.span).to_owned(), reads));
        }
    }
    found
}

fn with_outputs(outputs: &str) -> String {
    format!("apiVersion: runbook/v1\nname: test\nsteps: [{{run: 'true'}}]\noutputs:\n{outputs}")
}

#[test]
fn every_style_of_scalar_keeps_its_places() {
    let styles = [
        ("plain", "  a: x ${{ inputs.one }} y\n"),
        ("plain over two lines", "  a: x\n    ${{ inputs.one }} y\n"),
        ("single quotes", "  a: 'it''s ${{ inputs.one }} y'\n"),
        ("double quotes", "  a: \"tab\\t ${{ inputs.one }} y\"\n"),
        ("double quotes over lines", "  a: \"x\n\n     ${{ inputs.one }} \\\n   y\"\n"),
        ("literal", "  a: |\n    first\n      ${{ inputs.one }}\n    last\n"),
        ("literal, stripped", "  a: |-\n\n    ${{ inputs.one }}\n"),
        ("literal, indented by hand", "  a: |2\n      ${{ inputs.one }}\n"),
        ("folded", "  a: >\n    one\n    two ${{ inputs.one }}\n\n    three\n"),
        ("flow", "  {a: [\"${{ inputs.one }}\", \"é ${{ inputs.one }}\"]}\n"),
    ];
    for (style, outputs) in styles {
        for line_end in ["\n", "\r\n"] {
            let text = with_outputs(outputs).replace('\n', line_end);
            for (expr, reads) in under(&text) {
                assert_eq!((expr.as_str(), reads), ("inputs.one", vec!["inputs.one".to_owned()]), "{style}");
            }
        }
    }
}

#[test]
fn escapes_inside_an_expression() {
    let text = with_outputs(r#"  a: "é ${{ inputs.one == \"a\" and inputs.two }}""#);
    assert_eq!(
        under(&text),
        [(
            r#"inputs.one == \"a\" and inputs.two"#.to_owned(),
            vec!["inputs.one".to_owned(), "inputs.two".to_owned()]
        )]
    );
}

#[test]
fn an_expression_over_lines() {
    let text = with_outputs("  a: |\n    ${{ inputs.one\n        and inputs.two }}\n");
    let [(expr, reads)] = under(&text).try_into().unwrap();
    assert_eq!(expr, "inputs.one\n        and inputs.two");
    assert_eq!(reads, ["inputs.one", "inputs.two"]);
}

/// A piece of text, or an expression that reads this input.
fn pieces() -> impl Strategy<Value = Vec<(String, bool)>> {
    let literal = "[a-zé'\"\\\\ .#$]{1,8}".prop_map(|text| (text, false));
    let expression = "[a-z]{1,5}".prop_map(|name| (format!("inputs.{name}"), true));
    prop::collection::vec(prop_oneof![literal, expression], 1..6)
}

fn quoted(pieces: &[(String, bool)], quote: char) -> String {
    let text: String = pieces
        .iter()
        .map(|(text, expr)| if *expr { format!("${{{{ {text} }}}}") } else { text.clone() })
        .collect();
    match quote {
        '\'' => format!("'{}'", text.replace('\'', "''")),
        _ => format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"")),
    }
}

proptest! {
    /// Whatever stands around it, an expression is found where it was written.
    #[test]
    fn expressions_are_found_where_they_were_written(pieces in pieces(), single in any::<bool>(), block in any::<bool>()) {
        // `$` right before `${{` escapes it, which is another test's business.
        let escaped = pieces.windows(2).any(|pair| pair[0].0.ends_with('$') && pair[1].1);
        prop_assume!(!escaped);
        let value = match (block, single) {
            (true, _) => {
                let text: String = pieces.iter().map(|(text, expr)| if *expr { format!("${{{{ {text} }}}}") } else { text.clone() }).collect();
                prop_assume!(!text.trim_start().is_empty() && !text.starts_with(' '));
                format!("|\n    {text}")
            }
            (false, true) => quoted(&pieces, '\''),
            (false, false) => quoted(&pieces, '"'),
        };
        let wanted: Vec<&str> = pieces.iter().filter(|(_, expr)| *expr).map(|(text, _)| text.as_str()).collect();
        let found = under(&with_outputs(&format!("  a: {value}\n")));
        let found: Vec<&str> = found.iter().map(|(text, _)| text.as_str()).collect();
        prop_assert_eq!(found, wanted);
    }
}
