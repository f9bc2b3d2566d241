//! Step types on a stage that a test sets: they change named things there, and do as they are told.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};

use runbook_step::{
    BoxFuture, Call, Context, Declaration, Failure, FailureKind, Idempotence, Map, Outcome, Param, Registry,
    Step, Success, Type, Value, Verdict,
};

/// What the steps act on.
#[derive(Clone, Default)]
pub(crate) struct Stage(Arc<Mutex<Things>>);

#[derive(Default)]
pub(crate) struct Things {
    /// What is there.
    pub(crate) there: BTreeSet<String>,
    /// What was done, in order: `do deploy`, `undo deploy`.
    pub(crate) done: Vec<String>,
    /// How the next calls for a name go; then all go well.
    script: BTreeMap<String, VecDeque<Way>>,
    /// What else happens when a thing is put, or looked at.
    asides: BTreeMap<String, Box<dyn Fn() + Send>>,
}

/// How a call goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    Done,
    Warning,
    /// Half of it happened.
    Failed,
    NotDone,
    /// It happened, but the answer is lost.
    LostAfter,
    /// It did not happen, and nobody knows.
    LostBefore,
    /// Does not end before it is told to.
    Hangs,
    /// Does not end at all.
    Deaf,
    /// Takes three seconds to look.
    Slow,
}

impl Stage {
    pub(crate) fn things(&self) -> MutexGuard<'_, Things> {
        self.0.lock().unwrap()
    }

    /// The next calls for this name go so.
    pub(crate) fn next(&self, name: &str, ways: &[Way]) {
        self.things().script.entry(name.to_owned()).or_default().extend(ways);
    }

    /// When this thing is put, that happens too.
    pub(crate) fn when_put(&self, name: &str, aside: impl Fn() + Send + 'static) {
        self.things().asides.insert(name.to_owned(), Box::new(aside));
    }

    /// When somebody looks at this thing, that happens too.
    pub(crate) fn when_looked_at(&self, name: &str, aside: impl Fn() + Send + 'static) {
        self.things().asides.insert(format!("look {name}"), Box::new(aside));
    }

    pub(crate) fn done(&self) -> Vec<String> {
        self.things().done.clone()
    }

    pub(crate) fn there(&self) -> Vec<String> {
        self.things().there.iter().cloned().collect()
    }

    fn way(&self, name: &str) -> Way {
        self.things().script.get_mut(name).and_then(VecDeque::pop_front).unwrap_or(Way::Done)
    }

    /// `stage.put`, `stage.tell`, `stage.look`, `stage.seen`, `stage.missing`, and the standard ones.
    pub(crate) fn registry(&self) -> Registry {
        let mut registry = runbook_stdlib::registry();
        let name = || Param::required("name", Type::string());
        let put = Declaration::new("stage.put")
            .writes(Idempotence::No)
            .param(name())
            .param(Param::optional("keep", Type::Any))
            .output("put", Type::string(), "The name.")
            .output("before", Type::integer(), "How many things were there.")
            .undo("takes it away")
            .verify(true);
        registry.add(Put { stage: self.clone(), declaration: put });
        let blind =
            Declaration::new("stage.blind").writes(Idempotence::No).param(name()).undo("takes it away");
        registry.add(Put { stage: self.clone(), declaration: blind });
        let tell = Declaration::new("stage.tell").notifies(Idempotence::No).param(name());
        registry.add(Put { stage: self.clone(), declaration: tell });
        let look = Declaration::new("stage.look").param(name()).output(
            "there",
            Type::Boolean,
            "Whether it is there.",
        );
        registry.add(Look { stage: self.clone(), declaration: look });
        let seen = Declaration::new("stage.seen").checks().param(name());
        registry.add(Look { stage: self.clone(), declaration: seen });
        let missing = Declaration::new("stage.missing").checks().param(name());
        registry.add(Look { stage: self.clone(), declaration: missing });
        registry
    }
}

struct Put {
    stage: Stage,
    declaration: Declaration,
}

impl Step for Put {
    fn declaration(&self) -> &Declaration {
        &self.declaration
    }

    fn prepare<'a>(
        &'a self,
        _call: &'a Call,
        _ctx: &'a dyn Context,
    ) -> BoxFuture<'a, Result<Value, Failure>> {
        Box::pin(async move {
            let before = self.stage.things().there.len();
            Ok(Value::Map(Map::from([("before".to_owned(), Value::Int(before as i64))])))
        })
    }

    fn run<'a>(&'a self, call: &'a Call, ctx: &'a dyn Context) -> BoxFuture<'a, Outcome> {
        Box::pin(async move {
            let name = call.str("name").unwrap().to_owned();
            let put = || {
                let mut things = self.stage.things();
                things.done.push(format!("do {name}"));
                things.there.insert(name.clone());
                if let Some(aside) = things.asides.get(&name) {
                    aside();
                }
            };
            let success = || {
                let success = Success::default();
                if self.declaration.name != "stage.put" {
                    return success;
                }
                let before = call.prepared("before").cloned().unwrap_or_default();
                success.output("put", name.as_str()).output("before", before)
            };
            ctx.log(runbook_step::LogStream::Note, &format!("attempt {}", call.attempt));
            match self.stage.way(&name) {
                Way::Done => {
                    put();
                    Outcome::Done(success())
                }
                Way::Warning => {
                    put();
                    Outcome::Done(success().warning("not quite"))
                }
                Way::Failed => {
                    put();
                    Outcome::failed(FailureKind::Error, "it broke half-way")
                }
                Way::NotDone => Outcome::not_done(FailureKind::Connect, "nobody answers"),
                Way::LostAfter => {
                    put();
                    Outcome::unknown(FailureKind::Lost, "the answer was lost")
                }
                Way::LostBefore => Outcome::unknown(FailureKind::Lost, "the answer was lost"),
                Way::Hangs => {
                    put();
                    ctx.cancelled().await;
                    Outcome::failed(FailureKind::Cancelled, "cut short")
                }
                Way::Deaf => std::future::pending().await,
                Way::Slow => unreachable!("only looking is slow"),
            }
        })
    }

    fn verify<'a>(&'a self, call: &'a Call, _ctx: &'a dyn Context) -> BoxFuture<'a, Verdict> {
        Box::pin(async move {
            let name = call.str("name").unwrap();
            if self.stage.things().there.contains(name) {
                Verdict::Done(Map::from([("put".to_owned(), name.into())]))
            } else {
                Verdict::NotDone(format!("{name} is not there"))
            }
        })
    }

    fn undo<'a>(&'a self, call: &'a Call, _ctx: &'a dyn Context) -> BoxFuture<'a, Outcome> {
        Box::pin(async move {
            let name = call.str("name").unwrap();
            assert!(call.prepared("before").is_some(), "an undo has what prepare saw");
            match self.stage.way(&format!("undo {name}")) {
                Way::Failed => return Outcome::failed(FailureKind::Error, "it does not come off"),
                Way::LostBefore => return Outcome::unknown(FailureKind::Lost, "the answer was lost"),
                _ => {}
            }
            let mut things = self.stage.things();
            things.done.push(format!("undo {name}"));
            things.there.remove(name);
            Outcome::done(Map::new())
        })
    }
}

struct Look {
    stage: Stage,
    declaration: Declaration,
}

impl Step for Look {
    fn declaration(&self) -> &Declaration {
        &self.declaration
    }

    fn run<'a>(&'a self, call: &'a Call, ctx: &'a dyn Context) -> BoxFuture<'a, Outcome> {
        Box::pin(async move {
            let name = call.str("name").unwrap();
            match self.stage.way(&format!("look {name}")) {
                Way::Hangs => {
                    ctx.cancelled().await;
                    return Outcome::failed(FailureKind::Cancelled, "cut short");
                }
                Way::NotDone => return Outcome::not_done(FailureKind::Connect, "nobody answers"),
                Way::Slow => ctx.sleep(3000).await,
                Way::Warning => {
                    return Outcome::Done(Success {
                        warning: Some("not quite".into()),
                        ..Success::default()
                    });
                }
                _ => {}
            }
            if let Some(aside) = self.stage.things().asides.get(&format!("look {name}")) {
                aside();
            }
            let there = self.stage.things().there.contains(name);
            if !self.declaration.is_check {
                return Outcome::done(Map::from([("there".to_owned(), Value::Bool(there))]));
            }
            if there == (self.declaration.name == "stage.seen") {
                Outcome::done(Map::new())
            } else {
                Outcome::failed(FailureKind::Check, format!("{name}: {there}"))
            }
        })
    }
}
