//! JSON Schema of a step type's parameters, and the declaration itself as JSON: for editors, completion and plugins.

use serde_json::{Value as Json, json};

use crate::types::schema::{documented, object};
use crate::{Choice, Declaration, Effect, Idempotence, Type, UndoKind};

impl Declaration {
    /// The schema of `with:`.
    pub fn schema(&self) -> Json {
        let properties = self.params.iter().map(|param| {
            let mut schema = documented(param.ty.schema(), param.doc);
            if let Some(default) = &param.default {
                schema["default"] = param.ty.written(default).to_json();
            }
            (param.name.to_owned(), schema)
        });
        let required: Vec<_> =
            self.params.iter().filter(|param| param.required).map(|param| param.name.to_owned()).collect();
        let extra = if self.outputs_from_all { json!({}) } else { Json::Bool(false) };
        let mut schema = object(properties.collect(), required.iter().collect(), extra);
        let choices: Vec<_> =
            self.choices.iter().map(|(choice, names)| choice_schema(*choice, names)).collect();
        if !choices.is_empty() {
            schema["allOf"] = choices.into();
        }
        schema
    }

    /// The declaration as JSON, for `runbook steps -o json`.
    pub fn to_json(&self) -> Json {
        json!({
            "name": self.name,
            "summary": self.summary,
            "doc": self.doc,
            "effect": self.effect.word(),
            "idempotent": self.idempotence.word(),
            "undo": match self.undo { UndoKind::None => Json::Null, UndoKind::Own { summary } => summary.into() },
            "verify": self.check.verify,
            "check": self.is_check,
            "worker": self.worker,
            "with": self.schema(),
            "outputs": self.outputs.iter().map(|output| json!({
                "name": output.name, "type": output.ty.to_string(), "doc": output.doc,
            })).collect::<Vec<_>>(),
            "resources": self.resources.iter().map(|used| json!({
                "kind": used.kind, "by": used.by, "write": used.write,
            })).collect::<Vec<_>>(),
        })
    }
}

fn choice_schema(choice: Choice, names: &[&str]) -> Json {
    let each: Vec<_> = names.iter().map(|name| json!({"required": [name]})).collect();
    match choice {
        Choice::ExactlyOne => json!({"oneOf": each}),
        Choice::AtLeastOne => json!({"anyOf": each}),
        Choice::AtMostOne => {
            let none = json!({"not": {"anyOf": each}});
            json!({"oneOf": std::iter::once(none).chain(each).collect::<Vec<_>>()})
        }
    }
}

impl Effect {
    /// `pure`, `read`, `write`, `notify`, `declared`.
    pub fn word(self) -> &'static str {
        match self {
            Effect::Pure => "pure",
            Effect::Read => "read",
            Effect::Write => "write",
            Effect::Notify => "notify",
            Effect::Declared => "declared",
        }
    }
}

impl Idempotence {
    /// `yes`, `with_key`, `no`.
    pub fn word(self) -> &'static str {
        match self {
            Idempotence::Idempotent => "yes",
            Idempotence::WithKey => "with_key",
            Idempotence::No => "no",
        }
    }
}

impl Type {
    /// A value of this type as a file writes it: a duration with its units.
    pub fn written(&self, value: &crate::Value) -> crate::Value {
        match (self, value) {
            (Type::Duration { .. }, crate::Value::Int(ms)) => {
                crate::format_duration(ms.unsigned_abs()).into()
            }
            _ => value.clone(),
        }
    }
}
