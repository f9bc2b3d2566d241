//! Pictures of plans.

use runbook_view::graph::{Graph, dot, mermaid, svg};
use runbook_wire::{EntryKind, Promise, Role};

use crate::{golive::golive, kafka::kafka, scene::Scene};

/// Every kind of block once, with labels that want to be syntax.
fn all_kinds() -> Scene {
    let mut s = Scene::new("all \"kinds\"");
    s.read("look", "http.check <url> & `more`");
    let switch = s.step("which", EntryKind::Switch, "on strategy", "pure").node;
    let a = s
        .child(switch, Role::Body, "a", EntryKind::Action, "kubernetes.apply", "write")
        .promise(Promise::Steps)
        .node;
    s.child(a, Role::Undo, "undo", EntryKind::Action, "kubernetes.delete", "write");
    let b = s.child(switch, Role::Body, "b", EntryKind::Action, "run", "write").node;
    s.outline.entries[switch as usize].cases = vec![("blue_green".into(), vec![a]), ("end".into(), vec![b])];
    s.outline.entries[b as usize].needs.clear();
    let each = s.step("hosts", EntryKind::ForEach, "each of inputs.hosts, 2 at a time", "pure").node;
    s.child(each, Role::Body, "patch", EntryKind::Action, "ssh.run", "write")
        .promise(Promise::None("patches stay".into()));
    let between = s.child(each, Role::Between, "calm", EntryKind::Action, "prometheus.check", "read").node;
    s.outline.entries[between as usize].needs.clear();
    let call = s.step("checks", EntryKind::Call, "post_deploy_validation.yaml", "pure").node;
    for name in ["page", "api", "load"] {
        s.child(call, Role::Body, name, EntryKind::Action, "http.check", "read").free();
    }
    s.step("signoff", EntryKind::Approval, "2 of role:release_manager", "pure");
    s.step("drop", EntryKind::Action, "postgres.query", "write")
        .promise(Promise::Irreversible("rows are gone".into()))
        .pivot();
    s.finally("told", "slack.post");
    s
}

#[test]
fn mermaid_of_all_kinds() {
    insta::assert_snapshot!(mermaid(&Graph::of(&all_kinds().outline)), @r#"
    flowchart TD
      n0["<b>look</b><br>http.check #lt;url#gt; #amp; #96;more#96;"]:::read
      subgraph n1["switch <b>which</b> · on strategy"]
        subgraph n1_0["<b>case blue_green</b>"]
          n2["<b>a</b><br>kubernetes.apply<br><i>undo: kubernetes.delete</i>"]:::write
        end
        subgraph n1_1["<b>case end</b>"]
          n4["<b>b</b><br>run<br><i>no undo: nothing says how</i>"]:::write
        end
      end
      subgraph n5["for each <b>hosts</b> · each of inputs.hosts, 2 at a time"]
        n6["<b>patch</b><br>ssh.run<br><i>no undo: patches stay</i>"]:::write
        subgraph n5_between["<b>between batches</b>"]
          n7["<b>calm</b><br>prometheus.check"]:::read
        end
        n6 -.-> n5_between
      end
      subgraph n8["call <b>checks</b> · post_deploy_validation.yaml"]
        n9["<b>page</b><br>http.check"]:::read
        n10["<b>api</b><br>http.check"]:::read
        n11["<b>load</b><br>http.check"]:::read
      end
      n12{{"<b>signoff</b><br>2 of role:release_manager"}}:::gate
      n13["<b>drop</b><br>postgres.query<br><i>no undo: irreversible: rows are gone</i><br><b>point of no return</b>"]:::write
      class n13 pivot
      subgraph finally["<b>finally</b>"]
        n14["<b>told</b><br>slack.post"]:::notify
      end
      n0 --> n1
      n1 --> n5
      n5 --> n8
      n8 --> n12
      n12 --> n13
      n13 -.-> finally
      classDef pure fill:#f4f4f5,stroke:#71717a,color:#18181b
      classDef read fill:#e0f2fe,stroke:#0369a1,color:#18181b
      classDef write fill:#ffedd5,stroke:#c2410c,color:#18181b
      classDef notify fill:#f3e8ff,stroke:#7e22ce,color:#18181b
      classDef wait fill:#ccfbf1,stroke:#0f766e,color:#18181b
      classDef gate fill:#fef9c3,stroke:#a16207,color:#18181b
      classDef pivot stroke:#b91c1c,stroke-width:4px
    "#);
}

#[test]
fn dot_of_all_kinds() {
    insta::assert_snapshot!(dot(&Graph::of(&all_kinds().outline)), @r##"
    digraph "all \"kinds\"" {
      graph [compound=true, rankdir=TB, fontname="Helvetica", fontsize=11, nodesep=0.35, ranksep=0.4]
      node [shape=box, style="rounded,filled", fontname="Helvetica", fontsize=11, margin="0.14,0.08"]
      edge [color="#71717a", arrowsize=0.7]
      "n0" [label="look\nhttp.check <url> & `more`", fillcolor="#e0f2fe", color="#0369a1"]
      subgraph "cluster_n1" {
        graph [label="switch which\lon strategy\l", labeljust=l, color="#a1a1aa", style=rounded]
        subgraph "cluster_n1_0" {
          graph [label="case blue_green\l", labeljust=l, color="#a1a1aa", style="rounded,dashed"]
          "n2" [label="a\nkubernetes.apply\nundo: kubernetes.delete", fillcolor="#ffedd5", color="#c2410c"]
        }
        subgraph "cluster_n1_1" {
          graph [label="case end\l", labeljust=l, color="#a1a1aa", style="rounded,dashed"]
          "n4" [label="b\nrun\nno undo: nothing says how", fillcolor="#ffedd5", color="#c2410c"]
        }
      }
      subgraph "cluster_n5" {
        graph [label="for each hosts\leach of inputs.hosts, 2 at a time\l", labeljust=l, color="#a1a1aa", style=rounded]
        "n6" [label="patch\nssh.run\nno undo: patches stay", fillcolor="#ffedd5", color="#c2410c"]
        subgraph "cluster_n5_between" {
          graph [label="between batches\l", labeljust=l, color="#a1a1aa", style="rounded,dashed"]
          "n7" [label="calm\nprometheus.check", fillcolor="#e0f2fe", color="#0369a1"]
        }
        "n6" -> "n7" [lhead="cluster_n5_between", style=dashed]
      }
      subgraph "cluster_n8" {
        graph [label="call checks\lpost_deploy_validation.yaml\l", labeljust=l, color="#a1a1aa", style=rounded]
        "n9" [label="page\nhttp.check", fillcolor="#e0f2fe", color="#0369a1"]
        "n10" [label="api\nhttp.check", fillcolor="#e0f2fe", color="#0369a1"]
        "n11" [label="load\nhttp.check", fillcolor="#e0f2fe", color="#0369a1"]
      }
      "n12" [label="signoff\n2 of role:release_manager", fillcolor="#fef9c3", color="#a16207", shape=octagon, style=filled]
      "n13" [label="drop\npostgres.query\nno undo: irreversible: rows are\ngone\nPOINT OF NO RETURN", fillcolor="#ffedd5", color="#b91c1c", penwidth="3"]
      subgraph "cluster_finally" {
        graph [label="finally\l", labeljust=l, color="#a1a1aa", style="rounded,dashed"]
        "n14" [label="told\nslack.post", fillcolor="#f3e8ff", color="#7e22ce"]
      }
      "n0" -> "n2" [lhead="cluster_n1"]
      "n4" -> "n6" [ltail="cluster_n1", lhead="cluster_n5"]
      "n7" -> "n9" [ltail="cluster_n5", lhead="cluster_n8"]
      "n11" -> "n12" [ltail="cluster_n8"]
      "n12" -> "n13"
      "n13" -> "n14" [lhead="cluster_finally", style=dashed]
    }
    "##);
}

#[test]
fn svg_is_well_formed_and_says_everything() {
    for (scene, words) in [
        (
            all_kinds(),
            &[
                "all &quot;kinds&quot;",
                "&lt;url&gt;",
                "patches stay",
                "point of no return",
                "case blue_green",
                "finally",
            ][..],
        ),
        (golive().s, &["signoff", "retire_old", "version is gone"]),
        (kafka(), &["for\u{a0}each\u{a0}", "↩ until prometheus.check"]),
    ] {
        let svg = svg(&Graph::of(&scene.outline), true);
        let xml = roxmltree::Document::parse(&svg).unwrap();
        assert_eq!(xml.root_element().tag_name().name(), "svg");
        for word in words {
            assert!(svg.contains(word), "{word} in {}", scene.outline.name);
        }
        // Few renderers but browsers know variables; what has no colour of its own is black there.
        assert!(!svg.contains("var("));
        let coloured = |n: &roxmltree::Node<'_, '_>| {
            n.attribute("fill").is_some_and(|f| f == "none" || f.starts_with('#'))
        };
        let mut shapes =
            xml.descendants().filter(|n| matches!(n.tag_name().name(), "rect" | "path" | "text"));
        assert!(shapes.all(|n| coloured(&n)), "{svg}");
    }
}
