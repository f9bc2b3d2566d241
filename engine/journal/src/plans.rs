//! Plans by digest: what a run executes, whatever happened to the files since (DESIGN §3.15).

use runbook_wire::Outline;
use rusqlite::{Connection, OptionalExtension};

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
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlanFileKind {
    /// The plan is made of it: runbook, library, environment.
    Source,
    /// A step reads or runs it.
    Pinned,
}

impl PlanFileKind {
    fn word(self) -> &'static str {
        match self {
            PlanFileKind::Source => "source",
            PlanFileKind::Pinned => "pinned",
        }
    }
}

/// Stores a plan that is not there yet.
pub(crate) fn store(connection: &Connection, plan: &StoredPlan) -> Result<(), StoreError> {
    let outline = serde_json::to_vec(&plan.outline).map_err(|e| StoreError::Io(e.to_string()))?;
    let new = connection
        .prepare_cached("INSERT INTO plans (digest, outline) VALUES (?1, ?2) ON CONFLICT DO NOTHING")?
        .execute((&plan.digest, chain::content(&outline).0))?;
    if new == 0 {
        return Ok(());
    }
    let mut blob = connection
        .prepare_cached("INSERT INTO blobs (digest, content) VALUES (?1, ?2) ON CONFLICT DO NOTHING")?;
    let mut entry = connection
        .prepare_cached("INSERT INTO plan_files (plan, n, kind, name, blob) VALUES (?1, ?2, ?3, ?4, ?5)")?;
    blob.execute((chain::content(&outline).0, &outline))?;
    for (n, file) in plan.files.iter().enumerate() {
        let digest = chain::content(&file.content);
        blob.execute((digest.0, &file.content))?;
        entry.execute((&plan.digest, n as i64, file.kind.word(), &file.name, digest.0))?;
    }
    Ok(())
}

/// The shape of a plan; `None` if there is no such plan.
pub(crate) fn outline(connection: &Connection, digest: &str) -> Result<Option<Outline>, ReadError> {
    let stored: Option<(Vec<u8>, Option<Vec<u8>>)> = connection
        .prepare_cached("SELECT outline, content FROM plans LEFT JOIN blobs ON blobs.digest = outline WHERE plans.digest = ?1")
        .and_then(|mut statement| statement.query_row([digest], |row| Ok((row.get(0)?, row.get(1)?))).optional())
        .map_err(StoreError::from)?;
    let Some((blob, content)) = stored else { return Ok(None) };
    let content = intact(digest, "its outline", &blob, content)?;
    let outline = serde_json::from_slice(&content).map_err(|e| ReadError::Plan {
        digest: digest.to_owned(),
        reason: format!("its outline does not read (a newer version may have written it): {e}"),
    })?;
    Ok(Some(outline))
}

/// A whole plan, its contents checked against their digests; `None` if there is no such plan.
pub(crate) fn load(connection: &Connection, digest: &str) -> Result<Option<StoredPlan>, ReadError> {
    let Some(outline) = outline(connection, digest)? else { return Ok(None) };
    let files = load_files(connection, digest).map_err(StoreError::from)?;
    let files = files
        .into_iter()
        .map(|(kind, name, blob, content)| {
            let content = intact(digest, &format!("`{name}`"), &blob, content)?;
            let kind = match kind.as_str() {
                "source" => PlanFileKind::Source,
                "pinned" => PlanFileKind::Pinned,
                other => {
                    let reason =
                        format!("`{name}` is of the kind `{other}`, which this version does not know");
                    return Err(ReadError::Plan { digest: digest.to_owned(), reason });
                }
            };
            Ok(PlanFile { kind, name, content })
        })
        .collect::<Result<_, ReadError>>()?;
    Ok(Some(StoredPlan { digest: digest.to_owned(), outline, files }))
}

/// The content, if it is there and is what its digest says.
fn intact(plan: &str, what: &str, blob: &[u8], content: Option<Vec<u8>>) -> Result<Vec<u8>, ReadError> {
    let damaged = |how: &str| ReadError::Plan { digest: plan.to_owned(), reason: format!("{what} {how}") };
    let content = content.ok_or_else(|| damaged("is missing"))?;
    if Hash::from_slice(blob) != Some(chain::content(&content)) {
        return Err(damaged("was changed"));
    }
    Ok(content)
}

type FileRow = (String, String, Vec<u8>, Option<Vec<u8>>);

fn load_files(connection: &Connection, digest: &str) -> rusqlite::Result<Vec<FileRow>> {
    connection
        .prepare_cached(
            "SELECT kind, name, blob, content FROM plan_files LEFT JOIN blobs ON blobs.digest = blob
             WHERE plan = ?1 ORDER BY n",
        )?
        .query_map([digest], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))?
        .collect()
}
