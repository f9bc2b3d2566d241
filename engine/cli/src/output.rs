//! The only place that writes to the standard streams. Data goes to stdout, everything else to stderr.

use std::io::{IsTerminal, Write};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::args::{Colour, Global};
use crate::error::CommandError;
use crate::project;

/// Writes data to stdout.
///
/// # Errors
/// If it cannot be written; [`CommandError::reader_gone`] ends a command quietly (`runbook runs | head`).
pub(crate) fn data(text: &str) -> Result<(), CommandError> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Err(CommandError::reader_gone()),
        Err(error) => Err(CommandError::unexpected(format!("stdout: {error}"))),
        Ok(()) => Ok(()),
    }
}

/// Whether somebody still reads stdout, for who has nothing to write for a while.
///
/// # Errors
/// [`CommandError::reader_gone`].
pub(crate) fn still_read() -> Result<(), CommandError> {
    let stdout = std::io::stdout();
    let mut gone = [PollFd::new(&stdout, PollFlags::empty())];
    let looked = poll(&mut gone, Some(&Timespec::default()));
    match looked {
        Ok(1..) if gone[0].revents().contains(PollFlags::ERR) => Err(CommandError::reader_gone()),
        _ => Ok(()),
    }
}

/// Writes data and a newline to stdout.
pub(crate) fn data_line(text: &str) -> Result<(), CommandError> {
    data(&format!("{text}\n"))
}

/// Writes a line to stderr. A stderr that is gone is nobody's to complain to.
pub(crate) fn line_to_stderr(text: &str) {
    let mut err = std::io::stderr().lock();
    let _ = writeln!(err, "{text}");
}

/// Writes what to do next to stderr, as it has to be typed here.
pub(crate) fn next_to_stderr(text: &str, global: &Global) {
    let state = crate::project::named_state(global);
    line_to_stderr(&runbook_view::with_state(text, state.as_deref()));
}

/// How runs are laid out for whoever reads them here.
pub(crate) fn style(global: &Global) -> runbook_view::Style {
    let state = crate::project::named_state(global);
    runbook_view::Style { zone: crate::host::zone(), state, ..runbook_view::Style::default() }
}

/// Whether stderr may be coloured, as the option, `NO_COLOR` and the terminal say.
pub(crate) fn coloured_stderr(global: &Global) -> bool {
    coloured(global, std::io::stderr().is_terminal())
}

/// Whether stdout may be coloured.
pub(crate) fn coloured_stdout(global: &Global) -> bool {
    coloured(global, std::io::stdout().is_terminal())
}

fn coloured(global: &Global, terminal: bool) -> bool {
    match global.color {
        Colour::Always => true,
        Colour::Never => false,
        Colour::Auto => {
            terminal && !dumb() && project::environment_variable("NO_COLOR").is_none_or(|v| v.is_empty())
        }
    }
}

/// Columns of the terminal behind stderr, or 100.
pub(crate) fn width() -> usize {
    terminal_size().map_or(100, |(_, columns)| columns)
}

/// Rows and columns of the terminal behind stderr; one that does not know its size is taken for 24 of 80. `None`: there
/// is no terminal.
pub(crate) fn terminal_size() -> Option<(usize, usize)> {
    let size = rustix::termios::tcgetwinsize(std::io::stderr()).ok()?;
    Some(match (size.ws_row, size.ws_col) {
        (0, _) | (_, 0) => (24, 80),
        (rows, columns) => (usize::from(rows).max(5), usize::from(columns).max(20)),
    })
}

/// Whether stderr is a terminal that can move its cursor, as `TERM` says.
pub(crate) fn moves_cursor() -> bool {
    std::io::stderr().is_terminal() && !dumb()
}

/// A terminal that shows text and no more, or that nobody says anything about.
fn dumb() -> bool {
    project::environment_variable("TERM").is_none_or(|term| term.is_empty() || term == "dumb")
}

/// The reader's moment.
pub(crate) fn now() -> runbook_view::Now {
    runbook_view::Now::at(runbook_runtime::Clock::system().wall_ms())
}
