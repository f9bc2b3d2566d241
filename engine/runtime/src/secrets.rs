//! Secrets: resolved at the moment of use, hidden everywhere from then on, never stored.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use runbook_plan::{Module, ModuleId, Plan, SecretSpec};
use runbook_step::{Cancelled, LogStream, Secret, SecretPart};
use rustix::process::Pid;
use secrecy::{ExposeSecret, SecretString};

use crate::cancel::Cancel;
use crate::files::{read_regular, words};
use crate::mask::Mask;
use crate::process::environment::{Environment, IDEMPOTENCY_KEY, program};
use crate::process::{self, Launch, Patience, Watch};

/// How long a provider's command may take.
const COMMAND_TIME: Duration = Duration::from_secs(60);

/// The longest secret that a command or file may give, in bytes.
const LONGEST: usize = 1 << 20;

/// How long one file may take to read before the run begins.
const LEARN_TIME: Duration = Duration::from_secs(2);

/// The attempt that needs a secret.
pub(crate) trait Asker: Send + Sync {
    /// Tells when it should stop.
    fn cancel(&self) -> &Cancel;
    /// Its idempotency key.
    fn key(&self) -> &str;
    fn patience(&self) -> Patience;
    /// A process group was started for it.
    fn spawned(&self, group: Pid);
    fn warn(&self, text: &str);
}

/// Why there is no content.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub(crate) enum Unrevealed {
    /// One line that holds no secret.
    #[error("{0}")]
    Fault(String),
    #[error("told to stop before a secret was there")]
    Cancelled(Cancelled),
}

/// The secrets of a plan's modules, by reference.
pub(crate) struct Secrets {
    providers: BTreeMap<String, Provider>,
    /// The executing process's own environment: what `env:` names.
    ours: Environment,
    /// What a provider's command gets to see.
    passed: Environment,
    mask: Mask,
    /// Those of which it was said that they are too short to be hidden.
    short: Mutex<BTreeSet<String>>,
}

#[derive(Clone, PartialEq)]
struct Provider {
    spec: SecretSpec,
    folder: PathBuf,
}

impl Secrets {
    pub(crate) fn new(
        modules: &[Module],
        root: &Path,
        ours: Environment,
        passed: Environment,
        mask: Mask,
    ) -> Secrets {
        let mut providers = BTreeMap::new();
        for (number, module) in (0..).zip(modules) {
            for (name, spec) in &module.secrets {
                let provider = Provider { spec: spec.clone(), folder: root.join(&module.folder) };
                providers.insert(Plan::secret_name(ModuleId(number), name), provider);
            }
        }
        Secrets { providers, ours, passed, mask, short: Mutex::default() }
    }

    /// Hides what can be known without running anything, so that it is hidden before its first use, and after a resume.
    /// What cannot be read is told when it is used. Returns what to warn of.
    pub(crate) async fn learn(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        for (name, provider) in &self.providers {
            let content = match &provider.spec {
                SecretSpec::Env(variable) => self.variable(variable),
                SecretSpec::File(path) => {
                    let read = file(provider.folder.join(path));
                    tokio::time::timeout(LEARN_TIME, read).await.unwrap_or_else(|_| Err(String::new()))
                }
                SecretSpec::Command(_) => continue,
            };
            if let Ok(content) = content {
                warnings.extend(self.hide(name, &content));
            }
        }
        warnings
    }

    /// The content of a text with secrets in it.
    pub(crate) async fn reveal(
        &self,
        secret: &Secret,
        asker: &dyn Asker,
    ) -> Result<SecretString, Unrevealed> {
        let mut text = String::new();
        for part in &secret.parts {
            match part {
                SecretPart::Text(plain) => text.push_str(plain),
                SecretPart::Name(name) => text.push_str(self.resolve(name, asker).await?.expose_secret()),
            }
        }
        Ok(SecretString::from(text))
    }

    async fn resolve(&self, name: &str, asker: &dyn Asker) -> Result<SecretString, Unrevealed> {
        let unknown = || Unrevealed::Fault(format!("there is no secret `{name}`"));
        let provider = self.providers.get(name).ok_or_else(unknown)?;
        let content = match &provider.spec {
            SecretSpec::Env(variable) => self.variable(variable),
            SecretSpec::File(path) => tokio::select! {
                content = file(provider.folder.join(path)) => content,
                why = asker.cancel().cancelled() => return Err(Unrevealed::Cancelled(why)),
            },
            SecretSpec::Command(argv) => match self.command(argv, &provider.folder, asker).await {
                Err(Unrevealed::Fault(reason)) => Err(reason),
                other => Ok(other?),
            },
        };
        let content =
            content.map_err(|reason| Unrevealed::Fault(format!("secret `{}`: {reason}", shown(name))))?;
        if let Some(warning) = self.hide(name, &content) {
            asker.warn(&warning);
        }
        Ok(SecretString::from(content))
    }

    /// Hides it from now on; says once if that cannot be.
    fn hide(&self, name: &str, content: &str) -> Option<String> {
        if self.mask.hide(content) {
            return None;
        }
        let first = self.short.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned());
        first.then(|| format!("secret `{}` is so short that it is not hidden in what is logged", shown(name)))
    }

    fn variable(&self, name: &str) -> Result<String, String> {
        match self.ours.get(OsStr::new(name)).map(|value| value.to_str()) {
            None => Err(format!("the environment variable {name} is not set")),
            Some(None) => Err(format!("the environment variable {name} is not UTF-8")),
            Some(Some("")) => Err(format!("the environment variable {name} is empty")),
            Some(Some(value)) => Ok(value.to_owned()),
        }
    }

    async fn command(&self, argv: &[String], folder: &Path, asker: &dyn Asker) -> Result<String, Unrevealed> {
        let fault = |text: &str| Unrevealed::Fault(text.to_owned());
        let (name, args) = argv.split_first().ok_or_else(|| fault("its command is empty"))?;
        let program = program(name, &self.passed, folder).map_err(|error| fault(&error.message))?;
        let mut environment = self.passed.clone();
        // By which a resumed run finds it, should this process be killed now.
        environment.insert(IDEMPOTENCY_KEY.into(), asker.key().into());
        let launch = Launch {
            name: name.into(),
            program,
            args: args.iter().map(OsString::from).collect(),
            environment,
            cwd: folder.to_owned(),
            stdin: None,
        };
        let cancel = Cancel::new();
        let mut output = Output { stdout: Vec::new(), asker };
        let stop = async {
            tokio::select! {
                () = tokio::time::sleep(COMMAND_TIME) => cancel.cancel(Cancelled::Timeout),
                why = asker.cancel().cancelled() => cancel.cancel(why),
            }
            std::future::pending().await
        };
        let exit = tokio::select! {
            exit = process::run(launch, &cancel, asker.patience(), &mut output) => exit,
            never = stop => never,
        };
        if let Some(why) = asker.cancel().reason() {
            return Err(Unrevealed::Cancelled(why));
        }
        let exit = exit.map_err(|error| fault(&error.message))?;
        if exit.cancelled.is_some() {
            return Err(fault(&format!("`{name}` took longer than {} s", COMMAND_TIME.as_secs())));
        }
        match exit.code() {
            Some(0) => content(output.stdout).map_err(Unrevealed::Fault),
            // Its stderr is not quoted: nobody knows what a secret manager prints there.
            Some(code) => Err(fault(&format!("`{name}` ended with exit code {code}"))),
            None => {
                Err(fault(&format!("`{name}` was ended by signal {}", exit.signal().unwrap_or_default())))
            }
        }
    }
}

/// Collects what a provider's command prints. Nothing of it is logged.
struct Output<'a> {
    stdout: Vec<u8>,
    asker: &'a dyn Asker,
}

impl Watch for Output<'_> {
    fn spawned(&mut self, group: Pid) {
        self.asker.spawned(group);
    }

    fn output(&mut self, stream: LogStream, chunk: Option<&[u8]>) {
        if stream == LogStream::Stdout && self.stdout.len() <= LONGEST {
            self.stdout.extend_from_slice(chunk.unwrap_or_default());
        }
    }

    fn note(&mut self, _line: &str) {}
}

/// A file's content, read where it does not hold up the run.
async fn file(path: PathBuf) -> Result<String, String> {
    let read = move || {
        let named = |reason: String| format!("{}: {reason}", path.display());
        let bytes = read_regular(&path, LONGEST).map_err(|error| named(words(&error)))?;
        let bytes = bytes.ok_or_else(|| named(format!("longer than {LONGEST} bytes")))?;
        content(bytes).map_err(named)
    };
    tokio::task::spawn_blocking(read).await.unwrap_or_else(|error| Err(error.to_string()))
}

/// As the file names it, without the module.
fn shown(name: &str) -> &str {
    name.split('@').next().unwrap_or_default()
}

/// Text without the newline that editors and programs end it with.
fn content(bytes: Vec<u8>) -> Result<String, String> {
    if bytes.len() > LONGEST {
        return Err(format!("longer than {LONGEST} bytes"));
    }
    let mut text = String::from_utf8(bytes).map_err(|_| "not UTF-8".to_owned())?;
    if text.ends_with('\n') {
        text.pop();
    }
    if text.ends_with('\r') {
        text.pop();
    }
    if text.is_empty() { Err("empty".into()) } else { Ok(text) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secrets(folder: &Path, specs: &[(&str, SecretSpec)]) -> (Secrets, Mask) {
        let mask = Mask::default();
        let module = Module {
            name: "m".into(),
            file: "m.yaml".into(),
            folder: folder.to_str().unwrap().into(),
            caller: None,
            ids: BTreeMap::new(),
            inputs: Vec::new(),
            secrets: specs.iter().map(|(name, spec)| ((*name).to_owned(), spec.clone())).collect(),
        };
        let ours =
            BTreeMap::from([("TOKEN".into(), "hunter22".into()), ("PATH".into(), "/usr/bin:/bin".into())]);
        let passed = BTreeMap::from([("PATH".into(), "/usr/bin:/bin".into())]);
        (Secrets::new(&[module], folder, ours, passed, mask.clone()), mask)
    }

    struct Attempt {
        cancel: Cancel,
        /// Told to stop as soon as something runs for it.
        hasty: bool,
    }

    impl Attempt {
        fn new(hasty: bool) -> Attempt {
            Attempt { cancel: Cancel::new(), hasty }
        }
    }

    impl Asker for Attempt {
        fn cancel(&self) -> &Cancel {
            &self.cancel
        }

        fn key(&self) -> &str {
            "key"
        }

        fn patience(&self) -> Patience {
            Patience::default()
        }

        fn spawned(&self, _group: Pid) {
            if self.hasty {
                self.cancel.cancel(Cancelled::Timeout);
            }
        }

        fn warn(&self, _text: &str) {}
    }

    async fn reveal(secrets: &Secrets, name: &str) -> Result<String, String> {
        let revealed = secrets.reveal(&Secret::named(name), &Attempt::new(false)).await;
        revealed.map(|text| text.expose_secret().to_owned()).map_err(|error| error.to_string())
    }

    #[tokio::test]
    async fn a_provider_ends_with_the_attempt_that_asked() {
        let folder = tempfile::tempdir().unwrap();
        let command = ["sh", "-c", "exec sleep 600"].map(String::from);
        let (secrets, _) = secrets(folder.path(), &[("slow", SecretSpec::Command(command.into()))]);
        let revealed = secrets.reveal(&Secret::named("slow"), &Attempt::new(true)).await;
        assert_eq!(revealed.err(), Some(Unrevealed::Cancelled(Cancelled::Timeout)));
    }

    #[tokio::test]
    async fn what_can_be_known_is_hidden_from_the_start() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("key"), "in-a-file\n").unwrap();
        std::fs::write(folder.path().join("pin"), "123").unwrap();
        let fifo = folder.path().join("fifo");
        rustix::fs::mkfifoat(rustix::fs::CWD, &fifo, rustix::fs::Mode::RUSR).unwrap();
        let specs = [
            ("variable", SecretSpec::Env("TOKEN".into())),
            ("file", SecretSpec::File("key".into())),
            ("short", SecretSpec::File("pin".into())),
            ("pipe", SecretSpec::File("fifo".into())),
        ];
        let (secrets, mask) = secrets(folder.path(), &specs);
        assert_eq!(
            secrets.learn().await.join("; "),
            "secret `short` is so short that it is not hidden in what is logged"
        );
        assert_eq!(mask.text("hunter22, in-a-file"), "***, ***");
        let refused = reveal(&secrets, "pipe").await.unwrap_err();
        assert!(refused.ends_with("fifo: not a regular file"), "{refused}");
    }

    #[tokio::test]
    async fn every_provider_gives_its_content_and_hides_it() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("key"), "in-a-file\n").unwrap();
        let command = ["sh", "-c", "echo $0 from-a-command; test -z \"$TOKEN\"", "is"].map(String::from);
        let (secrets, mask) = secrets(
            folder.path(),
            &[
                ("variable", SecretSpec::Env("TOKEN".into())),
                ("file", SecretSpec::File("key".into())),
                ("command", SecretSpec::Command(command.into())),
            ],
        );
        assert_eq!(reveal(&secrets, "variable").await.unwrap(), "hunter22");
        assert_eq!(reveal(&secrets, "file").await.unwrap(), "in-a-file");
        assert_eq!(reveal(&secrets, "command").await.unwrap(), "is from-a-command");
        assert_eq!(mask.text("hunter22, in-a-file, is from-a-command"), "***, ***, ***");
        let mixed =
            Secret { parts: vec![SecretPart::Text("Bearer ".into()), SecretPart::Name("variable".into())] };
        let revealed = secrets.reveal(&mixed, &Attempt::new(false)).await.unwrap();
        assert_eq!(revealed.expose_secret(), "Bearer hunter22");
    }

    #[tokio::test]
    async fn faults_say_which_secret_and_why() {
        let folder = tempfile::tempdir().unwrap();
        let command = ["sh", "-c", "echo half-a-secret; exit 3"].map(String::from);
        let (secrets, _) = secrets(
            folder.path(),
            &[
                ("variable", SecretSpec::Env("UNSET".into())),
                ("command", SecretSpec::Command(command.into())),
                ("missing", SecretSpec::Command(vec!["no-such-program".into()])),
            ],
        );
        for (name, wanted) in [
            ("variable", "secret `variable`: the environment variable UNSET is not set"),
            ("command", "secret `command`: `sh` ended with exit code 3"),
            ("missing", "secret `missing`: no-such-program: no such program"),
            ("unknown", "there is no secret `unknown`"),
        ] {
            assert_eq!(reveal(&secrets, name).await.unwrap_err(), wanted);
        }
    }
}
