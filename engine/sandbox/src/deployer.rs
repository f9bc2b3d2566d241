//! The deployer: runs versions of the shop as processes, told over HTTP which version belongs where.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::get;
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::Mutex;

use crate::client::Client;
use crate::folder::{Folder, read_json, remove, write_json};
use crate::journal::Lines;
use crate::process::{self, Process};
use crate::role::Door;
use crate::serve::{Refusal, Settings, Stop, listen, run};
use crate::shop::Behaviour;
use crate::{Error, Role, Slot};

/// How long a shop has to finish its requests before it is killed.
const GRACE: Duration = Duration::from_secs(5);
/// How long a shop has to start listening.
const START: Duration = Duration::from_secs(10);

/// What somebody wants to run in a slot.
#[derive(Deserialize)]
struct Wish {
    version: String,
    /// Left out: as this version behaves here, or did when it was last deployed. What is wrong with a version stays
    /// wrong.
    behaviour: Option<Behaviour>,
}

/// What should run in a slot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Wanted {
    pub(crate) version: String,
    pub(crate) behaviour: Behaviour,
}

struct Deployer {
    folder: Folder,
    settings: Settings,
    client: Client,
    log: Lines,
    /// One change at a time: a deployment decides by what is live, which must not change meanwhile through another one.
    changing: Mutex<()>,
}

/// The process.
pub(crate) async fn serve(folder: Folder, settings: Settings, stop: Stop) -> Result<(), Error> {
    let role = Role::Deployer;
    let (listener, address) = listen(role, Door::Deployer.port(settings.base_port)).await?;
    let _registration = process::Registration::take(&folder, role, &[(Door::Deployer, address)]).await?;
    let log = Lines::open(folder.deployment_log())?;
    let deployer =
        Arc::new(Deployer { folder, settings, client: Client::new(), log, changing: Mutex::new(()) });
    deployer.restore().await;
    run(role, listener, app(deployer), stop).await
}

fn app(deployer: Arc<Deployer>) -> Router {
    Router::new()
        .route("/health", get(|| async { Json(json!({ "status": "healthy" })) }))
        .route("/deployments", get(list))
        .route("/deployments/{slot}", get(show).put(deploy).delete(withdraw))
        .with_state(deployer)
}

/// `GET /deployments`.
async fn list(State(deployer): State<Arc<Deployer>>) -> Result<Json<Value>, Refusal> {
    let found: Result<Vec<_>, Error> = Slot::ALL.into_iter().map(|slot| deployer.describe(slot)).collect();
    Ok(Json(found?.into_iter().flatten().collect()))
}

/// `GET /deployments/green`: 404 where nothing is deployed.
async fn show(
    State(deployer): State<Arc<Deployer>>,
    Path(name): Path<String>,
) -> Result<Json<Value>, Refusal> {
    let slot = slot(&name)?;
    match deployer.describe(slot)? {
        Some(found) => Ok(Json(found)),
        None => Err(Refusal::new(StatusCode::NOT_FOUND, format!("nothing is deployed on {slot}"))),
    }
}

/// `PUT /deployments/green`: 201 when a process of this version listens, 200 where one did already. The live colour
/// is not touched.
async fn deploy(
    State(deployer): State<Arc<Deployer>>,
    Path(name): Path<String>,
    headers: HeaderMap,
    Json(wish): Json<Wish>,
) -> Result<(StatusCode, Json<Value>), Refusal> {
    let slot = slot(&name)?;
    if !is_version(&wish.version) {
        let message = format!("`{}` is not a version such as v1.2.3", wish.version);
        return Err(Refusal::new(StatusCode::BAD_REQUEST, message));
    }
    let key = key(&headers);
    // Of its own, so that a client which goes away does not leave half a deployment behind.
    finish(tokio::spawn(async move { deployer.deploy(slot, wish, key).await })).await
}

/// `DELETE /deployments/green`: 200 when its process is gone, 404 where nothing is deployed. The live colour stays.
async fn withdraw(
    State(deployer): State<Arc<Deployer>>,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Result<(StatusCode, Json<Value>), Refusal> {
    let slot = slot(&name)?;
    let key = key(&headers);
    finish(tokio::spawn(async move { deployer.withdraw(slot, key).await })).await
}

type Reply = Result<(StatusCode, Json<Value>), Refusal>;

async fn finish(work: tokio::task::JoinHandle<Reply>) -> Reply {
    work.await.unwrap_or_else(|error| Err(Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string())))
}

impl Deployer {
    async fn deploy(&self, slot: Slot, wish: Wish, key: Option<String>) -> Reply {
        let _changing = self.changing.lock().await;
        let role = Role::Shop(slot);
        let now: Option<Wanted> = read_json(&self.folder.deployment(slot))?;
        let wanted = self.made_of(wish, now.as_ref())?;
        if now.as_ref() == Some(&wanted) {
            // What died is started again, live or not: nobody is worse off.
            let runs = process::running(&self.folder, role)?.is_some();
            if !runs {
                self.start(slot, &wanted).await?;
            }
            self.log(if runs { "unchanged" } else { "restarted" }, slot, Some(&wanted), key);
            return Ok((StatusCode::OK, Json(self.describe(slot)?.unwrap_or_default())));
        }
        self.refuse_live(slot).await?;
        self.end(slot).await?;
        self.learn(&wanted)?;
        write_json(&self.folder.deployment(slot), &wanted)?;
        if let Err(error) = self.start(slot, &wanted).await {
            remove(&self.folder.deployment(slot))?;
            self.log("failed", slot, Some(&wanted), key);
            return Err(error.into());
        }
        self.log("deployed", slot, Some(&wanted), key);
        Ok((StatusCode::CREATED, Json(self.describe(slot)?.unwrap_or_default())))
    }

    /// What a wish comes to where `now` is deployed.
    fn made_of(&self, Wish { version, behaviour }: Wish, now: Option<&Wanted>) -> Result<Wanted, Error> {
        let behaviour = match (behaviour, now) {
            (Some(behaviour), _) => behaviour,
            (None, Some(now)) if now.version == version => now.behaviour,
            (None, _) => self.known()?.remove(&version).unwrap_or_default(),
        };
        Ok(Wanted { version, behaviour })
    }

    /// How each version behaved when it was last deployed.
    fn known(&self) -> Result<BTreeMap<String, Behaviour>, Error> {
        Ok(read_json(&self.folder.behaviours())?.unwrap_or_default())
    }

    fn learn(&self, wanted: &Wanted) -> Result<(), Error> {
        let mut known = self.known()?;
        known.insert(wanted.version.clone(), wanted.behaviour);
        write_json(&self.folder.behaviours(), &known)
    }

    async fn withdraw(&self, slot: Slot, key: Option<String>) -> Reply {
        let _changing = self.changing.lock().await;
        let Some(found) = self.describe(slot)? else {
            self.log("absent", slot, None, key);
            return Err(Refusal::new(StatusCode::NOT_FOUND, format!("nothing is deployed on {slot}")));
        };
        self.refuse_live(slot).await?;
        self.end(slot).await?;
        remove(&self.folder.deployment(slot))?;
        self.log("withdrawn", slot, None, key);
        Ok((StatusCode::OK, Json(found)))
    }

    /// Starts again what should run and does not: after a restart of the machine, say.
    async fn restore(&self) {
        for slot in Slot::ALL {
            let outcome = async {
                let Some(wanted) = read_json::<Wanted>(&self.folder.deployment(slot))? else { return Ok(()) };
                match process::running(&self.folder, Role::Shop(slot))? {
                    Some(found) => self.announce(slot, &wanted, &found).await,
                    None => self.start(slot, &wanted).await,
                }
            };
            if let Err(error) = outcome.await {
                tracing::error!("{slot} could not be restored: {error}");
            }
        }
    }

    async fn start(&self, slot: Slot, wanted: &Wanted) -> Result<(), Error> {
        let started = process::start(&self.folder, &self.settings.launcher, Role::Shop(slot), START).await?;
        self.announce(slot, wanted, &started).await
    }

    /// Tells the router where the slot answers.
    async fn announce(&self, slot: Slot, wanted: &Wanted, process: &Process) -> Result<(), Error> {
        let address = process.doors.first().map(|(_, address)| address.to_string());
        let url = self.router(&format!("/-/backends/{slot}"))?;
        self.client.put(&url, &json!({ "address": address, "version": wanted.version })).await?.ok().map(drop)
    }

    /// Ends the slot's process; the router forgets it first, so that nobody is sent to a shop that is closing.
    async fn end(&self, slot: Slot) -> Result<(), Error> {
        self.client.delete(&self.router(&format!("/-/backends/{slot}"))?).await?.ok()?;
        process::stop(&self.folder, Role::Shop(slot), GRACE).await.map(drop)
    }

    async fn refuse_live(&self, slot: Slot) -> Result<(), Refusal> {
        let live = self.client.get(&self.router("/-/live")?).await?.ok()?;
        if live["colour"].as_str() == Some(slot.name()) {
            let message = format!("{slot} is live; deploy to the other colour, or switch first");
            return Err(Refusal::new(StatusCode::CONFLICT, message));
        }
        Ok(())
    }

    fn router(&self, path: &str) -> Result<String, Error> {
        let router = process::running(&self.folder, Role::Router)?;
        match router.and_then(|router| router.address(Door::Router)) {
            Some(address) => Ok(format!("http://{address}{path}")),
            None => Err(Error::Answer("the router does not run".into())),
        }
    }

    fn describe(&self, slot: Slot) -> Result<Option<Value>, Error> {
        let Some(wanted) = read_json::<Wanted>(&self.folder.deployment(slot))? else { return Ok(None) };
        let process = process::running(&self.folder, Role::Shop(slot))?;
        Ok(Some(json!({
            "slot": slot,
            "version": wanted.version,
            "behaviour": wanted.behaviour,
            "state": if process.is_some() { "running" } else { "stopped" },
            "pid": process.map(|process| process.pid),
        })))
    }

    fn log(&self, what: &str, slot: Slot, wanted: Option<&Wanted>, key: Option<String>) {
        self.log.write(&json!({
            "result": what,
            "slot": slot,
            "version": wanted.map(|wanted| &wanted.version),
            "behaviour": wanted.map(|wanted| wanted.behaviour),
            "key": key,
        }));
    }
}

fn key(headers: &HeaderMap) -> Option<String> {
    headers.get("idempotency-key").and_then(|key| key.to_str().ok()).map(str::to_owned)
}

fn slot(name: &str) -> Result<Slot, Refusal> {
    name.parse().map_err(|_| {
        Refusal::new(StatusCode::NOT_FOUND, format!("`{name}` is not a slot: blue, green or staging"))
    })
}

fn is_version(text: &str) -> bool {
    let Some(numbers) = text.strip_prefix('v') else { return false };
    let parts: Vec<&str> = numbers.split('.').collect();
    let numeric =
        |part: &&str| !part.is_empty() && part.len() <= 6 && part.bytes().all(|byte| byte.is_ascii_digit());
    parts.len() == 3 && parts.iter().all(numeric)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_v_and_three_numbers() {
        for good in ["v1.0.0", "v10.20.300"] {
            assert!(is_version(good), "{good}");
        }
        for bad in ["", "v", "1.0.0", "v1.0", "v1.0.0.0", "v1..0", "v1.0.x", "v1.0.0\n", "v-1.0.0"] {
            assert!(!is_version(bad), "{bad}");
        }
    }
}
