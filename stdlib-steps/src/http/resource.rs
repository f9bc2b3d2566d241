//! `http.resource`.

mod long;
mod state;

use runbook_step::{
    BoxFuture, Call, Change, ChangeSource, Choice, Context, Declaration, Failure, FailureKind, HttpBody,
    HttpRequest, Idempotence, Map, Outcome, Param, Step, Success, Type, Value, Verdict, World,
    format_duration, step_type,
};

use self::long::Seen;
use self::state::{State, difference, foreign_field, is_restored, not_ours, restored};
use super::exchange;
use super::expect::Mismatch;
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
    /// representation must have; it may have more, and that stays: a PUT or POST sends the representation that is there
    /// with the desired fields in it, a PATCH (a merge-patch, RFC 7396) only those fields. `absent: true` deletes it.
    ///
    /// Where another thing takes the place of the one that is there, as a version does in a slot, nothing of the old one may
    /// stay with it. With `replace: true` the request is `desired` and no more, and what that leaves out becomes whatever
    /// the server makes of it:
    ///
    /// ```yaml
    /// - id: deploy
    ///   uses: http.resource
    ///   with:
    ///     url: "${{ environment.vars.deployer }}/deployments/blue"
    ///     desired: {version: v1.2.0}
    ///     replace: true
    ///     fields: [version, behaviour]
    /// ```
    ///
    /// **What it does.** Before anything is changed it reads the resource and records the whole representation. Then it
    /// sends the PUT or DELETE, and reads until the change shows, for at most `within`. Where it sends the representation
    /// that is there, it reads that again, and sends nothing if a desired field is neither as it was recorded nor as wanted.
    ///
    /// **Undo.** It reads the resource again.
    ///
    /// - What it changed is set back field by field: each desired field gets the value that was recorded, or is removed if
    ///   there was none (a PATCH sends `null` for it), and what others have changed besides stays. It fails if the change
    ///   does not show afterwards.
    /// - What it replaced is put back whole.
    /// - What was absent is deleted, unless it has become more than this step made it. Where the server adds fields of its
    ///   own that change (a process id, a time), say in `fields` which ones count.
    /// - What this step deleted is put back whole.
    ///
    /// If it is as it was, there is nothing to do. If a field is neither as it was nor as this step made it, somebody else
    /// has changed it since: the undo fails, says what it found, and touches nothing.
    ///
    /// **In doubt** it reads the resource: if it is as wanted, the step is done, else it is simply sent again.
    ///
    /// **Numbers.** A whole number beyond 64 signed bits cannot be sent as it is. Where the step or its undo would have to send one
    /// that is there, it fails and changes nothing. A PATCH of other fields leaves it alone.
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
            Param::optional("replace", Type::Boolean)
                .default(false)
                .doc("`true`: nothing of what is there stays but what `desired` says. Not with PATCH."),
        )
        .param(
            Param::optional("fields", Type::list(Type::string())).doc(
                "Names that are compared, besides those of `desired`, to tell whether somebody else has changed the resource before it is deleted or replaced, and whether it is back. Default: all.",
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
        .output("before", Type::Any, "The whole representation that was recorded; `null` if there was none.")
        .output("now", Type::Any, "The whole representation, read after the change; `null` if there is none.")
        .writes_resource("http", &["url"])
}

/// The time between two looks while a change has not shown yet.
const LOOK_EVERY_MS: u64 = 500;

/// The status of what is done later.
const ACCEPTED: u16 = 202;

/// Statuses that say that there is nothing.
const GONE: [u16; 2] = [404, 410];

impl Step for Resource {
    fn declaration(&self) -> &Declaration {
        Self::declared()
    }

    fn prepare<'a>(&'a self, call: &'a Call, ctx: &'a dyn Context) -> BoxFuture<'a, Result<Value, Failure>> {
        Box::pin(async move {
            let wish = State::wanted(call)?;
            let before = read(call, ctx).await?;
            // What could not be put back must not be changed.
            before.may_be_put_back(call, &wish)?;
            Ok(before.state.to_value())
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
                Ok(Seen { state: now, .. }) if wish.is_proven_by(call, &now) => {
                    Verdict::Done(outputs(call, &wish, &now))
                }
                Ok(Seen { state: now, .. }) => {
                    Verdict::Unknown(format!("{} is {now}, wanted {wish}", url(call)))
                }
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
                Ok(Seen { state: now, .. }) if wish.is_all_of(call, &now) => Vec::new(),
                Ok(Seen { state: now, .. }) => {
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
        let before = match world.resources.get(&resource) {
            Some(Value::Map(fields)) => State::Is(fields.clone()),
            _ => State::Absent,
        };
        let now = wish.applied_to(call, &before);
        world.resources.insert(resource, now.clone().into_fields());
        Map::from([
            ("changed".into(), (now != before).into()),
            ("before".into(), before.into_fields()),
            ("now".into(), now.into_fields()),
        ])
    }
}

async fn apply(call: &Call, ctx: &dyn Context) -> Result<Success, Outcome> {
    let wish = State::wanted(call)?;
    let sent = match (&wish, call.str("method")?) {
        (State::Absent, _) | (_, "PATCH") => wish.clone(),
        _ if state::replaces(call) => wish.clone(),
        // What such a request leaves out may be gone afterwards.
        _ => {
            let there = read(call, ctx).await.map_err(Outcome::NotDone)?;
            as_recorded(call, &wish, &there.state).map_err(Outcome::NotDone)?;
            let sent = wish.applied_to(call, &there.state);
            there.may_be_sent(call, &sent).map_err(Outcome::NotDone)?;
            sent
        }
    };
    let status = write(call, ctx, &sent).await?;
    let wanted = wish.to_string();
    let since = ctx.monotonic_ns();
    // Of what was only accepted, that it shows may be what was there before.
    let proven = match status == ACCEPTED && state::replaces(call) {
        true => settled(call, ctx, since, &wanted, |now| wish.is_proven_by(call, now)).await.ok(),
        false => None,
    };
    let now = match proven {
        Some(now) => now,
        None => settled(call, ctx, since, &wanted, |now| wish.shows_in(now)).await?,
    };
    let outputs = outputs(call, &wish, &now);
    let before = State::from_value(&call.prepared).unwrap_or(State::Absent);
    let note = match outputs.get("changed") {
        Some(Value::Bool(false)) => format!("was {wish} already"),
        _ => format!("{} → {}", wish.part_of(call, &before), wish.part_of(call, &now)),
    };
    Ok(Success { outputs, ..Success::default() }.note(note))
}

/// Whether each field that is to be changed still is as it was recorded, or is so already: no other value could be put back.
fn as_recorded(call: &Call, wish: &State, now: &State) -> Result<(), Failure> {
    // What an attempt before has made of it is ours, and cannot be told from what somebody else has.
    let before = State::from_value(&call.prepared).filter(|_| call.attempt <= 1);
    let (State::Is(wanted), State::Is(fields), Some(before)) = (wish, now, before) else { return Ok(()) };
    let shown = wish.part_of(call, &before);
    let place = match before {
        // Somebody else has made it: the undo would delete it.
        State::Absent if !wish.shows_in(now) => String::new(),
        State::Absent => return Ok(()),
        State::Is(before) => match restored(fields, wanted, &before) {
            Ok(_) => return Ok(()),
            Err(name) => format!(" (look at `{name}`)"),
        },
    };
    let message = format!(
        "{} is {}, and was {shown} when this step looked at it{place}; it was not touched, because its undo could \
         not put back what is there now",
        url(call),
        wish.part_of(call, now)
    );
    Err(Failure::new(FailureKind::Error, message).hint("somebody else has changed it since; look first"))
}

async fn put_back(call: &Call, ctx: &dyn Context) -> Result<Success, Outcome> {
    let wish = State::wanted(call)?;
    let Some(before) = State::from_value(&call.prepared) else {
        return Err(Outcome::not_done(FailureKind::Error, "what was there before was not recorded"));
    };
    let there = read(call, ctx).await.map_err(Outcome::NotDone)?;
    let now = there.state.clone();
    let shown = wish.part_of(call, &before);
    let was_already = || Ok(Success::default().note(format!("is {shown} already")));
    let foreign = |why: &str| {
        let message = format!(
            "{} is {}: neither what this step made it ({wish}) nor what it was before ({shown}){why}; it was not touched",
            url(call),
            wish.part_of(call, &now)
        );
        let hint = "somebody else has changed it since; look first (fields that the server changes by itself are left \
                    out if `fields` names those that count)";
        Outcome::NotDone(Failure::new(FailureKind::Error, message).hint(hint))
    };
    match (&before, &wish, &now) {
        (State::Absent, _, State::Absent) => return was_already(),
        (State::Absent, State::Is(wanted), State::Is(fields)) => {
            let made = call.outputs.as_ref().and_then(|outputs| outputs.get("now")?.as_map());
            let counts = |name: &str| wish.counts(call, name);
            if let Some(name) = foreign_field(fields, made.unwrap_or(wanted), counts) {
                return Err(foreign(&format!(" (look at `{name}`)")));
            }
            write(call, ctx, &State::Absent).await?;
            settled(call, ctx, ctx.monotonic_ns(), "absent", |now| *now == State::Absent).await?;
        }
        (State::Is(was), State::Is(wanted), State::Is(fields)) if state::replaces(call) => {
            if shown == wish.part_of(call, &now) {
                return was_already();
            }
            let made = call.outputs.as_ref().and_then(|outputs| outputs.get("now")?.as_map());
            let counts = |name: &str| wish.counts(call, name);
            if let Some(name) = not_ours(fields, was, wanted, made, counts) {
                return Err(foreign(&format!(" (look at `{name}`)")));
            }
            write(call, ctx, &before).await?;
            let back = |now: &State| wish.part_of(call, now) == shown;
            settled(call, ctx, ctx.monotonic_ns(), &format!("{shown} again"), back).await?;
        }
        (State::Is(before), State::Is(wanted), State::Is(fields)) => {
            let restored =
                restored(fields, wanted, before).map_err(|name| foreign(&format!(" (look at `{name}`)")))?;
            if restored == *fields {
                return was_already();
            }
            let sent = match call.str("method")? {
                "PATCH" => difference(fields, &restored),
                _ => restored,
            };
            let sent = State::Is(sent);
            there.may_be_sent(call, &sent).map_err(Outcome::NotDone)?;
            write(call, ctx, &sent).await?;
            let back = |now: &State| matches!(now, State::Is(now) if is_restored(now, wanted, before));
            settled(call, ctx, ctx.monotonic_ns(), &format!("{shown} again"), back).await?;
        }
        (State::Is(_), State::Absent, State::Absent) => {
            write(call, ctx, &before).await?;
            settled(call, ctx, ctx.monotonic_ns(), &format!("{shown} again"), |now| shown.shows_in(now))
                .await?;
        }
        (State::Is(_), State::Absent, State::Is(_)) if shown.shows_in(&now) => return was_already(),
        _ => return Err(foreign("")),
    }
    Ok(Success::default().note(format!("{wish} → {shown}")))
}

/// Reads the resource.
async fn read(call: &Call, ctx: &dyn Context) -> Result<Seen, Failure> {
    let request = exchange::bare_request(call, "GET")?;
    let response = ctx.http().send(&request).await.map_err(|error| exchange::failure(&request, &error).0)?;
    if GONE.contains(&response.status) {
        return Ok(Seen::absent());
    }
    let fault = |kind, what: String| Failure::new(kind, format!("{}: {what}", exchange::target(&request)));
    if !(200..300).contains(&response.status) {
        let difference = Mismatch::of_status(&response, "2xx", ctx).message;
        return Err(fault(FailureKind::Http(response.status), difference));
    }
    match exchange::json(&response) {
        Some(Value::Map(fields)) => Ok(Seen::of(fields, &response.body)),
        Some(other) => {
            Err(fault(FailureKind::Error, format!("the representation is {}, not a map", other.kind())))
        }
        None => Err(fault(FailureKind::Error, "the representation is not JSON".into())),
    }
}

/// Sends what makes the resource be so; returns the status of the answer.
async fn write(call: &Call, ctx: &dyn Context, state: &State) -> Result<u16, Outcome> {
    let request = match state {
        State::Is(fields) => HttpRequest {
            body: HttpBody::Json(fields.clone().into()),
            ..exchange::bare_request(call, call.str("method")?)?
        },
        State::Absent => exchange::bare_request(call, "DELETE")?,
    };
    match ctx.http().send(&request).await {
        Ok(response) if (200..300).contains(&response.status) => Ok(response.status),
        Ok(response) if *state == State::Absent && GONE.contains(&response.status) => Ok(response.status),
        Ok(response) => Err(unwanted(&request, &response, Mismatch::of_status(&response, "2xx", ctx), ctx)),
        Err(error) => Err(unanswered(&request, &error)),
    }
}

/// Reads until the resource is as it is wanted, for at most `within` since then; at least once.
async fn settled(
    call: &Call,
    ctx: &dyn Context,
    since: u64,
    wanted: &str,
    holds: impl Fn(&State) -> bool,
) -> Result<State, Outcome> {
    let wish = State::wanted(call)?;
    let within = call.duration("within")?;
    loop {
        let seen = read(call, ctx).await.map(|seen| seen.state);
        let said = match seen {
            Ok(now) if holds(&now) => return Ok(now),
            Ok(now) => {
                format!("{} was accepted, but it is {}, wanted {wanted}", url(call), wish.part_of(call, &now))
            }
            Err(failure) => format!("{} was accepted, but it cannot be read: {}", url(call), failure.message),
        };
        let waited = ctx.monotonic_ns().saturating_sub(since) / 1_000_000;
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
    let changed = before.as_ref().map(|before| match state::replaces(call) {
        true => wish.part_of(call, before) != wish.part_of(call, now),
        false => !wish.shows_in(before),
    });
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
