#![expect(clippy::disallowed_methods, reason = "a build script gets its folder through the environment")]
//! Builds the table of error pages into the binary, so that `runbook explain` needs no files.

use std::fmt::Write as _;
use std::path::Path;

fn main() {
    let pages = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/errors");
    println!("cargo::rerun-if-changed={}", pages.display());
    let mut names: Vec<String> = std::fs::read_dir(&pages)
        .map(|entries| entries.flatten().map(|e| e.file_name().to_string_lossy().into_owned()).collect())
        .unwrap_or_default();
    names.retain(|name| name.starts_with('E') && name.ends_with(".md"));
    names.sort();
    let mut table = String::from("&[\n");
    for name in names {
        let code = name.trim_end_matches(".md");
        let path = pages.join(&name).canonicalize().expect("the page was just listed");
        writeln!(table, "    ({code:?}, include_str!({:?})),", path.display().to_string())
            .expect("writing to a string");
    }
    table.push_str("]\n");
    let out = std::env::var("OUT_DIR").expect("cargo sets OUT_DIR");
    std::fs::write(Path::new(&out).join("error_pages.rs"), table).expect("OUT_DIR can be written");
}
