//! JSON Schema of a type: for editors, and for those who read our output.

use serde_json::{Value as Json, json};

use crate::Type;

/// What a duration looks like, as [`crate::parse_duration`] reads it.
const DURATION: &str = "^([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?([0-9]+ms)?$";

/// Text with an expression in it.
const EXPRESSION: &str = r"\$\{\{";

impl Type {
    /// The schema of a value as it is written in a file: wherever a value may stand, an expression may too.
    pub fn schema(&self) -> Json {
        let schema = self.literal_schema();
        match self {
            Type::Any | Type::Payload | Type::Secret { plain: true } => schema,
            Type::String { pattern: None, one_of } if one_of.is_empty() => schema,
            _ => json!({"anyOf": [schema, {"type": "string", "pattern": EXPRESSION}]}),
        }
    }

    fn literal_schema(&self) -> Json {
        match self {
            Type::Any | Type::Payload => json!({}),
            Type::String { one_of, .. } if !one_of.is_empty() => json!({"enum": one_of}),
            Type::String { pattern: Some(pattern), .. } => json!({"type": "string", "pattern": pattern}),
            Type::String { .. } | Type::Secret { .. } => json!({"type": "string"}),
            Type::File => json!({"type": "string", "minLength": 1}),
            Type::Integer { min, max } => bounded("integer", min.map(Json::from), max.map(Json::from)),
            Type::Number { min, max } => bounded("number", min.map(Json::from), max.map(Json::from)),
            Type::Boolean => json!({"type": "boolean"}),
            Type::Duration { .. } => json!({"type": "string", "minLength": 1, "pattern": DURATION}),
            Type::Comparison(_) => json!({"type": "string", "pattern": "^(<|<=|>|>=|==|!=) *-?[0-9]"}),
            Type::List(of) => json!({"type": "array", "items": of.schema()}),
            Type::Map { fields, extra } => {
                let properties: serde_json::Map<_, _> = fields
                    .iter()
                    .map(|field| (field.name.clone(), documented(field.ty.schema(), &field.doc)))
                    .collect();
                let required: Vec<_> =
                    fields.iter().filter(|field| field.required).map(|field| &field.name).collect();
                let extra = extra.as_ref().map_or(Json::Bool(false), |extra| extra.schema());
                object(properties, required, extra)
            }
            Type::Either(types) => {
                json!({"anyOf": types.iter().map(Type::literal_schema).collect::<Vec<_>>()})
            }
        }
    }
}

/// The schema of a map.
pub(crate) fn object(properties: serde_json::Map<String, Json>, required: Vec<&String>, extra: Json) -> Json {
    let mut schema = json!({"type": "object", "properties": properties, "additionalProperties": extra});
    if !required.is_empty() {
        schema["required"] = json!(required);
    }
    schema
}

/// A schema with its one line of documentation.
pub(crate) fn documented(mut schema: Json, doc: &str) -> Json {
    if !doc.is_empty() {
        schema["description"] = doc.into();
    }
    schema
}

fn bounded(kind: &str, min: Option<Json>, max: Option<Json>) -> Json {
    let mut schema = json!({"type": kind});
    if let Some(min) = min {
        schema["minimum"] = min;
    }
    if let Some(max) = max {
        schema["maximum"] = max;
    }
    schema
}
