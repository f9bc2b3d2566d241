//! The report as one HTML file: no scripts, nothing fetched, light and dark, printable.

use std::fmt::Write as _;

use super::{Report, evidence, gantt::gantt};
use crate::{
    Brought, Forward, Node, Rollback, Status, Tone, Undoing, Weight,
    graph::{Graph, svg},
    mark,
    markup::escape,
    moment,
    required::Produced,
    timeline,
};

/// The report as HTML.
pub fn html(report: &Report<'_>) -> String {
    let mut out = String::new();
    let run = report.run;
    let standing = crate::standing(&report.tree, report.now);
    let title = format!("{} {}: {standing}", run.name(), run.id());
    let _ = write!(
        out,
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n\
         <meta name=\"color-scheme\" content=\"light dark\"/>\n<title>{}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n",
        escape(&title)
    );
    header(&mut out, report, &standing);
    required(&mut out, report);
    failures(&mut out, report);
    rollback(&mut out, report);
    section(&mut out, "What ran when", &gantt(report));
    steps(&mut out, report);
    decisions(&mut out, report);
    pairs(&mut out, "Inputs", &report.inputs());
    pairs(&mut out, report.outputs_title(), &report.outputs());
    what_happened(&mut out, report);
    section(
        &mut out,
        "The plan",
        &format!("<div class=\"scroll\">{}</div>", svg(&Graph::of_run(&report.tree), true)),
    );
    facts(&mut out, report);
    out.push_str("</main>\n</body>\n</html>\n");
    out
}

fn header(out: &mut String, report: &Report<'_>, standing: &str) {
    let run = report.run;
    let class = match (report.tree.forward, report.tree.rollback) {
        (Forward::Succeeded, Rollback::None) => "ok",
        (Forward::SucceededWithFailures | Forward::Succeeded | Forward::Skipped, _) => "warn",
        (
            Forward::Failed | Forward::Cancelled,
            Rollback::Complete | Rollback::Partial | Rollback::NothingToUndo,
        ) => "warn",
        (Forward::Failed | Forward::Cancelled | Forward::Locked, _) => "bad",
        _ => "now",
    };
    let _ = write!(out, "<header class=\"{class}\"><p class=\"status\">{}</p>", escape(standing));
    let _ = write!(out, "<h1>{} <small>run {}</small></h1>", escape(run.name()), escape(run.id()));
    if !run.outline.summary.trim().is_empty() {
        let _ = write!(out, "<p class=\"summary\">{}</p>", escape(run.outline.summary.trim()));
    }
    let _ = write!(out, "<p class=\"headline\">{}</p>", escape(&report.headline()));
    out.push_str("<dl class=\"key\">");
    let wanted = ["Environment", "Requested by", "Began", "Ended", "Last record", "Took", "Exit code"];
    for (name, value) in report.facts().into_iter().filter(|(name, _)| wanted.contains(name)) {
        // What it means stands above.
        let value = if name == "Exit code" { value.split(':').next().unwrap_or_default() } else { &value };
        let _ = write!(out, "<div><dt>{name}</dt><dd>{}</dd></div>", escape(value));
    }
    out.push_str("</dl>");
    let from_file = report.summary.answers_from_file;
    if from_file > 0 {
        let answers = if from_file == 1 { "answer" } else { "answers" };
        let _ = write!(
            out,
            "<p class=\"note\">{from_file} {answers} came from an answers file, not from a person. They are marked below.</p>"
        );
    }
    out.push_str("</header>\n");
}

fn required(out: &mut String, report: &Report<'_>) {
    if report.required.is_empty() {
        return;
    }
    let yes =
        report.required.iter().filter(|r| matches!(r.produced, Produced::Yes | Produced::NotNeeded)).count();
    let mut body = format!(
        "<p class=\"lead\">{yes} of {} produced, or not needed.</p><div class=\"cards\">",
        report.required.len()
    );
    for r in &report.required {
        let (class, sign) = match r.produced {
            Produced::Yes => ("ok", "✓"),
            Produced::InPart => ("warn", "◐"),
            Produced::No => ("bad", "✗"),
            Produced::NotNeeded => ("dim", "–"),
        };
        let _ = write!(
            body,
            "<article class=\"card {class}\"><h3><span class=\"sign\">{sign}</span> {} <em>{}</em></h3>",
            escape(&r.title),
            r.produced.words()
        );
        if !r.why.is_empty() {
            let _ = write!(body, "<p>{}</p>", escape(&r.why));
        }
        if !r.evidence.is_empty() {
            body.push_str("<dl>");
            for (name, value) in &r.evidence {
                let _ = write!(body, "<dt>{}</dt><dd>{}</dd>", escape(name), escape(value));
            }
            body.push_str("</dl>");
        }
        for by in &r.by {
            let class = if by.ok { "ok" } else { "off" };
            let _ = write!(
                body,
                "<div class=\"by {class}\"><code>{}</code> {}",
                escape(&by.path),
                escape(&by.text)
            );
            list(&mut body, &by.details);
            body.push_str("</div>");
        }
        body.push_str("</article>");
    }
    body.push_str("</div>");
    section(out, "Required outputs", &body);
}

fn failures(out: &mut String, report: &Report<'_>) {
    if report.summary.failures.is_empty() {
        return;
    }
    let mut body = String::new();
    for f in &report.summary.failures {
        let class = if f.tolerated { "warn" } else { "bad" };
        let note = if f.tolerated { " <em>the run went on</em>" } else { "" };
        let at = f.at.map_or_else(String::new, |a| moment::time_of_day(a.wall_ms, &report.zone));
        let _ = write!(
            body,
            "<article class=\"failure {class}\"><h3><code>{}</code>{note} <time>{at}</time></h3><pre>{}</pre><p class=\"place\">{}</p>",
            escape(&f.path),
            escape(&f.message),
            escape(&f.place)
        );
        if let Some(hint) = &f.hint {
            let _ = write!(body, "<p>Hint: {}</p>", escape(hint));
        }
        body.push_str("</article>");
    }
    section(out, "Failures", &body);
}

fn rollback(out: &mut String, report: &Report<'_>) {
    if !report.tells_of_undoing() {
        return;
    }
    let s = &report.summary;
    let mut body = String::new();
    if let Some((by, to, at)) = &report.run.rollback_requested {
        let to = to.as_ref().map_or_else(String::new, |t| format!(", down to {}", t.path));
        let at = moment::date_time(at.wall_ms, &report.zone);
        let _ =
            write!(body, "<p class=\"lead\">Asked for by {} at {at}{}.</p>", escape(&by.name), escape(&to));
    }
    let mut table = |title: &str, class: &str, all: &[Brought]| {
        if all.is_empty() {
            return;
        }
        let _ = write!(body, "<h3 class=\"{class}\">{title}</h3><table class=\"pairs\"><tbody>");
        for b in all {
            let _ = write!(
                body,
                "<tr><th><code>{}</code></th><td>{}</td></tr>",
                escape(&b.path),
                escape(&b.text)
            );
        }
        body.push_str("</tbody></table>");
    };
    table("Undone", "ok", &s.undone);
    table("To be undone", "now", &s.undoing);
    table("To be decided", "warn", &s.asked);
    table("Undo failed", "bad", &s.stuck);
    table("Blocked by that", "bad", &s.blocked);
    table("Left as it is", "warn", &s.left);
    if !s.needed_none.is_empty() {
        let paths: Vec<String> =
            s.needed_none.iter().map(|p| format!("<code>{}</code>", escape(p))).collect();
        let _ = write!(body, "<h3>Needed no undo</h3><p class=\"paths\">{}</p>", paths.join(" "));
    }
    if s.undone.is_empty()
        && s.stuck.is_empty()
        && s.blocked.is_empty()
        && s.left.is_empty()
        && s.undoing.is_empty()
        && s.asked.is_empty()
    {
        body.insert_str(0, "<p class=\"lead\">There was nothing to undo.</p>");
    }
    section(out, &crate::exit::capital(&crate::exit::rolled_back(&report.tree)), &body);
}

fn steps(out: &mut String, report: &Report<'_>) {
    let head = "<thead><tr><th></th><th>Step</th><th>Status</th><th>Began</th><th>Took</th><th>Evidence</th></tr></thead>";
    let mut body = format!("<div class=\"scroll\"><table class=\"steps\">{head}<tbody>");
    for (depth, node) in report.steps() {
        step(&mut body, report, node, depth);
    }
    body.push_str("</tbody></table></div>");
    let undo = report.undo_steps();
    if !undo.is_empty() {
        let _ = write!(body, "<h3>Undo steps</h3><div class=\"scroll\"><table class=\"steps\">{head}<tbody>");
        undo.into_iter().for_each(|node| step(&mut body, report, node, 0));
        body.push_str("</tbody></table></div>");
    }
    section(out, "Steps", &body);
}

fn step(out: &mut String, report: &Report<'_>, node: &Node<'_>, depth: usize) {
    let (words, seen) = report.stands(node);
    let (sign, tone) = mark(seen, node.tolerated(), false);
    let class = class(tone);
    let name = if depth == 0 { node.path.as_str() } else { node.label() };
    let quiet = if matches!(node.status, Status::Skipped | Status::NotStarted) { " quiet" } else { "" };
    let scope = if node.is_scope() { " scope" } else { "" };
    let _ = write!(
        out,
        "<tr class=\"{class}{quiet}{scope}\"><td class=\"sign\">{sign}</td><td style=\"padding-left:{}em\"><code title=\"{}\">{}</code>",
        depth as f64 * 1.2 + 0.4,
        escape(&node.path),
        escape(name)
    );
    let title = node.title().unwrap_or(&node.entry.what);
    if node.item.is_none() && !title.is_empty() {
        let _ = write!(out, "<br/><span class=\"what\">{}</span>", escape(title));
    }
    if node.entry.policy.claimed {
        let _ = write!(out, "<br/><span class=\"what\">{}</span>", node.entry.effect_words());
    }
    if node.entry.pivot && node.item.is_none() {
        out.push_str(" <b class=\"pivot\">point of no return</b>");
    }
    let _ = write!(out, "</td><td>{words}");
    if let Some(task) = node.task {
        if let Some(reason) = task.skipped.as_deref().filter(|r| !r.is_empty()) {
            let _ = write!(out, "<br/><span class=\"what\">{}</span>", escape(reason));
        }
        if task.attempts.len() > 1 {
            let _ = write!(out, "<br/><span class=\"what\">{} attempts</span>", task.attempts.len());
        }
    }
    if node.undoing != Undoing::Nothing && !node.is_scope() {
        let _ = write!(out, "<br/><span class=\"undo\">↩ {}</span>", node.undoing.words());
    }
    let began = node.began.map_or_else(String::new, |b| moment::time_of_day(b.wall_ms, &report.zone));
    let took = node.ended.and_then(|e| node.took_ms(e.elapsed_ms)).map_or_else(String::new, moment::length);
    let _ = write!(out, "</td><td><time>{began}</time></td><td class=\"took\">{took}</td><td>");
    let failure = node.task.and_then(|t| t.failure.as_ref());
    if let Some(failure) =
        failure.filter(|_| matches!(node.status, Status::Failed | Status::NotDone | Status::InDoubt))
    {
        let _ = write!(out, "<div class=\"message\">{}</div>", escape(&failure.message));
    }
    list(out, &evidence(report.run, node));
    out.push_str("</td></tr>");
}

fn decisions(out: &mut String, report: &Report<'_>) {
    let decisions = report.decisions();
    if decisions.is_empty() {
        return;
    }
    let mut body = String::new();
    for decision in decisions {
        let q = decision.question;
        let _ = write!(
            body,
            "<article class=\"decision\"><h3><code>{}</code> {}</h3>",
            escape(&decision.about),
            escape(&q.text)
        );
        if !q.show.is_empty() {
            body.push_str("<dl>");
            for (name, shown) in q.shown(report.run) {
                let _ = write!(body, "<dt>{}</dt><dd>{}</dd>", escape(&name), escape(&shown));
            }
            body.push_str("</dl>");
        }
        body.push_str("<ul class=\"answers\">");
        if decision.answers.is_empty() && report.commands(q).is_empty() {
            body.push_str("<li>Nobody answered.</li>");
        }
        for next in report.commands(q) {
            let _ = write!(body, "<li>{}: <code>{}</code></li>", escape(&next.what), escape(&next.command));
        }
        for given in decision.answers {
            let at = moment::date_time(given.at.wall_ms, &report.zone);
            let comment = given.comment.as_ref().map_or_else(String::new, |c| format!(": “{}”", escape(c)));
            let void = if given.void { " <em>no longer counts</em>" } else { "" };
            let file = if given.via == runbook_wire::Via::AnswersFile { " class=\"file\"" } else { "" };
            let _ = write!(
                body,
                "<li{file}><time>{at}</time> {}{comment}{void}</li>",
                escape(&timeline::answer(given))
            );
        }
        body.push_str("</ul></article>");
    }
    section(out, "Decisions", &body);
}

fn what_happened(out: &mut String, report: &Report<'_>) {
    let mut body = String::from("<div class=\"scroll\"><table class=\"timeline\"><tbody>");
    for said in report.timeline.said.iter().filter(|s| s.weight > Weight::Detail) {
        let weight = if said.weight == Weight::Milestone { " milestone" } else { "" };
        let _ = write!(
            body,
            "<tr class=\"{}{weight}\"><td><time>{}</time></td><td class=\"took\">{}</td><td>",
            class(said.tone),
            moment::time_of_day(said.at.wall_ms, &report.zone),
            moment::clock(said.at.elapsed_ms)
        );
        if !said.about.is_empty() {
            let _ = write!(body, "<code>{}</code> ", escape(&said.about));
        }
        let _ = write!(body, "{}</td></tr>", escape(&said.text));
    }
    body.push_str("</tbody></table></div>");
    section(out, "Timeline", &body);
}

fn facts(out: &mut String, report: &Report<'_>) {
    let mut body = String::from("<dl class=\"facts\">");
    for (name, value) in report.facts() {
        let _ = write!(body, "<dt>{name}</dt><dd>{}</dd>", escape(&value));
    }
    body.push_str("</dl>");
    section(out, "About this record", &body);
}

fn pairs(out: &mut String, title: &str, pairs: &[(String, String)]) {
    if pairs.is_empty() {
        return;
    }
    let mut body = String::from("<table class=\"pairs\"><tbody>");
    for (name, value) in pairs {
        let _ = write!(body, "<tr><th><code>{}</code></th><td>{}</td></tr>", escape(name), escape(value));
    }
    body.push_str("</tbody></table>");
    section(out, title, &body);
}

fn list(out: &mut String, items: &[String]) {
    match items {
        [] => {}
        [one] => {
            let _ = write!(out, "<div class=\"details\">{}</div>", folded(one));
        }
        many => {
            out.push_str("<ul class=\"details\">");
            for item in many {
                let _ = write!(out, "<li>{}</li>", folded(item));
            }
            out.push_str("</ul>");
        }
    }
}

/// What takes more than about two lines shows how it begins, and the rest when somebody wants it.
fn folded(text: &str) -> String {
    const SHOWN: usize = 160;
    if text.chars().count() <= SHOWN + 40 {
        return escape(text);
    }
    let mut head: String = text.chars().take(SHOWN).collect();
    // Rather a whole statement than the beginning of a body.
    if let Some(at) = head.rfind("; ") {
        head.truncate(at);
    }
    format!("<details><summary>{}…</summary>{}</details>", escape(&head), escape(text))
}

fn section(out: &mut String, title: &str, body: &str) {
    if !body.is_empty() {
        let _ = writeln!(out, "<section><h2>{}</h2>{body}</section>", escape(title));
    }
}

fn class(tone: Tone) -> &'static str {
    match tone {
        Tone::Plain => "plain",
        Tone::Ok => "ok",
        Tone::Fail => "bad",
        Tone::Warn => "warn",
        Tone::Dim => "dim",
        Tone::Accent => "now",
    }
}

const STYLE: &str = "\
:root{--bg:#fff;--fg:#1c1917;--soft:#57534e;--line:#e7e5e4;--card:#fafaf9;--ok:#15803d;--okbg:#f0fdf4;--bad:#b91c1c;--badbg:#fef2f2;\
--warn:#b45309;--warnbg:#fffbeb;--now:#1d4ed8;--nowbg:#eff6ff}\
@media(prefers-color-scheme:dark){:root{--bg:#161618;--fg:#e7e5e4;--soft:#a8a29e;--line:#33302e;--card:#1d1d20;--ok:#4ade80;--okbg:#0f2417;\
--bad:#f87171;--badbg:#2c1212;--warn:#fbbf24;--warnbg:#2a1f08;--now:#93c5fd;--nowbg:#101c33}}\
*{box-sizing:border-box}body{margin:0;background:var(--bg);color:var(--fg);font:15px/1.5 system-ui,-apple-system,'Segoe UI',Helvetica,Arial,sans-serif}\
main{max-width:1080px;margin:0 auto;padding:28px 24px 64px}\
h1{font-size:27px;line-height:1.2;margin:4px 0 8px;letter-spacing:-.01em}h1 small{font-size:15px;font-weight:400;color:var(--soft);letter-spacing:0}\
h2{font-size:19px;margin:38px 0 12px;padding-bottom:6px;border-bottom:1px solid var(--line)}h3{font-size:15px;margin:0 0 6px}\
code,pre,time{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;font-size:.88em}time{color:var(--soft);white-space:nowrap}\
header{border-left:6px solid var(--c);background:var(--cbg);padding:18px 22px;border-radius:0 10px 10px 0}\
.status{margin:0;color:var(--c);font-weight:700;text-transform:uppercase;letter-spacing:.05em;font-size:13px}\
.summary{color:var(--soft);margin:0 0 8px;max-width:75ch}.headline{font-weight:600;margin:0 0 14px;max-width:75ch}\
.note{margin:12px 0 0;color:var(--warn);font-weight:600}.lead{color:var(--soft);margin:0 0 12px}\
.key{display:grid;grid-template-columns:repeat(auto-fit,minmax(170px,1fr));gap:10px 20px;margin:0}.key dt{color:var(--soft);font-size:12.5px}\
.key dd{margin:0;overflow-wrap:anywhere}\
.ok{--c:var(--ok);--cbg:var(--okbg)}.bad{--c:var(--bad);--cbg:var(--badbg)}.warn{--c:var(--warn);--cbg:var(--warnbg)}\
.now{--c:var(--now);--cbg:var(--nowbg)}.dim{--c:var(--soft);--cbg:var(--card)}.plain{--c:var(--fg);--cbg:var(--card)}\
.cards{display:grid;grid-template-columns:repeat(auto-fill,minmax(440px,1fr));gap:14px;align-items:start}\
.card,.failure,.decision{border:1px solid var(--line);border-left:4px solid var(--c,var(--line));border-radius:8px;padding:12px 16px;background:var(--card);min-width:0}\
.failure,.decision{margin-bottom:12px}.card h3 em,.failure em,.answers em{font-weight:400;font-style:normal;color:var(--c);font-size:13px;margin-left:4px}\
.card .sign{color:var(--c)}.card p,.decision p{margin:4px 0}\
.card dl,.decision dl,.facts{display:grid;grid-template-columns:max-content 1fr;gap:2px 14px;margin:6px 0}dt{color:var(--soft)}dd{margin:0;overflow-wrap:anywhere}\
.by{margin-top:6px;font-size:14px}.by code{font-weight:600}.by.off{color:var(--soft)}.by.off code{color:var(--bad)}\
.details{margin:2px 0 0;padding-left:18px;color:var(--soft);font-size:13px;overflow-wrap:anywhere}div.details{padding-left:0}td .details{padding-left:16px}td div.details{padding-left:0}\
summary{cursor:pointer}details[open]>summary{color:var(--fg)}\
.failure pre{margin:6px 0;white-space:pre-wrap;overflow-wrap:anywhere;color:var(--c)}.place{margin:0;color:var(--soft);font:13px ui-monospace,Menlo,Consolas,monospace}\
.failure time{float:right;font-weight:400}\
table{border-collapse:collapse;width:100%;font-size:14px}td,th{padding:6px 10px 6px 0;text-align:left;vertical-align:top;border-bottom:1px solid var(--line)}\
thead th{color:var(--soft);font-weight:500;font-size:13px}td.sign{color:var(--c);font-weight:700;width:1.6em;text-align:center}\
.steps td:nth-child(2){min-width:200px}.steps td:nth-child(3){min-width:110px}.what{color:var(--soft);font-size:13px}.undo{color:var(--ok);font-size:13px}\
.pivot{color:var(--bad);font-size:12px;font-weight:600}.message{color:var(--bad);overflow-wrap:anywhere}tr.quiet{opacity:.65}tr.scope code{font-weight:700}\
.took{white-space:nowrap;font-variant-numeric:tabular-nums}.pairs th{font-weight:400;white-space:nowrap;width:1%;padding-right:20px}.pairs td{overflow-wrap:anywhere}\
h3.ok,h3.bad,h3.warn,h3.now{color:var(--c);margin-top:14px}section>h3{margin-top:18px}.paths code{margin-right:8px}\
.answers{margin:6px 0 0;padding-left:18px}.answers .file{color:var(--warn)}\
.timeline td{padding-top:3px;padding-bottom:3px;border:0}.timeline td:last-child{width:100%;overflow-wrap:anywhere;color:var(--soft)}\
.timeline .milestone td:last-child{color:var(--c);font-weight:600}\
.scroll{overflow-x:auto}.gantt{width:100%;height:auto;font:12px system-ui,sans-serif}.gantt text{fill:var(--fg)}.gantt .axis,.gantt .took{fill:var(--soft);font-size:11px}\
.gantt .tick{stroke:var(--line);fill:none}.gantt .hatch{fill:var(--line)}.gantt g rect{fill:var(--c)}.gantt .dim rect{opacity:.5}.gantt .people rect{opacity:.45}\
.gantt .undo{--c:var(--now)}.gantt .label{font-family:ui-monospace,Menlo,Consolas,monospace;font-size:11px}\
.graph{max-width:100%;height:auto}\
@media(max-width:560px){.cards{grid-template-columns:1fr}}\
@media print{:root{--bg:#fff;--fg:#000;--soft:#444;--line:#ccc;--card:#fff;--ok:#15803d;--okbg:#fff;--bad:#b91c1c;--badbg:#fff;--warn:#92400e;--warnbg:#fff;\
--now:#1d4ed8;--nowbg:#fff}body{font-size:11pt}main{max-width:none;padding:0}.card,.failure,.decision,tr,header{break-inside:avoid}h2,h3{break-after:avoid}\
.cards{grid-template-columns:1fr 1fr}.scroll{overflow:visible}.graph{max-height:23cm}}";
