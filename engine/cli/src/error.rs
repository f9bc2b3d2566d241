//! What a command can fail with, and the exit code it becomes.

use std::fmt;

/// Exit codes, as `runbook exec --help` lists them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Exit(pub(crate) u8);

impl Exit {
    pub(crate) const SUCCESS: Exit = Exit(0);
    pub(crate) const UNEXPECTED: Exit = Exit(1);
    pub(crate) const USAGE: Exit = Exit(2);
    pub(crate) const INVALID: Exit = Exit(10);
    pub(crate) const JOURNAL: Exit = Exit(31);
}

/// Why a command did not do what was asked, in one sentence, and what to do next.
#[derive(Debug)]
pub(crate) struct CommandError {
    pub(crate) exit: Exit,
    pub(crate) message: String,
    pub(crate) hint: Option<String>,
}

impl CommandError {
    /// The command line cannot be followed as it stands.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        CommandError { exit: Exit::USAGE, message: message.into(), hint: None }
    }

    /// Something that should not happen, such as a folder that cannot be written.
    pub(crate) fn unexpected(message: impl Into<String>) -> Self {
        CommandError { exit: Exit::UNEXPECTED, message: message.into(), hint: None }
    }

    /// Nobody reads what is printed any more (`| head`): the command ends, and that is no failure.
    pub(crate) fn reader_gone() -> Self {
        CommandError { exit: Exit::SUCCESS, message: String::new(), hint: None }
    }

    /// Whether it is [`CommandError::reader_gone`].
    pub(crate) fn is_reader_gone(&self) -> bool {
        self.message.is_empty()
    }

    /// With another exit code.
    pub(crate) fn exit(mut self, exit: Exit) -> Self {
        self.exit = exit;
        self
    }

    /// With what to do next.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl fmt::Display for CommandError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error: {}", self.message)?;
        match &self.hint {
            Some(hint) => write!(f, "\n  hint: {hint}"),
            None => Ok(()),
        }
    }
}
