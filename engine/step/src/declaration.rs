//! A step type as data.

use crate::{Map, Resource, Type, TypeError, Value};

/// What running a step does to the world.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// Computes from its parameters; touches nothing. Needs no barrier, leaves nothing in doubt.
    Pure,
    /// Only looks.
    Read,
    /// Changes something; needs an undo, or a reason why not.
    Write,
    /// Tells somebody; a failure is reported, and fails the run only with `required: true`.
    Notify,
    /// The step's author says (`run`, `argv`, `http.request`): a write unless the step says `effect: read`.
    Declared,
}

/// Whether running a step twice is the same as running it once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Idempotence {
    /// It is: a step in doubt may simply run again.
    Idempotent,
    /// It is if the receiver honours the idempotency key.
    WithKey,
    /// It is not.
    No,
}

/// How a step type undoes itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UndoKind {
    /// It cannot, or there is nothing to undo (a read).
    None,
    /// [`crate::Step::undo`] puts back what `prepare` saw.
    Own {
        /// One line for the plan: "puts the file's previous content back".
        summary: &'static str,
    },
}

/// Whether a step type's `verify` can tell that an effect is there, and that it is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Check {
    /// `verify` exists.
    pub verify: bool,
    /// A mismatch proves that the effect did not happen (rather than "cannot tell").
    pub proves_absence: bool,
}

/// A resource that a step reads or writes, as a template over its parameters: `file:{path}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResourceUse {
    /// Resource kind, such as `file`, `http`, `process`.
    pub kind: &'static str,
    /// Names of parameters that identify it.
    pub by: &'static [&'static str],
    /// Whether it is written (else read).
    pub write: bool,
}

/// A parameter.
#[derive(Debug, Clone, PartialEq)]
pub struct Param {
    pub name: &'static str,
    pub ty: Type,
    pub required: bool,
    pub default: Option<Value>,
    /// One line; the reference page and completion show it.
    pub doc: &'static str,
    /// A parameter that decides what runs (a script, a statement): `${{ }}` in it is an error, values go through `env`
    /// or bound parameters.
    pub verbatim: bool,
    /// People read it: where the step is a notification, what was hidden in an output that it quotes stays hidden (`***`)
    /// and the step runs. In any other parameter such an output is an error, see `docs/design/secrets.md`.
    pub told: bool,
}

/// An output.
#[derive(Debug, Clone, PartialEq)]
pub struct Output {
    pub name: &'static str,
    pub ty: Type,
    pub doc: &'static str,
}

/// How many of several parameters may be given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Choice {
    /// One of them, or none.
    AtMostOne,
    /// One of them.
    ExactlyOne,
    /// One of them or more.
    AtLeastOne,
}

/// A step type as data. Made by [`crate::step_type!`], which takes the name and the page, and by the functions here.
#[derive(Debug, Clone, PartialEq)]
pub struct Declaration {
    /// `family.verb`, as in `uses:`.
    pub name: &'static str,
    /// One line: what it does.
    pub summary: &'static str,
    /// The reference page below the summary, Markdown.
    pub doc: String,
    pub params: Vec<Param>,
    /// Sets of parameters of which only so many may be given.
    pub choices: Vec<(Choice, &'static [&'static str])>,
    pub outputs: Vec<Output>,
    /// Further outputs take their names from the keys of this parameter (`get.select`), and are of any type.
    pub outputs_from: Option<&'static str>,
    /// Every parameter is also an output of the same name and type (`set`); unknown parameter names are allowed then.
    pub outputs_from_all: bool,
    /// Outputs are declared by the step itself under `outputs:` (scripts).
    pub outputs_declared: bool,
    pub effect: Effect,
    pub idempotence: Idempotence,
    pub undo: UndoKind,
    pub check: Check,
    pub resources: Vec<ResourceUse>,
    /// Which kind of worker runs it; `local` everywhere today. Kept so that another host of the kernel can route.
    pub worker: &'static str,
    /// May be used where a check is wanted: `wait.until`, `guard`, `verify`, `assert_target`, `require`, `between`.
    pub is_check: bool,
}

impl Param {
    /// A parameter that must be given.
    pub fn required(name: &'static str, ty: Type) -> Self {
        Param { name, ty, required: true, default: None, doc: "", verbatim: false, told: false }
    }

    /// A parameter that may be left out.
    pub fn optional(name: &'static str, ty: Type) -> Self {
        Param { required: false, ..Param::required(name, ty) }
    }

    /// One line for the reference page and completion.
    #[must_use]
    pub fn doc(mut self, doc: &'static str) -> Self {
        self.doc = doc;
        self
    }

    /// What it is when it is left out, as a file would write it (a duration as `"10s"`).
    ///
    /// # Panics
    /// If the default is not of the parameter's type: a mistake in the declaration, found by any test that looks at it.
    #[must_use]
    pub fn default(mut self, value: impl Into<Value>) -> Self {
        self.default = match self.ty.literal(value.into()) {
            Ok(value) => Some(value),
            Err(error) => panic!("the default of `{}`: {error}", self.name),
        };
        self.required = false;
        self
    }

    /// It decides what runs: no `${{ }}` in it.
    #[must_use]
    pub fn verbatim(mut self) -> Self {
        self.verbatim = true;
        self
    }

    /// It is what a notification tells people, and nothing that decides whom, or what else is done.
    #[must_use]
    pub fn told(mut self) -> Self {
        self.told = true;
        self
    }
}

impl Output {
    /// An output; its doc line says what it is, and in which unit.
    pub fn new(name: &'static str, ty: Type, doc: &'static str) -> Self {
        Output { name, ty, doc }
    }
}

impl Declaration {
    /// A step type that only looks, has no parameters and no outputs: what the other functions start from.
    pub fn new(name: &'static str) -> Self {
        Declaration {
            name,
            summary: "",
            doc: String::new(),
            params: Vec::new(),
            choices: Vec::new(),
            outputs: Vec::new(),
            outputs_from: None,
            outputs_from_all: false,
            outputs_declared: false,
            effect: Effect::Read,
            idempotence: Idempotence::Idempotent,
            undo: UndoKind::None,
            check: Check { verify: false, proves_absence: false },
            resources: Vec::new(),
            worker: "local",
            is_check: false,
        }
    }

    /// One line: what it does.
    #[must_use]
    pub fn summary(mut self, summary: &'static str) -> Self {
        self.summary = summary;
        self
    }

    /// The reference page below the summary, Markdown.
    #[must_use]
    pub fn doc(mut self, doc: impl Into<String>) -> Self {
        self.doc = doc.into();
        self
    }

    /// Adds a parameter. The order is the reference page's.
    #[must_use]
    pub fn param(mut self, param: Param) -> Self {
        self.params.push(param);
        self
    }

    /// Of these parameters only so many may be given.
    #[must_use]
    pub fn choice(mut self, choice: Choice, names: &'static [&'static str]) -> Self {
        self.choices.push((choice, names));
        self
    }

    /// Adds an output.
    #[must_use]
    pub fn output(mut self, name: &'static str, ty: Type, doc: &'static str) -> Self {
        self.outputs.push(Output::new(name, ty, doc));
        self
    }

    /// Further outputs are named by the keys of this parameter.
    #[must_use]
    pub fn outputs_from(mut self, param: &'static str) -> Self {
        self.outputs_from = Some(param);
        self
    }

    /// Every parameter is an output.
    #[must_use]
    pub fn outputs_from_all(mut self) -> Self {
        self.outputs_from_all = true;
        self
    }

    /// The step in the file declares its outputs.
    #[must_use]
    pub fn outputs_declared(mut self) -> Self {
        self.outputs_declared = true;
        self
    }

    /// Computes, touches nothing.
    #[must_use]
    pub fn pure(mut self) -> Self {
        self.effect = Effect::Pure;
        self
    }

    /// It says whether something holds, and changes nothing: may stand wherever a check may.
    #[must_use]
    pub fn checks(mut self) -> Self {
        self.is_check = true;
        self
    }

    /// Changes something.
    #[must_use]
    pub fn writes(mut self, idempotence: Idempotence) -> Self {
        self.effect = Effect::Write;
        self.idempotence = idempotence;
        self
    }

    /// Tells somebody.
    #[must_use]
    pub fn notifies(mut self, idempotence: Idempotence) -> Self {
        self.effect = Effect::Notify;
        self.idempotence = idempotence;
        self
    }

    /// The step in the file says whether it writes.
    #[must_use]
    pub fn effect_declared(mut self, idempotence: Idempotence) -> Self {
        self.effect = Effect::Declared;
        self.idempotence = idempotence;
        self
    }

    /// It has an `undo`; one line says what that does.
    #[must_use]
    pub fn undo(mut self, summary: &'static str) -> Self {
        self.undo = UndoKind::Own { summary };
        self
    }

    /// It has a `verify`.
    #[must_use]
    pub fn verify(mut self, proves_absence: bool) -> Self {
        self.check = Check { verify: true, proves_absence };
        self
    }

    /// It reads a resource of this kind, identified by these parameters.
    #[must_use]
    pub fn reads_resource(mut self, kind: &'static str, by: &'static [&'static str]) -> Self {
        self.resources.push(ResourceUse { kind, by, write: false });
        self
    }

    /// It writes a resource of this kind, identified by these parameters.
    #[must_use]
    pub fn writes_resource(mut self, kind: &'static str, by: &'static [&'static str]) -> Self {
        self.resources.push(ResourceUse { kind, by, write: true });
        self
    }

    /// The parameter of this name.
    pub fn find_param(&self, name: &str) -> Option<&Param> {
        self.params.iter().find(|param| param.name == name)
    }

    /// The parameters of one call, from rendered values: checked, converted, defaults filled in. `null` for a parameter
    /// that may be left out is the same as leaving it out.
    pub fn fill(&self, given: Map) -> Result<Map, Vec<TypeError>> {
        let mut faults = self.shape_faults(|name| given.get(name).is_some_and(|value| !value.is_null()));
        faults.extend(given.keys().filter_map(|name| self.unknown_name(name)));
        let mut params = Map::new();
        for (name, value) in given {
            let ty = match self.find_param(&name) {
                Some(_) if value.is_null() => continue,
                Some(param) => &param.ty,
                None => &Type::Any,
            };
            match ty.coerce_faults(value) {
                Ok(value) => drop(params.insert(name, value)),
                Err(inside) => faults.extend(inside.into_iter().map(|error| error.inside(&name))),
            }
        }
        if !faults.is_empty() {
            return Err(faults);
        }
        for param in &self.params {
            if let Some(default) = &param.default {
                params.entry(param.name.to_owned()).or_insert_with(|| default.clone());
            }
        }
        Ok(params)
    }

    /// The parameters of one call, from the JSON that the journal holds.
    pub fn decode(&self, stored: &serde_json::Map<String, serde_json::Value>) -> Result<Map, Vec<TypeError>> {
        let mut faults = Vec::new();
        let mut params = Map::new();
        for (name, json) in stored {
            let ty = self.find_param(name).map_or(&Type::Any, |param| &param.ty);
            match ty.decode(json) {
                Ok(value) => drop(params.insert(name.clone(), value)),
                Err(error) => faults.push(error.inside(name)),
            }
        }
        if faults.is_empty() { Ok(params) } else { Err(faults) }
    }

    /// What is wrong with parameters as a file writes them. `unknown` names those that stand there but whose value is
    /// not known before the run (an expression): they count as given, and their value is not looked at.
    pub fn faults(&self, written: Map, unknown: &[&str]) -> Vec<TypeError> {
        let mut faults = self.shape_faults(|name| {
            unknown.contains(&name) || written.get(name).is_some_and(|value| !value.is_null())
        });
        let mut names = written.keys().map(String::as_str).chain(unknown.iter().copied());
        faults.extend(names.by_ref().filter_map(|name| self.unknown_name(name)));
        for (name, value) in written {
            if let Some(param) = self.find_param(&name).filter(|_| !value.is_null())
                && let Err(inside) = param.ty.literal_faults(value)
            {
                faults.extend(inside.into_iter().map(|error| error.inside(&name)));
            }
        }
        faults
    }

    /// The resources that a call with these parameters touches, and whether it writes them.
    pub fn touches(&self, params: &Map) -> Vec<(Resource, bool)> {
        let part = |name: &&str| params.get(*name).map(ToString::to_string).unwrap_or_default();
        let resource = |used: &ResourceUse| Resource {
            kind: used.kind.to_owned(),
            id: used.by.iter().map(part).collect::<Vec<_>>().join(" "),
        };
        self.resources.iter().map(|used| (resource(used), used.write)).collect()
    }

    /// What is missing, and what does not go together.
    fn shape_faults(&self, given: impl Fn(&str) -> bool) -> Vec<TypeError> {
        let fault = |message| TypeError { path: String::new(), message };
        let missing = self.params.iter().filter(|param| param.required && !given(param.name));
        let mut faults: Vec<_> =
            missing.map(|param| fault(format!("`{}` is missing: {}", param.name, param.ty))).collect();
        for (choice, names) in &self.choices {
            let count = names.iter().filter(|name| given(name)).count();
            let wanted = match (choice, count) {
                (Choice::AtMostOne, 2..) => "at most one",
                (Choice::ExactlyOne, 0 | 2..) => "exactly one",
                (Choice::AtLeastOne, 0) => "at least one",
                _ => continue,
            };
            let names: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
            faults.push(fault(format!("give {wanted} of {}", names.join(", "))));
        }
        faults
    }

    fn unknown_name(&self, name: &str) -> Option<TypeError> {
        (!self.outputs_from_all && self.find_param(name).is_none()).then(|| {
            let known: Vec<_> = self.params.iter().map(|param| format!("`{}`", param.name)).collect();
            let message = match known.is_empty() {
                true => format!("`{}` takes no parameters", self.name),
                false => format!("unknown parameter; `{}` takes {}", self.name, known.join(", ")),
            };
            TypeError { path: name.to_owned(), message }
        })
    }
}

#[cfg(test)]
mod tests;
