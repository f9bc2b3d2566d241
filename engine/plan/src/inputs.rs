//! The inputs of each module: their declarations, and the values that are known before the run.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use runbook_step::{Map, Secret, Type, Value};
use runbook_syntax::ast::{Data, InputDecl, Runbook, SecretDecl, Segment};
use runbook_syntax::{Diagnostic, Span, Spanned};

use crate::codes;
use crate::library::Library;
use crate::model::{InputSpec, ModuleId, Plan, SecretSpec};
use crate::report::Report;
use crate::request::{Given, GivenValue, Request};
use crate::setting::{Setting, value_of};
use crate::types::{Types, value_fault};

/// The inputs of a module.
#[derive(Debug, Default)]
pub(crate) struct Inputs {
    pub(crate) specs: Vec<InputSpec>,
    /// Values that are known before the run. One that is declared and not here is only known in the run.
    pub(crate) known: Map,
    /// Inputs whose value was given and wrong, or required and missing: not to be complained about again.
    pub(crate) broken: BTreeSet<String>,
    /// Files that the values of the runbook that was asked for name (`type: file`), and where each value stands.
    pub(crate) files: Vec<(String, Span)>,
    /// Inputs that depend on what an incomplete request leaves open.
    pub(crate) open: BTreeSet<String>,
    /// Where each stands in `specs`.
    places: HashMap<String, usize>,
}

impl Inputs {
    /// The declared inputs of a runbook. A default that does not fit is reported; a secret's is not known here.
    pub(crate) fn declared(decls: &[(Spanned<String>, InputDecl)], types: &Types<'_>) -> Inputs {
        let report = types.report;
        let mut inputs = Inputs::default();
        for (name, decl) in decls {
            let ty = types.declared(&decl.ty);
            let default = decl.default.as_ref().and_then(|default| {
                if secret_path(&default.value).is_some() && ty.admits_secret() {
                    return None;
                }
                let Some(value) = value_of(&default.value) else {
                    let message = "a default is fixed: there are no expressions in it";
                    let hint =
                        "Let the expression stand where the input is read: `${{ inputs.x | default(…) }}`.";
                    report.push(Diagnostic::error(codes::NOT_FIXED, default.span, message).hint(hint));
                    return None;
                };
                // `default: null` makes an input optional, whatever its type.
                if value.is_null() {
                    return Some(value);
                }
                match ty.literal(value) {
                    Ok(value) => Some(value),
                    Err(error) => {
                        let message = format!("the default does not fit: {error}");
                        report.push(value_fault(codes::VALUE_TYPE, default.span, message, &ty));
                        inputs.broken.insert(name.value.clone());
                        None
                    }
                }
            });
            let optional =
                decl.default.is_some() || decl.required.as_ref().is_some_and(|required| !required.value);
            inputs.places.insert(name.value.clone(), inputs.specs.len());
            inputs.specs.push(InputSpec {
                name: name.value.clone(),
                ty,
                default,
                required: !optional,
                prompt: decl.prompt.as_ref().map(|prompt| prompt.value.clone()),
                summary: decl.summary.as_ref().map(|summary| summary.value.clone()),
            });
        }
        inputs
    }

    pub(crate) fn spec(&self, name: &str) -> Option<&InputSpec> {
        self.places.get(name).map(|place| &self.specs[*place])
    }
}

/// `secrets.NAME`, where a value is exactly that.
pub(crate) fn secret_path(data: &Data) -> Option<&str> {
    let Data::Text(text) = data else { return None };
    match text.segments.as_slice() {
        [Segment::Expr(expr)] => {
            expr.source.strip_prefix("secrets.").filter(|name| !name.contains(['.', ' ', '|']))
        }
        _ => None,
    }
}

/// What the inputs of the runbook that was asked for came to.
pub(crate) struct Root {
    pub(crate) inputs: Inputs,
    /// Providers of secret inputs, by the name under which the plan knows them.
    pub(crate) secrets: BTreeMap<String, SecretSpec>,
    /// Required inputs without a value.
    pub(crate) missing: Vec<String>,
}

/// Gives the runbook that was asked for its inputs: what was given, then the environment's, then defaults.
pub(crate) fn give(
    mut inputs: Inputs,
    runbook: &Runbook,
    request: &Request,
    setting: &Setting<'_>,
    library: &Library,
    report: &Report,
) -> Root {
    let (decls, secret_decls) = (&runbook.inputs, &runbook.secrets);
    let mut secrets = BTreeMap::new();
    let places = || request.inputs.iter().zip(library.given.iter().copied());
    for (given, span) in places() {
        match inputs.spec(&given.name) {
            Some(_) => {}
            None => {
                let message = format!("the runbook has no input `{}`", given.name);
                let names = inputs.specs.iter().map(|spec| spec.name.as_str());
                let hint = (report.which_of(&given.name, names))
                    .or_else(|| inputs.specs.is_empty().then(|| "It has no inputs.".into()));
                report.push(Diagnostic::error(codes::INPUT_UNDECLARED, span, message).maybe_hint(hint));
            }
        }
    }
    let mut missing = Vec::new();
    for (spec, (_, decl)) in inputs.specs.iter().zip(decls) {
        let given = places().rev().find(|(given, _)| given.name == spec.name);
        let of_environment =
            setting.doc.and_then(|doc| doc.inputs.iter().find(|(name, _)| name.value == spec.name));
        let at = match (given, of_environment, &decl.default) {
            (Some((_, span)), ..) => span,
            (None, Some((_, data)), _) | (None, None, Some(data)) => data.span,
            (None, None, None) => decl.span,
        };
        let found = match (given, of_environment) {
            (Some((given, span)), _) => typed(spec, given, &mut secrets).map_err(|error| {
                // What was given by value may be the secret itself: it is not shown.
                (if matches!(spec.ty, Type::Secret { .. }) { decl.span } else { span }, error)
            }),
            (None, Some((_, data))) => {
                let secrets = setting.doc.map_or(&[][..], |doc| &doc.secrets);
                from_file(spec, data, ModuleId::ENVIRONMENT, secrets).map_err(|error| (data.span, error))
            }
            (None, None) => match &decl.default {
                Some(default) if secret_path(&default.value).is_some() => {
                    from_file(spec, default, ModuleId::ROOT, secret_decls)
                        .map_err(|error| (default.span, error))
                }
                _ => Ok(spec.default.clone()),
            },
        };
        match found {
            Ok(Some(value)) => {
                files(&spec.ty, &value, &mut |path| inputs.files.push((path.to_owned(), at)));
                inputs.known.insert(spec.name.clone(), value);
            }
            Ok(None) if inputs.broken.contains(&spec.name) => {}
            Ok(None) if spec.required => missing.push(spec.name.clone()),
            Ok(None) => {
                inputs.known.insert(spec.name.clone(), Value::Null);
            }
            Err((span, error)) => {
                let message = format!("input `{}`: {error}", spec.name);
                let fault = value_fault(codes::INPUT_VALUE, span, message, &spec.ty);
                report.push(fault.also(decl.span, "declared here"));
                inputs.broken.insert(spec.name.clone());
            }
        }
    }
    if !request.incomplete {
        for name in &missing {
            if let Some((at, _)) = decls.iter().find(|(other, _)| other.value == *name) {
                let fault =
                    Diagnostic::error(codes::INPUT_MISSING, at.span, format!("input `{name}` has no value"));
                report.push(fault.hint(format!("Give it: `-i {name}=…`.")));
            }
        }
    }
    Root { inputs, secrets, missing }
}

/// The files that a value names, as its type says.
fn files(ty: &Type, value: &Value, found: &mut dyn FnMut(&str)) {
    match (ty, value) {
        (Type::File, Value::Str(path)) => found(path),
        (Type::List(of), Value::List(items)) => items.iter().for_each(|item| files(of, item, found)),
        (Type::Map { fields, extra }, Value::Map(entries)) => {
            for (name, entry) in entries {
                let field = fields.iter().find(|field| field.name == *name).map(|field| &field.ty);
                if let Some(ty) = field.or(extra.as_deref()) {
                    files(ty, entry, found);
                }
            }
        }
        _ => {}
    }
}

/// A value that was given from outside.
fn typed(
    spec: &InputSpec,
    given: &Given,
    secrets: &mut BTreeMap<String, SecretSpec>,
) -> Result<Option<Value>, String> {
    if matches!(spec.ty, Type::Secret { .. }) {
        let text = match &given.value {
            GivenValue::Text(text) => Some(text.as_str()),
            GivenValue::Json(json) => json.as_str(),
        };
        let provider = text.and_then(provider).ok_or(BY_REFERENCE)?;
        let name = format!("inputs.{}", spec.name);
        secrets.insert(name.clone(), provider);
        return Ok(Some(Value::Secret(Secret::named(name))));
    }
    let value = match &given.value {
        GivenValue::Text(text) => spec.ty.parse(text),
        GivenValue::Json(json) => spec.ty.literal(Value::from_json(json.clone())),
    };
    value.map(Some).map_err(|error| error.to_string())
}

const BY_REFERENCE: &str =
    "a secret is given by reference: `env:NAME`, `file:PATH` or `command:PROGRAM ARGUMENTS`, never by value";

/// Whether a text may be given for an input of this type, on a command line or when it is asked for.
///
/// # Errors
/// What is wrong with it, for people.
pub fn may_be_given(ty: &Type, text: &str) -> Result<(), String> {
    match ty {
        Type::Secret { .. } => provider(text).map(drop).ok_or_else(|| BY_REFERENCE.to_owned()),
        _ => ty.parse(text).map(drop).map_err(|error| error.to_string()),
    }
}

fn provider(text: &str) -> Option<SecretSpec> {
    let (kind, rest) = text.split_once(':').filter(|(_, rest)| !rest.is_empty())?;
    match kind {
        "env" => Some(SecretSpec::Env(rest.to_owned())),
        "file" => Some(SecretSpec::File(rest.to_owned())),
        "command" => Some(SecretSpec::Command(rest.split_whitespace().map(str::to_owned).collect())),
        _ => None,
    }
}

/// A value that a file gives. `module`: the one whose secrets it may name.
fn from_file(
    spec: &InputSpec,
    data: &Spanned<Data>,
    module: ModuleId,
    secrets: &[(Spanned<String>, SecretDecl)],
) -> Result<Option<Value>, String> {
    if let Some(name) = secret_path(&data.value) {
        if !spec.ty.admits_secret() {
            return Err("only an input of type `secret` takes a secret".into());
        }
        if secrets.iter().all(|(declared, _)| declared.value != name) {
            return Err(format!("there is no secret `{name}` in this file"));
        }
        return Ok(Some(Value::Secret(Secret::named(Plan::secret_name(module, name)))));
    }
    match value_of(&data.value) {
        Some(value) => spec.ty.literal(value).map(Some).map_err(|error| error.to_string()),
        None => Err("this value is fixed: there are no expressions in it".into()),
    }
}
