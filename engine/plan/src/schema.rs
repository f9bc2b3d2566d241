//! The JSON Schema of the language, for editors: made from the tables that the parser itself reads and from the step
//! types' declarations, so that it cannot say anything else than they do.
//!
//! It never rejects a file that is right. Where a schema cannot tell (names, references, what expressions give) it lets
//! pass what the planner then reports.

use runbook_step::{Registry, Type};
use runbook_syntax::shape::{self, Key, Names, Place, Shape};
use serde_json::{Map as Object, Value as Json, json};

/// Step types that have keys of their own instead of `uses`.
const KEYED: [&str; 2] = ["run", "argv"];

/// The schema of a runbook or an environment, as draft 7, which editors know.
pub fn schema(registry: &Registry) -> Json {
    let mut definitions = Object::new();
    for place in shape::places() {
        definitions.insert(place.name.to_owned(), place_schema(place));
    }
    let mut uses = Vec::new();
    for step in registry.declarations().filter(|step| !KEYED.contains(&step.name)) {
        let name = parameters_of(step.name);
        let mut parameters = step.schema();
        if let Some(parameters) = parameters.as_object_mut() {
            // What is required may come from `defaults.with`.
            parameters.remove("required");
            parameters.remove("allOf");
        }
        definitions.insert(name.clone(), parameters);
        uses.push(json!({
            "if": {"properties": {"uses": {"const": step.name}}, "required": ["uses"]},
            "then": {"properties": {"with": reference(&name)}},
        }));
    }
    definitions.insert("parameters".to_owned(), json!({"allOf": uses}));
    let names = registry.declarations().filter(|step| !KEYED.contains(&step.name));
    let names: Vec<Json> =
        names.map(|step| json!({"const": step.name, "description": step.summary})).collect();
    definitions.insert("step type".to_owned(), json!({"oneOf": names}));
    json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "runbook",
        "description": "A runbook, or the environment that it runs in.",
        "type": "object",
        "if": {"properties": {"kind": {"const": "Environment"}}, "required": ["kind"]},
        "then": reference("environment"),
        "else": reference("runbook"),
        "definitions": definitions,
    })
}

fn reference(name: &str) -> Json {
    json!({"$ref": format!("#/definitions/{}", name.replace(' ', "%20"))})
}

fn parameters_of(step: &str) -> String {
    format!("with {step}")
}

fn place_schema(place: &'static Place) -> Json {
    let keys = || place.all_keys().filter(|key| key.enforced);
    let mut properties = Object::new();
    for key in keys() {
        let schema = documented(key_schema(key), key.doc);
        match properties.get_mut(key.name) {
            None => {
                properties.insert(key.name.to_owned(), schema);
            }
            // One key that means different things for different kinds; one that a place has of its own comes first.
            Some(known) if !key.with.is_empty() => *known = json!({"anyOf": [known.take(), schema]}),
            Some(_) => {}
        }
    }
    let own = |key: &Key| place.key(key.name, None).is_some_and(|found| std::ptr::eq(found, key));
    let required: Vec<&str> = keys().filter(|key| key.required && own(key)).map(|key| key.name).collect();
    let mut schema = json!({"type": "object", "properties": properties, "additionalProperties": false});
    if !required.is_empty() {
        schema["required"] = json!(required);
    }
    let kinds: Vec<Json> = (place.exactly_one.iter())
        .filter(|kind| place.key(kind, None).is_some_and(|key| key.enforced))
        .map(|kind| json!({"required": [kind]}))
        .collect();
    if !kinds.is_empty() {
        schema["oneOf"] = kinds.into();
    }
    let mut companions = Object::new();
    for key in keys().filter(|key| !key.with.is_empty()) {
        // Of a key that stands for several things, all kinds that have it.
        let same = place.all_keys().filter(|other| other.name == key.name).flat_map(|other| other.with);
        let with: Vec<Json> = same.map(|kind| json!({"required": [kind]})).collect();
        companions.insert(key.name.to_owned(), json!({"anyOf": with}));
    }
    if !companions.is_empty() {
        schema["dependencies"] = companions.into();
    }
    if place.exactly_one.contains(&"uses") {
        schema["allOf"] = json!([reference("parameters")]);
    }
    schema
}

fn key_schema(key: &Key) -> Json {
    match key.name {
        "uses" => reference("step type"),
        _ => shape_schema(&key.shape),
    }
}

fn shape_schema(shape: &Shape) -> Json {
    match shape {
        Shape::Text | Shape::Prose | Shape::Script => json!({"type": "string", "minLength": 1}),
        Shape::Name => json!({"type": "string", "pattern": NAME}),
        Shape::Template => json!({"type": ["string", "number", "boolean"]}),
        Shape::Data => json!({}),
        Shape::Duration => Type::Duration { min_ms: None, max_ms: None }.schema(),
        Shape::Count => Type::Integer { min: None, max: None }.schema(),
        Shape::Number => Type::Number { min: None, max: None }.schema(),
        Shape::Size => {
            let count = Type::Integer { min: None, max: None }.schema();
            json!({"anyOf": [count, {"type": "string", "pattern": "^[0-9]+%$"}, {"const": "rest"}]})
        }
        Shape::Bool => json!({"type": "boolean"}),
        Shape::OneOf(words) => json!({"enum": words}),
        Shape::Condition => json!({"type": ["string", "boolean"]}),
        Shape::Map(place) => reference(place.name),
        Shape::Entries(names, of) => {
            let mut schema = json!({"type": "object", "additionalProperties": shape_schema(of)});
            match names {
                Names::Any => {}
                Names::Name => schema["propertyNames"] = json!({"pattern": NAME}),
                Names::Variable => schema["propertyNames"] = json!({"pattern": "^[A-Za-z_][A-Za-z0-9_]*$"}),
            }
            schema
        }
        Shape::List(of) => json!({"type": "array", "items": shape_schema(of)}),
        Shape::Some(of) => json!({"type": "array", "items": shape_schema(of), "minItems": 1}),
        Shape::Either(shapes) => json!({"anyOf": shapes.iter().map(shape_schema).collect::<Vec<_>>()}),
    }
}

const NAME: &str = "^[a-z][a-z0-9_]*$";

/// In draft 7 nothing may stand beside a `$ref`, so that it is wrapped.
fn documented(schema: Json, doc: &str) -> Json {
    match schema.get("$ref") {
        Some(_) => json!({"allOf": [schema], "description": doc}),
        None => {
            let mut schema = schema;
            schema["description"] = doc.into();
            schema
        }
    }
}
