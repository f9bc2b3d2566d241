//! The runbook that a command is about: `FILE -e ENV -i name=value`, as the plan wants it.

use std::cell::OnceCell;
use std::io::Read;
use std::path::{Component, Path, PathBuf};

use clap::Args;
use runbook_plan::{EnvironmentFile, Given, GivenValue, LoadError, Loader, Plan, Request};

use crate::args::Global;
use crate::complete;
use crate::diagnostics::{self, Tally};
use crate::error::{CommandError, Exit};
use crate::host;
use crate::project::Project;

/// Which runbook, where, with what.
#[derive(Debug, Default, Args)]
pub(crate) struct Target {
    /// The runbook; `-` reads it from standard input.
    #[arg(value_name = "FILE", add = complete::runbooks())]
    pub(crate) file: PathBuf,
    /// The environment, a file `environments/ENV.yaml` of the project [default: as runbook.toml says].
    #[arg(short, long, value_name = "ENV", add = complete::environments())]
    pub(crate) environment: Option<String>,
    /// A value for an input; `name=@file` reads JSON or YAML from a file.
    #[arg(short, long = "input", value_name = "NAME=VALUE")]
    pub(crate) inputs: Vec<String>,
    /// Warnings are errors: above all, every write must say how it is undone.
    #[arg(long)]
    pub(crate) strict: bool,
    /// What came out of a pipe, which can be read once.
    #[arg(skip)]
    pub(crate) piped: OnceCell<Vec<u8>>,
}

/// What planning gave.
pub(crate) struct Planned {
    pub(crate) planned: runbook_plan::Planned,
    /// The folder that the plan's paths are relative to.
    pub(crate) root: PathBuf,
    pub(crate) environment: Option<String>,
}

impl Target {
    /// Plans the runbook. `incomplete`: required inputs may be missing.
    pub(crate) fn plan(&self, incomplete: bool, more: Vec<Given>) -> Result<Planned, CommandError> {
        let Opened { project, root, loader, file } = self.open()?;
        let environment = self.environment_file(&project, &root)?;
        let mut inputs =
            self.inputs.iter().map(|text| given(text)).collect::<Result<Vec<Given>, CommandError>>()?;
        inputs.extend(more);
        let request = Request {
            file,
            environment: environment.clone(),
            inputs,
            strict: self.strict,
            incomplete,
            requester: (!incomplete).then(|| host::person().name),
        };
        let planned = runbook_plan::plan(&request, &loader, &runbook_stdlib::registry());
        Ok(Planned { planned, root, environment: environment.map(|e| e.name) })
    }

    /// Plans the file as it stands, a runbook or an environment.
    pub(crate) fn check(&self) -> Result<runbook_plan::Planned, CommandError> {
        let Opened { project, root, loader, file } = self.open()?;
        let environment = self.environment_file(&project, &root)?;
        let request =
            Request { file, environment, strict: self.strict, incomplete: true, ..Request::default() };
        Ok(runbook_plan::check(&request, &loader, &runbook_stdlib::registry()))
    }

    /// The file and the project that it belongs to. What is piped in belongs to the one of the working folder.
    fn open(&self) -> Result<Opened, CommandError> {
        let fault = |message: String| CommandError::usage(format!("{}: {message}", self.file.display()));
        let system = |error: std::io::Error| fault(error.to_string());
        let absolute = |path: &Path| std::path::absolute(path).map(|path| normal(&path)).map_err(system);
        let (file, folder, piped) = match kind_of(&self.file) {
            Kind::File => {
                let file = absolute(&self.file)?;
                let folder = file.parent().unwrap_or(Path::new("/")).to_path_buf();
                (Some(file), folder, None)
            }
            Kind::Pipe => {
                if self.piped.get().is_none() {
                    let bytes = read_pipe(&self.file).map_err(system)?;
                    // Nobody else sets it.
                    let _ = self.piped.set(bytes);
                }
                (None, absolute(Path::new("."))?, self.piped.get().cloned())
            }
            Kind::Folder => {
                return Err(fault("this is a folder".into()).hint("name a runbook in it"));
            }
            Kind::Nothing => {
                return Err(fault("no such file".into()).hint("`runbook init` writes a first runbook"));
            }
        };
        let project = Project::of(&folder)?;
        let root = project.root.clone().unwrap_or_else(|| folder.clone());
        let file = relative(&file.unwrap_or_else(|| folder.join(PIPED)), &root);
        let piped = piped.map(|bytes| (file.clone(), bytes));
        Ok(Opened { loader: FilesBelow { root: root.clone(), piped }, project, root, file })
    }

    /// The plan, or an error after everything that is wrong with it has been shown.
    pub(crate) fn plan_or_show(
        &self,
        planned: Planned,
        global: &Global,
    ) -> Result<(Plan, PathBuf, Option<String>), CommandError> {
        let Planned { planned, root, environment } = planned;
        diagnostics::show(&planned.diagnostics, &planned.sources, global)?;
        let tally = Tally::of(&planned.diagnostics);
        match planned.plan {
            Some(plan) if tally.errors == 0 => Ok((plan, root, environment)),
            _ => {
                let words = tally.words().unwrap_or("it cannot be planned".to_owned());
                Err(CommandError::usage(format!("{}: {words}", self.file.display()))
                    .exit(Exit::INVALID)
                    .hint("`runbook explain CODE` says more about a code"))
            }
        }
    }

    fn environment_file(
        &self,
        project: &Project,
        root: &Path,
    ) -> Result<Option<EnvironmentFile>, CommandError> {
        let Some(name) = self.environment.as_ref().or(project.settings.default_environment.as_ref()) else {
            return Ok(None);
        };
        let path = format!("environments/{name}.yaml");
        if root.join(&path).is_file() {
            return Ok(Some(EnvironmentFile { name: name.clone(), path }));
        }
        let known = environments(root);
        let hint = match (&project.root, known.is_empty()) {
            (None, _) => "environments lie beside a runbook.toml; there is none here or above".to_owned(),
            (Some(_), true) => format!("write {}", root.join(&path).display()),
            (Some(_), false) => format!("there are: {}", known.join(", ")),
        };
        Err(CommandError::usage(format!("there is no environment {name}")).exit(Exit::INVALID).hint(hint))
    }
}

/// Names of the project's environments.
pub(crate) fn environments(root: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(root.join("environments")).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries
        .filter_map(|entry| Some(entry.file_name().to_str()?.strip_suffix(".yaml")?.to_owned()))
        .collect();
    names.sort();
    names
}

/// `name=value` or `name=@file`.
fn given(text: &str) -> Result<Given, CommandError> {
    let Some((name, value)) = text.split_once('=') else {
        return Err(
            CommandError::usage(format!("-i {text}: there is no `=`")).hint(format!("-i {text}=VALUE"))
        );
    };
    let plain = format!("-i {name}");
    let (origin, value) = match value.strip_prefix('@') {
        // What came out of a pipe cannot be read a second time: who runs it again gives the value itself.
        Some(path) if Path::new(path).is_file() => {
            (format!("-i {text}"), GivenValue::Json(from_file(name, path)?))
        }
        Some(path) => (plain, GivenValue::Json(from_file(name, path)?)),
        None => (plain, GivenValue::Text(value.to_owned())),
    };
    Ok(Given { name: name.to_owned(), value, origin })
}

/// A value from a JSON or YAML file. JSON is YAML, so that one reader does.
fn from_file(name: &str, path: &str) -> Result<serde_json::Value, CommandError> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        CommandError::usage(format!("-i {name}=@{path}: {error}"))
            .hint("after `@` comes a JSON or YAML file with the value, relative to where you are")
    })?;
    serde_yaml::from_str(&text).map_err(|error| {
        CommandError::usage(format!("-i {name}=@{path}: {error}"))
            .exit(Exit::INVALID)
            .hint("the file holds the value as JSON or YAML")
    })
}

/// What a piped runbook is called in messages and in the record.
const PIPED: &str = "<stdin>";

/// A file on the command line, found.
struct Opened {
    project: Project,
    root: PathBuf,
    loader: FilesBelow,
    /// From the root.
    file: String,
}

enum Kind {
    File,
    Pipe,
    Folder,
    Nothing,
}

fn kind_of(path: &Path) -> Kind {
    if path == Path::new("-") {
        return Kind::Pipe;
    }
    match std::fs::metadata(path) {
        Ok(found) if found.is_file() => Kind::File,
        Ok(found) if found.is_dir() => Kind::Folder,
        Ok(_) => Kind::Pipe,
        Err(_) => Kind::Nothing,
    }
}

/// To the end, or to one byte more than is allowed.
fn read_pipe(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    match path == Path::new("-") {
        true => std::io::stdin().lock().take(LARGEST + 1).read_to_end(&mut bytes)?,
        false => std::fs::File::open(path)?.take(LARGEST + 1).read_to_end(&mut bytes)?,
    };
    Ok(bytes)
}

/// Files below a folder, for the plan.
struct FilesBelow {
    root: PathBuf,
    /// One that is no file, and what came out of it.
    piped: Option<(String, Vec<u8>)>,
}

/// A source or pinned file is at most this large: what is larger belongs into a store, not into a plan.
const LARGEST: u64 = 64 << 20;

impl Loader for FilesBelow {
    fn load(&self, path: &str) -> Result<Vec<u8>, LoadError> {
        if let Some((_, bytes)) = self.piped.as_ref().filter(|(piped, _)| piped == path) {
            return Ok(bytes.clone());
        }
        let path = self.root.join(path);
        let size = std::fs::metadata(&path).map_err(load_error)?.len();
        if size > LARGEST {
            return Err(LoadError::Other(format!("{size} bytes are too many; {LARGEST} are allowed")));
        }
        std::fs::read(&path).map_err(load_error)
    }

    fn list(&self, folder: &str) -> Result<Vec<String>, LoadError> {
        let entries = std::fs::read_dir(self.root.join(folder)).map_err(load_error)?;
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry.map_err(load_error)?;
            let slash = if entry.path().is_dir() { "/" } else { "" };
            names.extend(entry.file_name().to_str().map(|name| format!("{name}{slash}")));
        }
        Ok(names)
    }
}

fn load_error(error: std::io::Error) -> LoadError {
    match error.kind() {
        std::io::ErrorKind::NotFound => LoadError::NotFound,
        _ => LoadError::Other(error.to_string()),
    }
}

/// A path without `.` and `..`, by its text alone.
fn normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => {
                normal.pop();
            }
            Component::CurDir => {}
            other => normal.push(other),
        }
    }
    normal
}

fn relative(file: &Path, root: &Path) -> String {
    file.strip_prefix(root).unwrap_or(file).to_string_lossy().into_owned()
}
