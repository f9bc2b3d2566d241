//! A file as it stands, whichever kind of document it is.

use runbook_step::Registry;
use runbook_syntax::ast::Document;
use runbook_syntax::{Sources, parse};

use crate::load::{LoadError, Loader};
use crate::path::stem;
use crate::plan::{Planned, plan};
use crate::request::{EnvironmentFile, Request};

/// Where the runbook that does nothing is found. No file of a project is called so.
const NOTHING: &str = "<nothing>";
const DOES_NOTHING: &str =
    "apiVersion: runbook/v1\nname: nothing\nsteps: [{uses: set, with: {done: true}}]\n";

/// Plans a request whose file may be an environment too: that is planned with a runbook that does nothing, since an
/// environment is only ever looked at on behalf of one.
pub fn check(request: &Request, loader: &dyn Loader, registry: &Registry) -> Planned {
    if !is_environment(&request.file, loader) {
        return plan(request, loader, registry);
    }
    let environment = EnvironmentFile { name: stem(&request.file).to_owned(), path: request.file.clone() };
    let request = Request { file: NOTHING.to_owned(), environment: Some(environment), ..request.clone() };
    plan(&request, &BesideNothing(loader), registry)
}

fn is_environment(path: &str, loader: &dyn Loader) -> bool {
    let text = loader.load(path).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let Some(text) = text else { return false };
    let mut sources = Sources::default();
    let file = sources.add(path, text);
    matches!(parse(&sources, file).0, Some(Document::Environment(_)))
}

/// The same files, and the runbook that does nothing.
struct BesideNothing<'a>(&'a dyn Loader);

impl Loader for BesideNothing<'_> {
    fn load(&self, path: &str) -> Result<Vec<u8>, LoadError> {
        match path {
            NOTHING => Ok(DOES_NOTHING.into()),
            path => self.0.load(path),
        }
    }

    fn list(&self, folder: &str) -> Result<Vec<String>, LoadError> {
        self.0.list(folder)
    }
}
