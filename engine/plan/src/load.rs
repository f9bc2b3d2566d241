//! How files come in, and what is kept of them.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use crate::request::Request;

/// Where files come from. Paths have `/` between names, are relative to the root of the project, and never leave it.
pub trait Loader {
    /// A file's bytes.
    ///
    /// # Errors
    /// If there is no such file, or it cannot be read.
    fn load(&self, path: &str) -> Result<Vec<u8>, LoadError>;

    /// The names in a folder (`""` is the root), in any order; a folder's own name ends with `/`.
    ///
    /// # Errors
    /// If there is no such folder, or it cannot be read.
    fn list(&self, folder: &str) -> Result<Vec<String>, LoadError>;
}

/// Why a file could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LoadError {
    #[error("no such file")]
    NotFound,
    /// In the system's words.
    #[error("{0}")]
    Other(String),
}

/// The version of a stored [`Bundle`].
const VERSION: u64 = 1;

/// What was asked and every file that was read for it: enough to plan again, byte for byte. It is what is stored with a
/// run, and it is a [`Loader`] of exactly those files.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Bundle {
    pub request: Request,
    pub files: BTreeMap<String, Vec<u8>>,
}

impl Loader for Bundle {
    fn load(&self, path: &str) -> Result<Vec<u8>, LoadError> {
        self.files.get(path).cloned().ok_or(LoadError::NotFound)
    }

    fn list(&self, folder: &str) -> Result<Vec<String>, LoadError> {
        let prefix = if folder.is_empty() { String::new() } else { format!("{folder}/") };
        let mut names: Vec<String> = (self.files.keys())
            .filter_map(|path| path.strip_prefix(&prefix))
            .map(|rest| match rest.split_once('/') {
                Some((inner, _)) => format!("{inner}/"),
                None => rest.to_owned(),
            })
            .collect();
        // Sorted by full path, so that what lies in one folder stands together.
        names.dedup();
        Ok(names)
    }
}

impl Bundle {
    /// For storing: JSON, with files as text where they are text and as hexadecimal digits where not.
    pub fn to_bytes(&self) -> Vec<u8> {
        let files: BTreeMap<&str, Json> = (self.files.iter())
            .map(|(path, bytes)| {
                let content = match std::str::from_utf8(bytes) {
                    Ok(text) => json!({ "text": text }),
                    Err(_) => json!({ "hex": hex(bytes) }),
                };
                (path.as_str(), content)
            })
            .collect();
        json!({ "version": VERSION, "request": self.request, "files": files }).to_string().into_bytes()
    }

    /// What [`Bundle::to_bytes`] wrote.
    ///
    /// # Errors
    /// One sentence: it is damaged, or written by a newer version.
    pub fn from_bytes(bytes: &[u8]) -> Result<Bundle, String> {
        let damaged = || "the stored plan is damaged".to_owned();
        let mut stored: Json = serde_json::from_slice(bytes).map_err(|_| damaged())?;
        match stored["version"].as_u64() {
            Some(VERSION) => {}
            Some(version) => {
                return Err(format!(
                    "the stored plan has version {version}; this program reads version {VERSION}"
                ));
            }
            None => return Err(damaged()),
        }
        let request = serde_json::from_value(stored["request"].take()).map_err(|_| damaged())?;
        let mut files = BTreeMap::new();
        for (path, content) in stored["files"].as_object().ok_or_else(damaged)? {
            let bytes = match (content["text"].as_str(), content["hex"].as_str()) {
                (Some(text), _) => text.as_bytes().to_vec(),
                (None, Some(digits)) => unhex(digits).ok_or_else(damaged)?,
                (None, None) => return Err(damaged()),
            };
            files.insert(path.clone(), bytes);
        }
        Ok(Bundle { request, files })
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(digits: &str) -> Option<Vec<u8>> {
    let digits = digits.as_bytes();
    let digit = |byte: u8| (byte as char).to_digit(16);
    let pair = |pair: &[u8]| Some((digit(pair[0])? * 16 + digit(*pair.get(1)?)?) as u8);
    digits.chunks(2).map(pair).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::request::{EnvironmentFile, Given, GivenValue};

    #[test]
    fn a_bundle_lists_its_folders() {
        let files = ["a.yaml", "k8s/blue.yaml", "k8s/deep/x", "k8s/deep/y", "k8s/green.yaml", "z"];
        let files = files.map(|path| (path.to_owned(), Vec::new())).into();
        let bundle = Bundle { files, ..Bundle::default() };
        assert_eq!(bundle.list(""), Ok(vec!["a.yaml".into(), "k8s/".into(), "z".into()]));
        assert_eq!(bundle.list("k8s"), Ok(vec!["blue.yaml".into(), "deep/".into(), "green.yaml".into()]));
        assert_eq!(bundle.load("k8s"), Err(LoadError::NotFound));
    }

    #[test]
    fn a_damaged_or_newer_bundle_is_refused() {
        for bytes in
            [&b""[..], b"{}", b"{\"version\":1}", b"{\"version\":1,\"request\":{},\"files\":{\"a\":{}}}"]
        {
            assert_eq!(Bundle::from_bytes(bytes), Err("the stored plan is damaged".into()));
        }
        insta::assert_snapshot!(
            Bundle::from_bytes(b"{\"version\":2}").unwrap_err(),
            @"the stored plan has version 2; this program reads version 1"
        );
    }

    proptest! {
        #[test]
        fn a_bundle_reads_back_what_it_wrote(
            files in prop::collection::btree_map("[a-z/]{1,8}", prop::collection::vec(any::<u8>(), 0..20), 0..4),
            text in ".{0,8}",
        ) {
            let request = Request {
                file: "a.yaml".into(),
                environment: Some(EnvironmentFile { name: "x".into(), path: "environments/x.yaml".into() }),
                inputs: vec![
                    Given { name: "a".into(), value: GivenValue::Text(text.clone()), origin: "-i".into() },
                    Given { name: "b".into(), value: GivenValue::Json(json!([text, 1])), origin: "-i".into() },
                ],
                strict: true,
                incomplete: false,
                requester: Some(text.clone()),
            };
            let bundle = Bundle { request, files };
            prop_assert_eq!(Bundle::from_bytes(&bundle.to_bytes()), Ok(bundle));
        }
    }
}
