//! `http.resource`.

mod state;

use runbook_step::{
    BoxFuture, Call, Change, ChangeSource, Choice, Context, Declaration, Failure, FailureKind, HttpBody,
    HttpRequest, Idempotence, Map, Outcome, Param, Step, Success, Type, Value, Verdict, World,
    format_duration, step_type,
};

use self::state::State;
use super::exchange;
use super::expect::status_difference;
use super::request::{unanswered, unwanted};

step_type! {
    /// Makes an HTTP resource have a representation, and puts the one before back when it is undone.
    ///
    /// ```yaml
    /// - id: switch
    ///   uses: http.resource
    ///   with:
    ///     url: "${{ environment.vars.router }}/-/live"
    ///     desired: {colour: green}
    ///
    /// - id: retire
    ///   uses: http.resource
    ///   with:
    ///     url: "${{ environment.vars.deployer }}/deployments/blue"
    ///     absent: true
    ///     fields: [version, behaviour]
    /// ```
    ///
    /// The resource is one that a GET reads and a PUT writes (`method` changes the latter). `desired` says what its
    /// representation must have; the GET may show more. `absent: true` deletes it.
    ///
    /// **What it does.** Before anything is changed it reads the resource and records what is there: those fields that
    /// `desired` names, or those that `fields` names. Then it sends the PUT or DELETE, and reads until the change shows, for
    /// at most `within`.
    ///
    /// **Undo.** It reads the resource again. If it is as this step made it, or partly so, the representation that was
    /// recorded is put back; what was absent is deleted. If it is as it was, there is nothing to do. If it is neither,
    /// somebody else has changed it since: the undo fails, says what it found, and touches nothing.
    ///
    /// **In doubt** it reads the resource: if it is as wanted, the step is done, else it is simply sent again.
    ///
    /// What is recorded is kept with the run. Do not use it where the representation is secret; headers may be.
    pub struct Resource = "http.resource", declare;
}

fn declare(it: Declaration) -> Declaration {
    let record = Type::Map { fields: vec![], extra: Some(Box::new(Type::Any)) };
    it.writes(Idempotence::Idempotent)
        .undo("puts back the representation that was there before, or deletes what was absent")
        .verify(false)
        .param(Param::required("url", Type::url()).doc("The resource. May contain a secret."))
        .param(Param::optional("desired", record).doc("What its representation must have."))
        .param(Param::optional("absent", Type::Boolean).doc("`true`: the resource must not exist."))
        .choice(Choice::ExactlyOne, &["desired", "absent"])
        .param(
            Param::optional("fields", Type::list(Type::string())).doc(
                "Names that are recorded and put back. Default: those of `desired`; with `absent`, all.",
            ),
        )
        .param(
            Param::optional("method", Type::one_of(["PUT", "POST", "PATCH"]))
                .default("PUT")
                .doc("How it is written."),
        )
        .param(
            Param::optional("headers", Type::map_of(Type::printable()))
                .doc("Request headers. Values may be secrets."),
        )
        .param(
            Param::optional("timeout", Type::positive_duration())
                .default("30s")
                .doc("How long one request may take."),
        )
        .param(
            Param::optional("within", Type::positive_duration())
                .default("10s")
                .doc("How long to go on reading until the change shows."),
        )
        .output("changed", Type::Boolean, "Whether it was different before.")
        .output("before", Type::Any, "What was recorded; `null` if there was nothing.")
        .output("now", Type::Any, "The whole representation, read after the change; `null` if there is none.")
        .writes_resource("http", &["url"])
}

/// The time between two looks while a change has not shown yet.
const LOOK_EVERY_MS: u64 = 500;

/// Statuses that say that there is nothing.
const GONE: [u16; 2] = [404, 410];

impl Step for Resource {
    fn declaration(&self) -> &Declaration {
        Self::declared()
    }

    fn prepare<'a>(&'a self, call: &'a Call, ctx: &'a dyn Context) -> BoxFuture<'a, Result<Value, Failure>> {
        Box::pin(async move {
            let wish = State::wanted(call)?;
            let now = read(call, ctx).await?;
            Ok(wish.part_of(call, &now).to_value())
        })
    }

    fn run<'a>(&'a self, call: &'a Call, ctx: &'a dyn Context) -> BoxFuture<'a, Outcome> {
        Box::pin(async move { apply(call, ctx).await.into() })
    }

    fn verify<'a>(&'a self, call: &'a Call, ctx: &'a dyn Context) -> BoxFuture<'a, Verdict> {
        Box::pin(async move {
            let wish = match State::wanted(call) {
                Ok(wish) => wish,
                Err(error) => return Verdict::Unknown(error.to_string()),
            };
            match read(call, ctx).await {
                Ok(now) if wish.shows_in(&now) => Verdict::Done(outputs(call, &wish, &now)),
                Ok(now) => Verdict::Unknown(format!("{} is {now}, wanted {wish}", url(call))),
                Err(failure) => Verdict::Unknown(failure.message),
            }
        })
    }

    fn undo<'a>(&'a self, call: &'a Call, ctx: &'a dyn Context) -> BoxFuture<'a, Outcome> {
        Box::pin(async move { put_back(call, ctx).await.into() })
    }

    fn plan<'a>(&'a self, call: &'a Call, ctx: &'a dyn Context) -> BoxFuture<'a, Vec<Change>> {
        Box::pin(async move {
            let Ok(wish) = State::wanted(call) else { return Vec::new() };
            let resource = runbook_step::Resource { kind: "http".into(), id: url(call) };
            let change = |verb, detail, source| Change { resource, verb, detail: Some(detail), source };
            match read(call, ctx).await {
                Ok(now) if wish.shows_in(&now) => Vec::new(),
                Ok(now) => {
                    let before = wish.part_of(call, &now);
                    let verb = match (&before, &wish) {
                        (State::Absent, _) => "create",
                        (_, State::Absent) => "delete",
                        _ => "update",
                    };
                    vec![change(verb, format!("{before} → {wish}"), ChangeSource::Probed)]
                }
                Err(failure) => {
                    vec![change("update", format!("to {wish}; {}", failure.message), ChangeSource::Unknown)]
                }
            }
        })
    }

    fn simulate(&self, call: &Call, world: &mut World) -> Map {
        let Ok(wish) = State::wanted(call) else { return Map::new() };
        let resource = runbook_step::Resource { kind: "http".into(), id: url(call) };
        match &wish {
            State::Is(fields) => drop(world.resources.insert(resource, fields.clone().into())),
            State::Absent => drop(world.resources.insert(resource, Value::Null)),
        }
        Map::new()
    }
}

async fn apply(call: &Call, ctx: &dyn Context) -> Result<Success, Outcome> {
    let wish = State::wanted(call)?;
    write(call, ctx, &wish).await?;
    let now = settled(call, ctx, &wish).await?;
    let outputs = outputs(call, &wish, &now);
    let note = match outputs.get("changed") {
        Some(Value::Bool(false)) => format!("was {wish} already"),
        _ => format!("{} → {wish}", State::from_value(&call.prepared).unwrap_or(State::Absent)),
    };
    Ok(Success { outputs, ..Success::default() }.note(note))
}

async fn put_back(call: &Call, ctx: &dyn Context) -> Result<Success, Outcome> {
    let wish = State::wanted(call)?;
    let Some(before) = State::from_value(&call.prepared) else {
        return Err(Outcome::not_done(FailureKind::Error, "what was there before was not recorded"));
    };
    let now = read(call, ctx).await.map_err(Outcome::NotDone)?;
    if before.shows_in(&now) {
        return Ok(Success::default().note(format!("is {before} already")));
    }
    if !now.lies_between(&before, &wish) {
        let message = format!(
            "{} is {}: neither what this step made it ({wish}) nor what it was before ({before}); it was not touched",
            url(call),
            wish.part_of(call, &now)
        );
        let failure =
            Failure::new(FailureKind::Error, message).hint("somebody else has changed it since; look first");
        return Err(Outcome::NotDone(failure));
    }
    write(call, ctx, &before).await?;
    settled(call, ctx, &before).await?;
    Ok(Success::default().note(format!("{wish} → {before}")))
}

/// Reads the resource.
async fn read(call: &Call, ctx: &dyn Context) -> Result<State, Failure> {
    let request = exchange::bare_request(call, "GET")?;
    let response = ctx.http().send(&request).await.map_err(|error| exchange::failure(&request, &error).0)?;
    if GONE.contains(&response.status) {
        return Ok(State::Absent);
    }
    let fault = |kind, what: String| Failure::new(kind, format!("{}: {what}", exchange::target(&request)));
    if !(200..300).contains(&response.status) {
        return Err(fault(FailureKind::Http(response.status), status_difference(&response, "2xx")));
    }
    match exchange::json(&response) {
        Some(Value::Map(fields)) => Ok(State::Is(fields)),
        Some(other) => {
            Err(fault(FailureKind::Error, format!("the representation is {}, not a map", other.kind())))
        }
        None => Err(fault(FailureKind::Error, "the representation is not JSON".into())),
    }
}

/// Sends what makes the resource be so.
async fn write(call: &Call, ctx: &dyn Context, state: &State) -> Result<(), Outcome> {
    let request = match state {
        State::Is(fields) => HttpRequest {
            body: HttpBody::Json(fields.clone().into()),
            ..exchange::bare_request(call, call.str("method")?)?
        },
        State::Absent => exchange::bare_request(call, "DELETE")?,
    };
    match ctx.http().send(&request).await {
        Ok(response) if (200..300).contains(&response.status) => Ok(()),
        Ok(response) if *state == State::Absent && GONE.contains(&response.status) => Ok(()),
        Ok(response) => {
            let difference = status_difference(&response, "2xx");
            Err(unwanted(&request, &response, difference, true))
        }
        Err(error) => Err(unanswered(&request, &error)),
    }
}

/// Reads until the resource is so.
async fn settled(call: &Call, ctx: &dyn Context, state: &State) -> Result<State, Outcome> {
    let within = call.duration("within")?;
    let start = ctx.monotonic_ns();
    loop {
        let seen = read(call, ctx).await;
        let said = match seen {
            Ok(now) if state.shows_in(&now) => return Ok(now),
            Ok(now) => {
                format!("{} was accepted, but it is {}, wanted {state}", url(call), state.part_of(call, &now))
            }
            Err(failure) => format!("{} was accepted, but it cannot be read: {}", url(call), failure.message),
        };
        let waited = ctx.monotonic_ns().saturating_sub(start) / 1_000_000;
        if waited + LOOK_EVERY_MS > within {
            let message = format!("{said} (after {})", format_duration(within));
            return Err(Outcome::failed(FailureKind::Check, message));
        }
        ctx.progress(&said);
        if ctx.pause(LOOK_EVERY_MS).await.is_err() {
            return Err(Outcome::failed(FailureKind::Timeout, said));
        }
    }
}

fn outputs(call: &Call, wish: &State, now: &State) -> Map {
    let before = State::from_value(&call.prepared);
    let changed = before.as_ref().map(|before| !wish.shows_in(before));
    Map::from([
        ("changed".into(), changed.into()),
        ("before".into(), before.map_or(Value::Null, State::into_fields)),
        ("now".into(), now.clone().into_fields()),
    ])
}

fn url(call: &Call) -> String {
    call.get("url").map(ToString::to_string).unwrap_or_default()
}

#[cfg(test)]
mod tests;
