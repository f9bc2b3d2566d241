//! The entry: a request to a plan.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::sync::Arc;

use runbook_kernel::{Kind, OnFailure, Program, Scope};
use runbook_step::{Registry, Value};
use runbook_syntax::ast::{LockDecl, Runbook, SecretDecl, SecretProvider};
use runbook_syntax::{Diagnostic, Sources, Spanned};

use crate::arena::{Arena, Doc, collect};
use crate::codes;
use crate::digest::digest;
use crate::gates;
use crate::inputs::{Inputs, Root, give};
use crate::library::Library;
use crate::load::{Bundle, Loader};
use crate::lower::Draft;
use crate::model::{LockSpec, Module, ModuleId, Plan, SecretSpec, Template, Work};
use crate::needs::orders;
use crate::path::{folder_of, join};
use crate::pin::Pins;
use crate::planner::{Planner, WORK};
use crate::report::Report;
use crate::request::Request;
use crate::scope::{At, Graph, Place};
use crate::setting::Setting;
use crate::types::Types;
use crate::undoing;

/// How many steps run at once where the command line does not say.
const MAX_PARALLEL: u32 = 8;
/// How long a lock is waited for where the file does not say.
const LOCK_TIMEOUT: u64 = 600_000;

/// What became of a request.
#[derive(Debug)]
pub struct Planned {
    /// There is one exactly if there is no error among the diagnostics.
    pub plan: Option<Plan>,
    /// Everything that is wrong, in the order of the files and places.
    pub diagnostics: Vec<Diagnostic>,
    /// The text that the diagnostics point into.
    pub sources: Sources,
    /// Required inputs without a value, whether or not the request may be incomplete.
    pub missing: Vec<String>,
}

/// Plans a request. Pure: the same files and the same request give the same plan, byte for byte.
pub fn plan(request: &Request, loader: &dyn Loader, registry: &Registry) -> Planned {
    let report = Report::new(request.strict);
    let library = Library::read(request, loader, &report);
    let (plan, missing) = match planned(request, &library, loader, registry, &report) {
        Some((plan, missing)) => (plan, missing),
        None => (None, Vec::new()),
    };
    Planned { plan, diagnostics: report.into_sorted(), sources: library.sources, missing }
}

fn planned(
    request: &Request,
    library: &Library,
    loader: &dyn Loader,
    registry: &Registry,
    report: &Report,
) -> Option<(Option<Plan>, Vec<String>)> {
    let setting = Setting::new(request, library, report);
    let runbook = library.runbook(&request.file)?;
    let types = Types::new(report);
    let declared = Inputs::declared(&runbook.inputs, &types);
    let Root { inputs, secrets, missing } = give(declared, runbook, request, &setting, library, report);
    let arena = collect(library, &request.file, setting.path, registry, report)?;
    let graph = Graph { orders: orders(&arena, report), arena: &arena };
    let mut planner = Planner {
        graph,
        registry,
        setting: &setting,
        library,
        inputs: vec![inputs],
        call_inputs: vec![Vec::new()],
        report,
        types: &types,
        paths: RefCell::default(),
        outputs: RefCell::default(),
        work: Cell::new(WORK),
    };
    planner.give_calls();
    planner.check_defaults();
    let mut drafts = planner.lower();
    gates::bind(&arena, &planner.graph.orders, &mut drafts, report);
    undoing::check(&arena, &drafts, report);
    let root = Place { module: ModuleId::ROOT, at: At::End };
    let outputs: Vec<(String, Template)> = (runbook.outputs.iter())
        .filter_map(|(name, data)| Some((name.value.clone(), planner.free_template(data, root)?)))
        .collect();
    let locks = planner.locks();
    planner.check_heads(&drafts);
    let pins = Pins::collect(&planner, loader, &mut drafts).files;
    presume_complete(&drafts, report);
    if report.errors() > 0 {
        return Some((None, missing));
    }
    let outline = planner.outline(&drafts, &outputs);
    // Names of steps are evaluated for it, which may be the last straw.
    if report.errors() > 0 {
        return Some((None, missing));
    }
    let program = program(&arena, &planner, runbook, &drafts);
    let mut files = library.files.clone();
    files.extend(pins.clone());
    let modules = modules(&arena, &planner, secrets);
    let env_pass = env_pass(&arena);
    let plan = Plan {
        name: runbook.name.value.clone(),
        program,
        nodes: drafts.into_iter().map(|draft| draft.plan).collect(),
        outline,
        modules,
        environment: setting.value.clone(),
        protected: setting.protected,
        answers: setting
            .doc
            .and_then(|doc| doc.answers.as_ref())
            .and_then(|answers| join(folder_of(setting.path.unwrap_or_default()), &answers.value)),
        locks,
        env_pass,
        inputs: std::mem::take(&mut planner.inputs[0].known),
        outputs,
        sources: library.sources.clone(),
        digest: digest(&request.file, setting.path, &files),
        bundle: Bundle { request: request.clone(), files },
        pinned: Arc::new(pins),
        missing: missing.clone(),
    };
    Some((Some(plan), missing))
}

/// A step that could not be planned has been reported, so that no stand-in for one ever gets into a plan. Should that
/// be wrong, it is our fault, and still there is no plan.
fn presume_complete(drafts: &[Draft], report: &Report) {
    if report.errors() > 0 {
        return;
    }
    let standing_in = |draft: &&Draft| match draft.kernel.kind {
        Kind::Action => !matches!(draft.plan.work, Work::Step(_) | Work::OwnUndo { .. }),
        Kind::WaitUntil(_) => !matches!(draft.plan.work, Work::WaitUntil(_)),
        Kind::Human(_) => {
            !matches!(draft.plan.work, Work::Approval(_) | Work::Checklist(_) | Work::Prompt(_))
        }
        Kind::Switch { .. } => !matches!(draft.plan.work, Work::Switch { .. }),
        Kind::Each(_) => !matches!(draft.plan.work, Work::Each { .. }),
        Kind::WaitFor(_) | Kind::Group { .. } => false,
    };
    for draft in drafts.iter().filter(standing_in) {
        let message = "this step could not be planned, and nothing says why: this is a fault of `runbook`";
        report.push(
            Diagnostic::error(codes::EXPRESSION_FAILS, draft.plan.span, message).hint("Please report it."),
        );
    }
}

fn program(arena: &Arena<'_>, planner: &Planner<'_>, runbook: &Runbook, drafts: &[Draft]) -> Program {
    let scopes = arena.scopes.iter();
    let on_failure = match &runbook.on_failure {
        Some(policy) => planner.on_failure(policy, arena.failure),
        None => OnFailure::default(),
    };
    Program {
        nodes: drafts.iter().map(|draft| draft.kernel.clone()).collect(),
        scopes: scopes
            .map(|scope| Scope { owner: scope.owner, role: scope.role, nodes: scope.nodes.clone() })
            .collect(),
        root: arena.root,
        finally: arena.finally,
        on_failure,
        revert: arena.revert,
        max_parallel: MAX_PARALLEL,
    }
}

fn modules(
    arena: &Arena<'_>,
    planner: &Planner<'_>,
    secret_inputs: BTreeMap<String, SecretSpec>,
) -> Vec<Module> {
    let mut modules: Vec<Module> = (arena.modules.iter().zip(&planner.inputs))
        .map(|(site, inputs)| {
            let (name, secrets) = match site.doc {
                Doc::Runbook(runbook) => (runbook.name.value.clone(), &runbook.secrets),
                Doc::Environment(environment) => {
                    let name = environment.name.as_ref().map(|name| name.value.clone());
                    (name.or_else(|| planner.setting.name.clone()).unwrap_or_default(), &environment.secrets)
                }
            };
            Module {
                name,
                file: site.path.clone(),
                folder: site.folder().to_owned(),
                caller: site.caller,
                ids: site.ids.iter().map(|(id, node)| ((*id).to_owned(), *node)).collect(),
                inputs: inputs.specs.clone(),
                secrets: secrets.iter().map(secret).collect(),
            }
        })
        .collect();
    modules[0].secrets.extend(secret_inputs);
    modules
}

fn secret((name, decl): &(Spanned<String>, SecretDecl)) -> (String, SecretSpec) {
    let spec = match &decl.provider {
        SecretProvider::Env(variable) => SecretSpec::Env(variable.value.clone()),
        SecretProvider::File(path) => SecretSpec::File(path.value.clone()),
        SecretProvider::Command(argv) => {
            SecretSpec::Command(argv.iter().map(|argument| argument.value.clone()).collect())
        }
    };
    (name.value.clone(), spec)
}

/// Patterns of environment variables, those of all runbooks and of the environment, each once.
fn env_pass(arena: &Arena<'_>) -> Vec<String> {
    let mut patterns: Vec<String> = Vec::new();
    for site in &arena.modules {
        let own = match site.doc {
            Doc::Runbook(runbook) => &runbook.env_pass,
            Doc::Environment(environment) => &environment.env_pass,
        };
        for pattern in own {
            if !patterns.contains(&pattern.value) {
                patterns.push(pattern.value.clone());
            }
        }
    }
    patterns
}

impl Planner<'_> {
    /// The locks of all runbooks, by name; of several for one name the caller's.
    fn locks(&self) -> Vec<LockSpec> {
        let mut locks: BTreeMap<String, LockSpec> = BTreeMap::new();
        for (number, site) in self.graph.arena.modules.iter().enumerate() {
            let Doc::Runbook(runbook) = site.doc else { continue };
            let place = Place { module: ModuleId(number as u32), at: At::Start };
            let mut own: Vec<(LockSpec, &LockDecl)> = Vec::new();
            for decl in &runbook.locks {
                let Some(lock) = self.lock(decl, place) else { continue };
                match own.iter().find(|(other, _)| other.name == lock.name) {
                    Some((other, first)) if *other != lock => {
                        let message = format!("the lock `{}` is to be taken in two ways", lock.name);
                        let fault = Diagnostic::error(codes::WITHOUT_EFFECT, decl.name.span, message);
                        self.report.push(
                            fault
                                .hint("It is taken once: keep one of the two.")
                                .also(first.name.span, "the first"),
                        );
                    }
                    _ => own.push((lock, decl)),
                }
            }
            for (lock, _) in own {
                locks.entry(lock.name.clone()).or_insert(lock);
            }
        }
        locks.into_values().collect()
    }

    fn lock(&self, decl: &LockDecl, place: Place) -> Option<LockSpec> {
        let name = self.fixed(&decl.name, place, &runbook_step::Type::string(), "the name of a lock");
        let if_held = decl.if_held.as_ref().map_or_else(|| "fail".into(), |policy| policy.value.clone());
        let timeout = match &decl.timeout {
            Some(timeout) => {
                if if_held != "wait" {
                    let message = "`timeout` has no effect here: only `if_held: wait` waits for a lock";
                    let fault = Diagnostic::error(codes::WITHOUT_EFFECT, timeout.span, message);
                    self.report.push(fault.hint("Leave it out, or say `if_held: wait`."));
                }
                self.period(timeout, place, "`timeout`")
            }
            None => Some(LOCK_TIMEOUT),
        };
        match name? {
            Value::Str(name) => Some(LockSpec { name, if_held, timeout: timeout? }),
            _ => None,
        }
    }
}
