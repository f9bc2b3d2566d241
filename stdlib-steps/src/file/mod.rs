//! `file.write`.

mod difference;
mod state;

use runbook_step::{
    BadParam, BoxFuture, Call, Change, ChangeSource, Choice, Context, Declaration, Failure, FailureKind,
    FileError, Idempotence, Map, Outcome, Param, Resource, Step, Success, Type, Value, Verdict, World,
    step_type,
};

use self::difference::difference;
use self::state::State;

step_type! {
    /// Writes a file, and puts back what was there when it is undone.
    ///
    /// ```yaml
    /// - uses: file.write
    ///   with:
    ///     path: /etc/shop/features.yaml
    ///     content: |
    ///       checkout: ${{ inputs.checkout }}
    ///     mode: "0640"
    ///
    /// - uses: file.write
    ///   with: {path: out/dashboard.json, from: monitoring/dashboard.json}
    /// ```
    ///
    /// `content` is text with expressions; `json` is a value, written as JSON; `from` is a file that belongs to the runbook
    /// and is copied as it is, as it was when the run was planned. A relative `path` starts in the runbook's folder and may
    /// not leave the project, not through a symbolic link either; to write elsewhere, write the whole path. A symbolic link
    /// stays one: the file that it points to is written. The folder must exist.
    ///
    /// Before anything is changed, what is there (or that nothing is) is recorded, with its mode. The new content is
    /// written beside the file and renamed over it, so that nobody ever reads half of it. Without `mode`, a file keeps the
    /// mode that it has, and a new one gets 0644. If the file is no longer as it was recorded when it is to be written, nothing
    /// is, and no second attempt writes over what somebody else has made of it. A file that is replaced keeps its owner and group; where we may not give
    /// it to them, and where it has other names (hard links) that would keep the old content, nothing is written. Only
    /// regular files are: a pipe or a device is an error.
    ///
    /// **Undo** puts the recorded content and mode back, or deletes a file that was not there. If the file is neither as
    /// this step wrote it nor as it was before, somebody else has changed it since: the undo fails and touches nothing.
    ///
    /// **In doubt** the file is read: as wanted, the step is done; as before, nothing happened.
    ///
    /// Both contents may be 1 MiB long and are kept with the run, so do not write secrets with it.
    pub struct Write = "file.write", declare;
}

/// The most bytes that are written or recorded.
const LONGEST: usize = 1 << 20;

const SOMEBODY_ELSE: &str = "somebody else has changed it since; look first";

/// The mode of a file that is new, unless one is given.
const USUAL_MODE: u32 = 0o644;

fn declare(it: Declaration) -> Declaration {
    it.writes(Idempotence::Idempotent)
        .undo("puts back the content and mode that were there before, or deletes a file that is new")
        .verify(true)
        .param(Param::required("path", Type::string()).doc("The file; relative to the runbook's folder."))
        .param(Param::optional("content", Type::string()).doc("What is written."))
        .param(Param::optional("json", Type::Any).doc("What is written, as JSON with a line for each entry."))
        .param(Param::optional("from", Type::File).doc("A file of the runbook, copied as it is."))
        .choice(Choice::ExactlyOne, &["content", "json", "from"])
        .param(Param::optional("mode", Type::pattern("^0?[0-7]{3}$")).doc("Permissions, quoted: `\"0640\"`."))
        .output("changed", Type::Boolean, "Whether content or mode were different before.")
        .output("bytes", Type::integer(), "The length of the file now.")
        .writes_resource("file", &["path"])
}

impl Step for Write {
    fn declaration(&self) -> &Declaration {
        Self::declared()
    }

    fn prepare<'a>(&'a self, call: &'a Call, ctx: &'a dyn Context) -> BoxFuture<'a, Result<Value, Failure>> {
        Box::pin(async move { Ok(read(path(call)?, ctx).await?.to_value()) })
    }

    fn run<'a>(&'a self, call: &'a Call, ctx: &'a dyn Context) -> BoxFuture<'a, Outcome> {
        Box::pin(async move { write(call, ctx).await.unwrap_or_else(Outcome::NotDone) })
    }

    fn verify<'a>(&'a self, call: &'a Call, ctx: &'a dyn Context) -> BoxFuture<'a, Verdict> {
        Box::pin(
            async move { look(call, ctx).await.unwrap_or_else(|failure| Verdict::Unknown(failure.message)) },
        )
    }

    fn undo<'a>(&'a self, call: &'a Call, ctx: &'a dyn Context) -> BoxFuture<'a, Outcome> {
        Box::pin(async move { put_back(call, ctx).await.unwrap_or_else(Outcome::NotDone) })
    }

    fn plan<'a>(&'a self, call: &'a Call, ctx: &'a dyn Context) -> BoxFuture<'a, Vec<Change>> {
        Box::pin(async move {
            let (Ok(path), Ok(now)) = (path(call), seen(call, ctx).await) else { return Vec::new() };
            let resource = Resource { kind: "file".into(), id: path.into() };
            let change = |verb, detail, source| vec![Change { resource, verb, detail: Some(detail), source }];
            match wanted(call, ctx, &now).await {
                Ok(wanted) if wanted == now => Vec::new(),
                Ok(wanted) => {
                    let verb = if now == State::Absent { "create" } else { "update" };
                    change(verb, difference(&now, &wanted), ChangeSource::Probed)
                }
                Err(failure) => change("update", failure.message, ChangeSource::Unknown),
            }
        })
    }

    fn simulate(&self, call: &Call, world: &mut World) -> Map {
        let resource = Resource {
            kind: "file".into(),
            id: call.get("path").map(ToString::to_string).unwrap_or_default(),
        };
        let (content, bytes) = match (call.get("from"), given(call)) {
            // What stands in that file is not known here; that it is a copy of it is.
            (Some(from), _) => (Map::from([("from".into(), from.clone())]).into(), Value::Null),
            (None, Ok(text)) => {
                let bytes = i64::try_from(text.len()).unwrap_or(i64::MAX).into();
                (Value::from(text), bytes)
            }
            (None, Err(_)) => return Map::new(),
        };
        let before = world.resources.get(&resource).cloned();
        // Without one it keeps the mode that it has.
        let mode = match (call.get("mode"), before.as_ref().and_then(Value::as_map)) {
            (Some(mode), _) => mode.to_string().trim_start_matches('0').into(),
            (None, Some(before)) => before.get("mode").cloned().unwrap_or_default(),
            (None, None) => Value::Null,
        };
        let after = Value::from(Map::from([("content".into(), content), ("mode".into(), mode)]));
        let changed = before.as_ref() != Some(&after);
        world.resources.insert(resource, after);
        Map::from([("changed".into(), changed.into()), ("bytes".into(), bytes)])
    }
}

/// The path, if it can be one.
fn path(call: &Call) -> Result<&str, BadParam> {
    let path = call.str("path")?;
    let problem = if path.is_empty() || path.ends_with('/') {
        "it names no file"
    } else if path.contains('\0') {
        "it contains a NUL character"
    } else {
        return Ok(path);
    };
    Err(BadParam::new("path", format!("`{}`: {problem}", path.escape_debug())))
}

/// The file as it is.
async fn read(path: &str, ctx: &dyn Context) -> Result<State, Failure> {
    let Some(mode) = ctx.files().mode(path).await.map_err(fault)? else { return Ok(State::Absent) };
    match ctx.files().read(path, LONGEST).await {
        Err(error @ FileError::TooLong { .. }) => {
            let message = format!("{error}; more cannot be kept");
            Err(Failure::new(FailureKind::Invalid, message).hint("use `run`, with a `rollback` of your own"))
        }
        Ok(content) => Ok(State::File { content, mode }),
        Err(FileError::NotFound(_)) => Ok(State::Absent),
        Err(error) => Err(fault(error)),
    }
}

async fn seen(call: &Call, ctx: &dyn Context) -> Result<State, Failure> {
    read(path(call)?, ctx).await
}

/// The file as it should be, given what is (or was) there.
async fn wanted(call: &Call, ctx: &dyn Context, there: &State) -> Result<State, Failure> {
    let content = match call.get("from") {
        Some(_) => ctx.files().pinned(call.str("from")?).await.map_err(fault)?,
        None => given(call)?.into_bytes(),
    };
    if content.len() > LONGEST {
        let message =
            format!("the content is {} bytes long; at most {LONGEST} can be written", content.len());
        return Err(BadParam::new("content", message).into());
    }
    let mode = match (call.get("mode").and_then(Value::as_str), there) {
        (Some(mode), _) => {
            u32::from_str_radix(mode, 8).map_err(|_| BadParam::new("mode", format!("`{mode}` is no mode")))?
        }
        (None, State::File { mode, .. }) => *mode,
        (None, State::Absent) => USUAL_MODE,
    };
    Ok(State::File { content, mode })
}

/// The content that stands in the runbook itself.
fn given(call: &Call) -> Result<String, BadParam> {
    match call.get("json") {
        Some(json) => Ok(format!("{:#}\n", json.to_plain_json())),
        None => Ok(call.str("content")?.to_owned()),
    }
}

/// What `prepare` recorded.
fn recorded(call: &Call) -> Result<State, Failure> {
    State::from_value(&call.prepared)
        .ok_or_else(|| Failure::new(FailureKind::Error, "what was there before was not recorded"))
}

async fn write(call: &Call, ctx: &dyn Context) -> Result<Outcome, Failure> {
    let path = path(call)?;
    let before = recorded(call)?;
    let wanted = wanted(call, ctx, &before).await?;
    // What is recorded is all that the undo can put back: what came after that must not be lost.
    let now = read(path, ctx).await?;
    if now != before && now != wanted {
        let message = format!(
            "{path} is {now}, and was {before} when this step looked at it; it was not touched, because its undo could not put \
             back what is there now"
        );
        return Err(Failure::new(FailureKind::Error, message).hint(SOMEBODY_ELSE));
    }
    let State::File { content, mode } = wanted else {
        return Ok(Outcome::done(Map::new()));
    };
    if let Err(error) = ctx.files().write(path, &content, Some(mode)).await {
        return Ok(not_written(error));
    }
    let note = format!("{} bytes", content.len());
    Ok(Outcome::Done(
        Success { outputs: outputs(&before, &State::File { content, mode }), ..Success::default() }
            .note(note),
    ))
}

async fn look(call: &Call, ctx: &dyn Context) -> Result<Verdict, Failure> {
    let path = path(call)?;
    let before = recorded(call)?;
    let wanted = wanted(call, ctx, &before).await?;
    let now = read(path, ctx).await?;
    Ok(if now == wanted {
        Verdict::Done(outputs(&before, &wanted))
    } else if now == before {
        Verdict::NotDone(format!("{path} is as it was before: {before}"))
    } else {
        Verdict::Unknown(format!(
            "{path} is {now}: neither what is written ({wanted}) nor what was there ({before})"
        ))
    })
}

async fn put_back(call: &Call, ctx: &dyn Context) -> Result<Outcome, Failure> {
    let path = path(call)?;
    let before = recorded(call)?;
    let wanted = wanted(call, ctx, &before).await?;
    let now = read(path, ctx).await?;
    if now == before {
        return Ok(Outcome::Done(Success::default().note(format!("is as it was: {before}"))));
    }
    if now != wanted {
        let message = format!(
            "{path} is {now}: neither what this step wrote ({wanted}) nor what was there before ({before}); it was not \
             touched"
        );
        return Err(Failure::new(FailureKind::Error, message).hint(SOMEBODY_ELSE));
    }
    let put_back = match &before {
        State::File { content, mode } => ctx.files().write(path, content, Some(*mode)).await,
        State::Absent => ctx.files().remove(path).await,
    };
    Ok(match put_back {
        Ok(()) => Outcome::Done(Success::default().note(format!("is as it was: {before}"))),
        Err(error) => not_written(error),
    })
}

/// By the contract of [`runbook_step::Files`] an error leaves what was there, but for one that says otherwise.
fn not_written(error: FileError) -> Outcome {
    match error {
        FileError::Unsettled(_) => Outcome::Unknown(fault(error)),
        _ => Outcome::NotDone(fault(error)),
    }
}

fn outputs(before: &State, now: &State) -> Map {
    let bytes = match now {
        State::File { content, .. } => i64::try_from(content.len()).unwrap_or(i64::MAX),
        State::Absent => 0,
    };
    Map::from([("changed".into(), (before != now).into()), ("bytes".into(), bytes.into())])
}

fn fault(error: FileError) -> Failure {
    Failure::new(FailureKind::Error, error.to_string())
}

#[cfg(test)]
mod tests;
