//! Plans by digest: what a run executes, whatever happened to the files since.

use runbook_wire::Outline;
use rusqlite::{Connection, OptionalExtension};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::chain::{self, Hash};
use crate::events::ReadError;
use crate::store::StoreError;

/// A plan as it is stored. Contents are stored once each, however many plans hold them.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredPlan {
    pub digest: String,
    pub outline: Outline,
    /// In the order given.
    pub files: Vec<PlanFile>,
}

/// A file of a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlanFile {
    pub kind: PlanFileKind,
    /// The name it was asked for by.
    pub name: String,
    pub content: Vec<u8>,
}

/// What a file of a plan is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PlanFileKind {
    /// The plan is made of it: runbook, library, environment.
    Source,
    /// A step reads or runs it.
    Pinned,
}

/// What a plan is made of; itself a blob, so that no part of a plan can change unseen.
#[derive(Serialize, Deserialize)]
struct Manifest {
    outline: String,
    files: Vec<ManifestFile>,
}

#[derive(Serialize, Deserialize)]
struct ManifestFile {
    kind: PlanFileKind,
    name: String,
    content: String,
}

/// Stores a plan that is not there yet.
pub(crate) fn store(connection: &Connection, plan: &StoredPlan) -> Result<(), StoreError> {
    let known: bool = connection
        .prepare_cached("SELECT EXISTS (SELECT 1 FROM plans WHERE digest = ?1)")?
        .query_row([&plan.digest], |row| row.get(0))?;
    if known {
        return Ok(());
    }
    let outline = serde_json::to_vec(&plan.outline).map_err(|e| StoreError::Io(e.to_string()))?;
    let mut manifest = Manifest { outline: store_blob(connection, &outline)?.to_string(), files: Vec::new() };
    for file in &plan.files {
        let content = store_blob(connection, &file.content)?.to_string();
        manifest.files.push(ManifestFile { kind: file.kind, name: file.name.clone(), content });
    }
    let manifest = serde_json::to_vec(&manifest).map_err(|e| StoreError::Io(e.to_string()))?;
    let manifest = store_blob(connection, &manifest)?;
    connection
        .prepare_cached("INSERT INTO plans (digest, manifest) VALUES (?1, ?2)")?
        .execute((&plan.digest, manifest.0))?;
    Ok(())
}

fn store_blob(connection: &Connection, content: &[u8]) -> Result<Hash, StoreError> {
    let digest = chain::content(content);
    connection
        .prepare_cached("INSERT INTO blobs (digest, content) VALUES (?1, ?2) ON CONFLICT DO NOTHING")?
        .execute((digest.0, content))?;
    Ok(digest)
}

/// The shape of a plan; `None` if there is no such plan.
pub(crate) fn outline(connection: &Connection, digest: &str) -> Result<Option<Outline>, ReadError> {
    let plan = Loader { connection, digest };
    plan.manifest()?.map(|manifest| plan.outline(&manifest)).transpose()
}

/// A whole plan; `None` if there is no such plan.
pub(crate) fn load(connection: &Connection, digest: &str) -> Result<Option<StoredPlan>, ReadError> {
    let plan = Loader { connection, digest };
    let Some(manifest) = plan.manifest()? else { return Ok(None) };
    let outline = plan.outline(&manifest)?;
    let files = manifest
        .files
        .into_iter()
        .map(|file| {
            let content = plan.blob(&file.content, &format!("`{}`", file.name))?;
            Ok(PlanFile { kind: file.kind, name: file.name, content })
        })
        .collect::<Result<_, ReadError>>()?;
    Ok(Some(StoredPlan { digest: digest.to_owned(), outline, files }))
}

/// Loads the parts of a plan, each checked against its digest.
struct Loader<'a> {
    connection: &'a Connection,
    digest: &'a str,
}

impl Loader<'_> {
    fn manifest(&self) -> Result<Option<Manifest>, ReadError> {
        let digest: Option<Vec<u8>> = self
            .connection
            .prepare_cached("SELECT manifest FROM plans WHERE digest = ?1")
            .and_then(|mut statement| statement.query_row([self.digest], |row| row.get(0)).optional())
            .map_err(StoreError::from)?;
        let Some(digest) = digest else { return Ok(None) };
        let digest = Hash::from_slice(&digest)
            .ok_or_else(|| self.unusable("its list of files is not named by a hash"))?;
        self.parse(&self.blob(&digest.to_string(), "its list of files")?, "its list of files").map(Some)
    }

    fn outline(&self, manifest: &Manifest) -> Result<Outline, ReadError> {
        self.parse(&self.blob(&manifest.outline, "its outline")?, "its outline")
    }

    fn parse<T: DeserializeOwned>(&self, content: &[u8], what: &str) -> Result<T, ReadError> {
        // It is what was written, so whoever wrote it knew more.
        serde_json::from_slice(content).map_err(|e| {
            self.unusable(&format!(
                "this version does not read {what} ({e}); use the newer one that wrote it"
            ))
        })
    }

    fn blob(&self, digest: &str, what: &str) -> Result<Vec<u8>, ReadError> {
        let digest: Hash =
            digest.parse().map_err(|_| self.unusable(&format!("{what} is not named by a hash")))?;
        let content: Option<Vec<u8>> = self
            .connection
            .prepare_cached("SELECT content FROM blobs WHERE digest = ?1")
            .and_then(|mut statement| statement.query_row([digest.0], |row| row.get(0)).optional())
            .map_err(StoreError::from)?;
        match content {
            None => Err(self.unusable(&format!("{what} is missing"))),
            Some(content) if chain::content(&content) != digest => {
                Err(self.unusable(&format!("{what} was changed")))
            }
            Some(content) => Ok(content),
        }
    }

    fn unusable(&self, reason: &str) -> ReadError {
        ReadError::Plan { digest: self.digest.to_owned(), reason: reason.to_owned() }
    }
}
