//! `runbook graph FILE`.

use clap::{Args, ValueEnum};
use runbook_view::graph;

use crate::args::{Format, Global};
use crate::error::{CommandError, Exit};
use crate::output;
use crate::target::Target;

/// Draw a runbook's steps as a graph: what waits for what, what is undone how, where the point of no return is.
#[derive(Debug, Args)]
pub(crate) struct Graph {
    #[command(flatten)]
    target: Target,
    /// The format.
    #[arg(short, long, value_enum, default_value_t = Kind::Mermaid)]
    format: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// For Markdown: GitHub and GitLab draw it.
    Mermaid,
    /// For graphviz.
    Dot,
    /// A picture.
    Svg,
}

pub(crate) fn run(command: &Graph, global: &Global) -> Result<Exit, CommandError> {
    if global.output == Format::Json {
        return Err(CommandError::usage("graph draws pictures, and has no JSON")
            .hint("`runbook plan FILE -o json` has the steps and what they need"));
    }
    let planned = command.target.plan(true, Vec::new())?;
    let (plan, _, _) = command.target.plan_or_show(planned, global)?;
    let graph = graph::Graph::of(&plan.outline);
    output::data(&match command.format {
        Kind::Mermaid => graph::mermaid(&graph),
        Kind::Dot => graph::dot(&graph),
        Kind::Svg => graph::svg(&graph, true),
    })?;
    Ok(Exit::SUCCESS)
}
