//! Which environment a process gets, and which program a name means in it.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use runbook_step::ProcessError;
use rustix::fs::{Access, access};

/// The variable through which a process gets the idempotency key of its attempt; what is left of an attempt is found by it.
pub(crate) const IDEMPOTENCY_KEY: &str = "RUNBOOK_IDEMPOTENCY_KEY";

/// What every process may see, and `RUNBOOK_BIN`, where this very program is.
const ALLOWED: [&str; 8] =
    ["PATH", "HOME", "USER", "LANG", "TZ", "SSH_AUTH_SOCK", "KUBECONFIG", "RUNBOOK_BIN"];

/// The environment of a process.
pub(crate) type Environment = BTreeMap<OsString, OsString>;

/// What of ours a process may see: the allowlist, and names that match one of the patterns (`*` is any text).
pub(crate) fn passed(ours: &Environment, patterns: &[String]) -> Environment {
    let allowed = |name: &OsStr| {
        ALLOWED.iter().any(|allowed| name == *allowed)
            || patterns.iter().any(|pattern| matches(pattern.as_bytes(), name.as_bytes()))
    };
    ours.iter().filter(|(name, _)| allowed(name)).map(|(name, value)| (name.clone(), value.clone())).collect()
}

fn matches(pattern: &[u8], name: &[u8]) -> bool {
    match pattern.split_first() {
        None => name.is_empty(),
        Some((b'*', rest)) => (0..=name.len()).any(|skip| matches(rest, &name[skip..])),
        Some((first, rest)) => {
            name.split_first().is_some_and(|(byte, name)| byte == first && matches(rest, name))
        }
    }
}

/// The absolute path of a program: as it stands if it has a slash, else the first of that name in PATH. (A bare name
/// in a cleared environment would cost a `fork` of the whole process, and would be looked up in *our* PATH.)
pub(crate) fn program(name: &str, environment: &Environment, cwd: &Path) -> Result<PathBuf, ProcessError> {
    let not_found = |hint| ProcessError { hint, ..ProcessError::new(format!("{name}: no such program")) };
    if name.is_empty() {
        return Err(not_found(None));
    }
    if name.contains('/') {
        return Ok(cwd.join(name));
    }
    let path = environment.get(OsStr::new("PATH")).map_or(OsStr::new(""), OsString::as_os_str);
    std::env::split_paths(path)
        .map(|folder| cwd.join(folder).join(name))
        .find(|file| file.is_file() && access(file, Access::EXEC_OK).is_ok())
        .ok_or_else(|| not_found(Some(format!("PATH is `{}`", path.display()))))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(pairs: &[(&str, &str)]) -> Environment {
        pairs.iter().map(|(name, value)| (name.into(), value.into())).collect()
    }

    #[test]
    fn only_the_allowlist_and_the_patterns_pass() {
        let ours = environment(&[
            ("PATH", "/bin"),
            ("SECRET", "x"),
            ("AWS_REGION", "r"),
            ("MY_AWS_X", "y"),
            ("LANG", "C"),
        ]);
        let passed = passed(&ours, &["AWS_*".to_owned()]);
        assert_eq!(passed.keys().collect::<Vec<_>>(), ["AWS_REGION", "LANG", "PATH"]);
    }

    #[test]
    fn patterns() {
        for (pattern, name, wanted) in [
            ("*", "", true),
            ("A*B", "AB", true),
            ("A*B", "AxxB", true),
            ("A*B", "AxBC", false),
            ("*_URL", "DB_URL", true),
            ("A", "AB", false),
            ("", "A", false),
        ] {
            assert_eq!(matches(pattern.as_bytes(), name.as_bytes()), wanted, "{pattern} {name}");
        }
    }

    #[test]
    fn a_bare_name_is_looked_up_in_the_steps_path() {
        let cwd = Path::new("/");
        let found = program("sh", &environment(&[("PATH", "/nowhere:/bin")]), cwd).unwrap();
        assert_eq!(found, Path::new("/bin/sh"));
        let error = program("sh", &environment(&[("PATH", "/nowhere")]), cwd).unwrap_err();
        assert_eq!(error.message, "sh: no such program");
        assert_eq!(error.hint.as_deref(), Some("PATH is `/nowhere`"));
        assert_eq!(program("./x", &Environment::new(), Path::new("/a")).unwrap(), Path::new("/a/./x"));
    }
}
