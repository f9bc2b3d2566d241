//! The environment that a run is planned for.

use std::collections::BTreeMap;

use runbook_step::{Map, Value};
use runbook_syntax::ast::{Data, Environment, Segment};
use runbook_syntax::{Diagnostic, Spanned, codes as syntax_codes};

use crate::codes;
use crate::library::Library;
use crate::report::Report;
use crate::request::Request;

/// The environment, as expressions and policies see it.
pub(crate) struct Setting<'a> {
    pub(crate) name: Option<String>,
    pub(crate) path: Option<&'a str>,
    pub(crate) doc: Option<&'a Environment>,
    /// `{name, vars, protected}`.
    pub(crate) value: Value,
    pub(crate) protected: bool,
    /// Role → people.
    pub(crate) roles: BTreeMap<&'a str, Vec<String>>,
    /// Who asks for the run, if that is known.
    pub(crate) requester: Option<&'a str>,
    /// An environment was asked for and could not be read, or none was asked for and the request is incomplete: what it
    /// holds is not known, and not missed.
    pub(crate) open: bool,
}

impl<'a> Setting<'a> {
    pub(crate) fn new(request: &'a Request, library: &'a Library, report: &Report) -> Setting<'a> {
        let doc = library.environment.as_deref();
        let vars = doc.map(|doc| vars(doc, report)).unwrap_or_default();
        let named = doc.and_then(|doc| doc.name.as_ref()).map(|name| name.value.clone());
        let name = named.or_else(|| request.environment.as_ref().map(|environment| environment.name.clone()));
        let protected = doc.is_some_and(|doc| doc.protected);
        let value = Map::from([
            ("name".to_owned(), name.clone().into()),
            ("protected".to_owned(), protected.into()),
            ("vars".to_owned(), Value::Map(vars)),
        ]);
        if let Some(answers) = doc.and_then(|doc| doc.answers.as_ref()).filter(|_| protected) {
            let message = "a protected environment has no answers file: people answer";
            let fault = Diagnostic::error(codes::ANSWERS_IN_PROTECTED, answers.span, message);
            report.push(fault.hint("Remove `answers`, or `protected` if this is no production."));
        }
        let people = |names: &Vec<Spanned<String>>| names.iter().map(|name| name.value.clone()).collect();
        let roles = doc.map(|doc| doc.roles.iter().map(|(role, names)| (role.value.as_str(), people(names))));
        Setting {
            name,
            path: request.environment.as_ref().map(|environment| environment.path.as_str()),
            doc,
            value: Value::Map(value),
            protected,
            roles: roles.into_iter().flatten().collect(),
            requester: request.requester.as_deref(),
            open: doc.is_none() && (request.incomplete || request.environment.is_some()),
        }
    }

    /// The environment's variables.
    pub(crate) fn vars(&self) -> Option<&Map> {
        self.value.as_map()?.get("vars")?.as_map()
    }
}

fn vars(doc: &Environment, report: &Report) -> Map {
    (doc.vars.iter())
        .filter_map(|(name, data)| {
            Some((name.value.clone(), constant(data, report, "a variable of an environment")?))
        })
        .collect()
}

/// The value of what stands in a file without expressions. One with expressions is reported; `what` it is says why.
pub(crate) fn constant(data: &Spanned<Data>, report: &Report, what: &str) -> Option<Value> {
    match value_of(&data.value) {
        Some(value) => Some(value),
        None => {
            let message = format!("{what} is fixed text: there are no expressions in it");
            let fault = Diagnostic::error(syntax_codes::EXPRESSION_NOT_ALLOWED, data.span, message);
            report.push(fault.hint("Write the value itself; a literal `${{` is written `$${{`."));
            None
        }
    }
}

/// `None` if there is an expression inside.
pub(crate) fn value_of(data: &Data) -> Option<Value> {
    Some(match data {
        Data::Null => Value::Null,
        Data::Bool(value) => Value::Bool(*value),
        Data::Int(value) => Value::Int(*value),
        Data::Float(value) => Value::Float(*value),
        Data::Text(text) => {
            let pieces = text.segments.iter().map(|segment| match segment {
                Segment::Literal(text) => Some(text.as_str()),
                Segment::Expr(_) => None,
            });
            Value::Str(pieces.collect::<Option<String>>()?)
        }
        Data::List(items) => {
            Value::List(items.iter().map(|item| value_of(&item.value)).collect::<Option<_>>()?)
        }
        Data::Map(entries) => {
            let entries =
                entries.iter().map(|(name, item)| Some((name.value.clone(), value_of(&item.value)?)));
            Value::Map(entries.collect::<Option<_>>()?)
        }
    })
}
