//! Paths inside a project, as text: `/` between names, no `.` or `..`, relative to the root.

/// The folder that a file lies in; `""` is the root.
pub fn folder_of(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

/// A file's name without its folder and its ending.
pub(crate) fn stem(path: &str) -> &str {
    let name = path.rsplit_once('/').map_or(path, |(_, name)| name);
    name.rsplit_once('.').map_or(name, |(stem, _)| stem)
}

/// `path` as seen from `folder`, normalised. `None`: it is absolute, or leaves the root.
pub fn join(folder: &str, path: &str) -> Option<String> {
    if path.starts_with('/') {
        return None;
    }
    let mut names: Vec<&str> = Vec::new();
    for name in folder.split('/').chain(path.split('/')) {
        match name {
            "" | "." => {}
            ".." => {
                names.pop()?;
            }
            name => names.push(name),
        }
    }
    Some(names.join("/"))
}

/// Whether a path matches a pattern: `*` is any run of characters of a name, `?` is one, `**` any number of folders.
pub(crate) fn matches(pattern: &str, path: &str) -> bool {
    let pattern: Vec<&str> = pattern.split('/').collect();
    let path: Vec<&str> = path.split('/').collect();
    matches_names(&pattern, &path)
}

fn matches_names(pattern: &[&str], path: &[&str]) -> bool {
    // `reach[i]`: the pattern read so far matches the first `i` names. One row per pattern name, so that `**/**/**`
    // costs no more than its length.
    let mut reach = vec![false; path.len() + 1];
    reach[0] = true;
    for part in pattern {
        let mut next = vec![false; path.len() + 1];
        if *part == "**" {
            let first = reach.iter().position(|reached| *reached).unwrap_or(next.len());
            next[first..].fill(true);
        } else {
            for (i, name) in path.iter().enumerate() {
                next[i + 1] = reach[i] && matches_name(part, name);
            }
        }
        reach = next;
    }
    reach[path.len()]
}

fn matches_name(pattern: &str, name: &str) -> bool {
    let name: Vec<char> = name.chars().collect();
    let mut reach = vec![false; name.len() + 1];
    reach[0] = true;
    for part in pattern.chars() {
        let mut next = vec![false; name.len() + 1];
        if part == '*' {
            let first = reach.iter().position(|reached| *reached).unwrap_or(next.len());
            next[first..].fill(true);
        } else {
            for (i, c) in name.iter().enumerate() {
                next[i + 1] = reach[i] && (part == '?' || part == *c);
            }
        }
        reach = next;
    }
    reach[name.len()]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use regex::Regex;

    use super::*;

    #[test]
    fn paths_are_joined_and_normalised() {
        assert_eq!(join("runbooks", "a.yaml").as_deref(), Some("runbooks/a.yaml"));
        assert_eq!(join("runbooks", "../k8s/./b.yaml").as_deref(), Some("k8s/b.yaml"));
        assert_eq!(join("", "a//b").as_deref(), Some("a/b"));
        assert_eq!(join("a/b", "../..").as_deref(), Some(""));
        assert_eq!(join("runbooks", "../../etc/passwd"), None);
        assert_eq!(join("", "/etc/passwd"), None);
        assert_eq!(folder_of("a/b/c.yaml"), "a/b");
        assert_eq!(folder_of("c.yaml"), "");
    }

    /// The pattern as a regular expression: an oracle of another shape.
    fn oracle(pattern: &str) -> Regex {
        let mut source = String::from("^");
        let names: Vec<&str> = pattern.split('/').collect();
        for (i, name) in names.iter().enumerate() {
            let last = i + 1 == names.len();
            if *name == "**" {
                source.push_str(if last { "(?:[^/]*(?:/[^/]*)*)?" } else { "(?:[^/]*/)*" });
                continue;
            }
            for c in name.chars() {
                match c {
                    '*' => source.push_str("[^/]*"),
                    '?' => source.push_str("[^/]"),
                    c => source.push_str(&regex::escape(&c.to_string())),
                }
            }
            if !last {
                source.push('/');
            }
        }
        Regex::new(&format!("{source}$")).unwrap()
    }

    proptest! {
        #[test]
        fn patterns_mean_what_their_regular_expression_means(
            pattern in prop::collection::vec(prop_oneof![Just("**".to_owned()), "[ab*?]{1,3}"], 1..4),
            path in prop::collection::vec("[ab]{1,3}", 1..4),
        ) {
            let (pattern, path) = (pattern.join("/"), path.join("/"));
            // `a/**` matches what is below `a`, not `a` itself; the table counts no folders as a match of `**` too.
            prop_assume!(!pattern.ends_with("**") || pattern == "**");
            prop_assert_eq!(matches(&pattern, &path), oracle(&pattern).is_match(&path), "{} {}", pattern, path);
        }
    }
}
