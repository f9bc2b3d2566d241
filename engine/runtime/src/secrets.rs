//! Secrets: resolved at the moment of use, hidden everywhere from then on, never stored.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use runbook_plan::{Module, ModuleId, Plan, SecretSpec};
use runbook_step::{Cancelled, LogStream, Secret, SecretPart};
use rustix::process::Pid;
use secrecy::{ExposeSecret, SecretString};

use crate::cancel::Cancel;
use crate::mask::Mask;
use crate::process::environment::{Environment, program};
use crate::process::{self, Launch, Patience, Watch};

/// How long a provider's command may take.
const COMMAND_TIME: Duration = Duration::from_secs(60);

/// The longest secret that a command or file may give, in bytes.
const LONGEST: usize = 1 << 20;

/// The secrets of a plan's modules, by reference.
pub(crate) struct Secrets {
    providers: BTreeMap<String, Provider>,
    /// The executing process's own environment: what `env:` names.
    ours: Environment,
    /// What a provider's command gets to see.
    passed: Environment,
    mask: Mask,
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
        Secrets { providers, ours, passed, mask }
    }

    /// The content of a text with secrets in it. The error is one line and holds no secret.
    pub(crate) async fn reveal(&self, secret: &Secret) -> Result<SecretString, String> {
        let mut text = String::new();
        for part in &secret.parts {
            match part {
                SecretPart::Text(plain) => text.push_str(plain),
                SecretPart::Name(name) => text.push_str(self.resolve(name).await?.expose_secret()),
            }
        }
        Ok(SecretString::from(text))
    }

    async fn resolve(&self, name: &str) -> Result<SecretString, String> {
        let provider = self.providers.get(name).ok_or_else(|| format!("there is no secret `{name}`"))?;
        let shown = name.split('@').next().unwrap_or_default();
        let content = match &provider.spec {
            SecretSpec::Env(variable) => self.variable(variable),
            SecretSpec::File(path) => read(&provider.folder.join(path)),
            SecretSpec::Command(argv) => self.command(argv, &provider.folder).await,
        };
        let content = content.map_err(|reason| format!("secret `{shown}`: {reason}"))?;
        self.mask.hide(&content);
        Ok(SecretString::from(content))
    }

    fn variable(&self, name: &str) -> Result<String, String> {
        match self.ours.get(OsStr::new(name)).map(|value| value.to_str()) {
            None => Err(format!("the environment variable {name} is not set")),
            Some(None) => Err(format!("the environment variable {name} is not UTF-8")),
            Some(Some("")) => Err(format!("the environment variable {name} is empty")),
            Some(Some(value)) => Ok(value.to_owned()),
        }
    }

    async fn command(&self, argv: &[String], folder: &Path) -> Result<String, String> {
        let Some((name, args)) = argv.split_first() else { return Err("its command is empty".into()) };
        let program = program(name, &self.passed, folder).map_err(|error| error.message)?;
        let launch = Launch {
            name: name.into(),
            program,
            args: args.iter().map(OsString::from).collect(),
            environment: self.passed.clone(),
            cwd: folder.to_owned(),
            stdin: None,
        };
        let cancel = Cancel::new();
        let mut output = Output::default();
        let timeout = async {
            tokio::time::sleep(COMMAND_TIME).await;
            cancel.cancel(Cancelled::Timeout);
            std::future::pending().await
        };
        let exit = tokio::select! {
            exit = process::run(launch, &cancel, Patience::default(), &mut output) => exit,
            never = timeout => never,
        };
        let exit = exit.map_err(|error| error.message)?;
        if exit.cancelled.is_some() {
            return Err(format!("`{name}` took longer than {} s", COMMAND_TIME.as_secs()));
        }
        match exit.code() {
            Some(0) => content(output.stdout),
            // Its stderr is not quoted: nobody knows what a secret manager prints there.
            Some(code) => Err(format!("`{name}` ended with exit code {code}")),
            None => Err(format!("`{name}` was ended by signal {}", exit.signal().unwrap_or_default())),
        }
    }
}

/// Collects what a provider's command prints. Nothing of it is logged.
#[derive(Default)]
struct Output {
    stdout: Vec<u8>,
}

impl Watch for Output {
    fn spawned(&mut self, _group: Pid) {}

    fn output(&mut self, stream: LogStream, chunk: Option<&[u8]>) {
        if stream == LogStream::Stdout && self.stdout.len() <= LONGEST {
            self.stdout.extend_from_slice(chunk.unwrap_or_default());
        }
    }

    fn note(&mut self, _line: &str) {}
}

fn read(path: &Path) -> Result<String, String> {
    let fault = |error: io::Error| format!("{}: {error}", path.display());
    let length = std::fs::metadata(path).map_err(fault)?.len();
    if length > LONGEST as u64 {
        return Err(format!("{}: longer than {LONGEST} bytes", path.display()));
    }
    content(std::fs::read(path).map_err(fault)?).map_err(|reason| format!("{}: {reason}", path.display()))
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

    async fn reveal(secrets: &Secrets, name: &str) -> Result<String, String> {
        secrets.reveal(&Secret::named(name)).await.map(|text| text.expose_secret().to_owned())
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
        assert_eq!(secrets.reveal(&mixed).await.unwrap().expose_secret(), "Bearer hunter22");
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
