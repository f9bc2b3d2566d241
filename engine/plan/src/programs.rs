//! Which programs a command, or a shell script, names. Of a script a guess, and a good one: what is merely an argument
//! (`> ./out.json`) is not a program, since the script may be there to change it.

/// A place where a program is named.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Named {
    /// Where it may be: the first of these that is a file of the project is the program.
    pub(crate) words: Vec<String>,
    /// A folder that the script went to before, relative to where it began.
    pub(crate) folder: Option<String>,
}

/// What the words of a command name.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Command {
    pub(crate) named: Vec<Named>,
    /// One of its programs is a word that is only known in the run.
    pub(crate) computed: bool,
}

/// Words that may stand before a command.
const BEFORE: [&str; 15] = [
    "if", "then", "else", "elif", "while", "until", "do", "!", "exec", "time", "env", "nohup", "nice",
    "sudo", "command",
];

const SHELLS: [&str; 6] = ["sh", "bash", "dash", "zsh", "ksh", "fish"];

/// Programs whose first argument is a program of theirs.
const INTERPRETERS: [&str; 10] =
    ["perl", "ruby", "node", "deno", "bun", "php", "lua", "pwsh", "Rscript", "osascript"];

/// A shell, by its name or path.
pub(crate) fn is_shell(program: &str) -> bool {
    SHELLS.contains(&name_of(program))
}

fn is_interpreter(program: &str) -> bool {
    let name = name_of(program);
    let python = name.strip_prefix("python");
    INTERPRETERS.contains(&name)
        || python.is_some_and(|version| version.chars().all(|c| c.is_ascii_digit() || c == '.'))
}

fn name_of(program: &str) -> &str {
    program.rsplit('/').next().unwrap_or(program)
}

/// The programs of a shell script.
pub(crate) fn in_script(script: &str) -> Vec<Named> {
    let mut named = Vec::new();
    let mut folder: Option<String> = None;
    for text in script.split(|c: char| "\n;|&(){}`".contains(c)) {
        let words: Vec<Option<&str>> =
            text.split_whitespace().map(|word| Some(word.trim_matches(['"', '\'']))).collect();
        if let [Some("cd"), Some(to), ..] = words.as_slice() {
            folder = Some(match folder {
                Some(from) => format!("{from}/{to}"),
                None => (*to).to_owned(),
            });
        }
        let found = in_command(&words).named;
        named.extend(found.into_iter().map(|named| Named { folder: folder.clone(), ..named }));
    }
    named
}

/// The programs of a command: what stands where its name does, and what a shell or an interpreter is to run. A word
/// that is only known in the run is `None`.
pub(crate) fn in_command(words: &[Option<&str>]) -> Command {
    let is_assignment = |word: &str| word.split_once('=').is_some_and(|(name, _)| !name.contains('/'));
    let before = |word: &Option<&str>| word.is_some_and(|word| BEFORE.contains(&word) || is_assignment(word));
    let start = words.iter().position(|word| !before(word)).unwrap_or(words.len());
    let (Some(program), rest) = (words.get(start), words.get(start + 1..).unwrap_or_default()) else {
        return Command::default();
    };
    let Some(program) = program else { return Command { named: Vec::new(), computed: true } };
    let mut command = Command::default();
    if program.contains('/') {
        command.named.push(Named { words: vec![(*program).to_owned()], folder: None });
    }
    if matches!(*program, "." | "source") {
        command.take(rest.iter().take(1));
    } else if is_shell(program) {
        command.interpreted(rest, true);
    } else if is_interpreter(program) {
        command.interpreted(rest, false);
    }
    command
}

impl Command {
    /// What an interpreter is to run: its first argument that is a file, or the text of `-c`.
    fn interpreted(&mut self, arguments: &[Option<&str>], shell: bool) {
        let is_redirect = |word: &Option<&str>| word.is_some_and(|word| word.contains('>'));
        let end = arguments.iter().position(is_redirect).unwrap_or(arguments.len());
        let mut arguments = arguments[..end].iter();
        while let Some(argument) = arguments.clone().next() {
            match argument {
                Some(option) if option.starts_with('-') => {
                    arguments.next();
                    let inline = !option.starts_with("--") && option.ends_with(['c', 'e', 'm']);
                    if shell && inline && option.ends_with('c') {
                        match arguments.next() {
                            Some(Some(script)) => self.named.extend(in_script(script)),
                            Some(None) => self.computed = true,
                            None => {}
                        }
                        return;
                    }
                    if inline && !shell {
                        return;
                    }
                }
                _ => break,
            }
        }
        self.take(arguments);
    }

    fn take<'w>(&mut self, words: impl Iterator<Item = &'w Option<&'w str>>) {
        let words: Vec<&Option<&str>> = words.collect();
        let known = words.iter().map_while(|word| word.map(str::to_owned)).collect::<Vec<_>>();
        self.computed |= known.is_empty() && !words.is_empty();
        if !known.is_empty() {
            self.named.push(Named { words: known, folder: None });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(script: &str) -> Vec<String> {
        in_script(script).into_iter().map(|named| named.words.join(" ")).collect()
    }

    #[test]
    fn what_a_script_calls_and_what_it_merely_names() {
        let script = "set -e\nif ./check.sh ./data.json; then X=1 \"./go\" | ./tee out; fi\n. lib.sh x\n\"$BIN\" up ../.folder";
        assert_eq!(words(script), ["./check.sh", "./go", "./tee", "lib.sh"]);
        assert_eq!(words("bin/a > ./b; sudo X=1 bin/c"), ["bin/a", "bin/c"]);
        assert_eq!(words("# ./not\necho ./not && ls bin/not"), [""; 0]);
    }

    #[test]
    fn what_an_interpreter_is_to_run() {
        assert_eq!(words("python3 -u ./six.py ./data.json > out.txt"), ["./six.py ./data.json"]);
        assert_eq!(words("bash -eu four.sh"), ["four.sh"]);
        assert_eq!(words("sh -c './seven.sh x'"), ["./seven.sh"]);
        assert_eq!(
            words("python3 -m json.tool in.json; node -e 1; tools/python3.12 x"),
            ["tools/python3.12", "x"]
        );
        assert_eq!(words("kubectl apply -f k8s/a.yaml"), [""; 0]);
    }

    #[test]
    fn where_a_script_went() {
        let folders: Vec<Option<String>> =
            in_script("./a; cd sub && ./b; (cd deep; ./c)").into_iter().map(|named| named.folder).collect();
        assert_eq!(folders, [None, Some("sub".into()), Some("sub/deep".into())]);
    }

    #[test]
    fn programs_that_are_only_known_in_the_run() {
        assert!(in_command(&[None, Some("x")]).computed);
        assert!(in_command(&[Some("bash"), None]).computed);
        assert!(in_command(&[Some("env"), Some("A=1"), None]).computed);
        assert!(!in_command(&[Some("kubectl"), None]).computed);
        assert!(!in_command(&[Some("bash"), Some("./a.sh"), None]).computed);
    }
}
