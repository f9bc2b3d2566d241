//! Starting, stopping and looking at the sandbox.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::client::Client;
use crate::folder::{Folder, append_to, read_json, remove, write_json, write_text};
use crate::process::{self, Ending, Launcher, Process};
use crate::role::Door;
use crate::serve::Settings;
use crate::{Error, Role, Slot};

/// The version that a new sandbox has live.
const FIRST_VERSION: &str = "v1.0.0";
/// How long a process has to come up, and to end.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long a bystander that runs already has to answer: it keeps somebody from customers who may be in trouble.
const GLANCE: Duration = Duration::from_secs(1);

/// Names of the files that hold secrets.
const CREDENTIALS: [&str; 4] = ["test-user-password", "test-user-token", "slack-webhook", "pagerduty-key"];

/// What to start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// The program that calls [`crate::serve`] with its last two arguments: a role, and a folder.
    pub launcher: Launcher,
    /// The first of nine consecutive ports; `None` takes any free ones.
    pub base_port: Option<u16>,
}

/// A sandbox that runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sandbox {
    pub folder: PathBuf,
    /// Base addresses without a trailing slash: `shop`, `blue`, `green`, `staging`, `router`, `deployer`, `services`,
    /// `sink`, `visitors`.
    pub urls: BTreeMap<String, String>,
    /// Files that hold what runbooks use as secrets: `test-user-password`, `test-user-token`, `slack-webhook`,
    /// `pagerduty-key`.
    pub credentials: BTreeMap<String, PathBuf>,
    /// What is wrong with parts without which the rest works.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

/// A process of a sandbox, as `status` sees it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Part {
    pub role: String,
    /// `None` where it does not run.
    pub pid: Option<u32>,
    pub addresses: Vec<String>,
    /// Of a shop: the version that it was deployed with.
    pub version: Option<String>,
    /// Of a shop.
    pub behaviour: Option<String>,
}

/// How a sandbox is.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Status {
    pub folder: PathBuf,
    pub parts: Vec<Part>,
    /// The live colour and its version; `None` where the router does not answer or nothing was deployed.
    pub live: Option<(String, String)>,
}

/// A process that was stopped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Stopped {
    pub role: String,
    pub pid: u32,
    pub ending: Ending,
}

/// Starts what does not run yet, and returns once every part answers. A sandbox that was stopped comes back as it was.
/// Two calls at the same time wait for each other.
///
/// A part that runs, does not answer, and is not what customers are served by is a warning: whoever has to save a shop
/// must not be kept from it by the place where messages arrive. So is a version that cannot be started again, which may be
/// the very one that somebody wants to leave.
///
/// # Errors
/// Where the folder holds something else, a port is taken, or a part does not come up; what was started until then
/// keeps running, and another `up` or a `down` finds it.
pub async fn up(folder: &Path, options: &Options) -> Result<Sandbox, Error> {
    let folder = Folder::new(folder)?;
    if let Some(base) = options.base_port.filter(|base| *base == 0 || *base > Door::LAST_BASE) {
        return Err(Error::BasePort { base, last: Door::LAST_BASE });
    }
    claim(&folder)?;
    let _turn = turn(&folder).await?;
    settle(&folder, options)?;
    crate::shop::prepare_database(&folder)?;
    let client = Client::new();
    let sandbox = match raise(&folder, options, &client).await {
        // A process that was killed just before may have looked alive: it is gone now, and is started.
        Err(_) if !all_run(&folder)? => raise(&folder, options, &client).await?,
        raised => raised?,
    };
    write_json(&folder.description(), &sandbox)?;
    Ok(sandbox)
}

/// Starts what does not run, and returns once every part answers.
async fn raise(folder: &Folder, options: &Options, client: &Client) -> Result<Sandbox, Error> {
    let (mut warnings, mut fresh) = (Vec::new(), Vec::new());
    for role in Role::STARTED_BY_UP {
        // Visitors come when there is something to visit.
        if role == Role::Visitors {
            warnings.extend(furnish(folder, client).await?);
        }
        if process::running(folder, role)?.is_none() {
            process::start(folder, &options.launcher, role, PATIENCE).await?;
            fresh.push(role);
        }
    }
    let mut sandbox = describe(folder)?;
    write_text(&folder.credential("slack-webhook"), &format!("{}/slack", sandbox.at("sink")?))?;
    write_text(&folder.credential("pagerduty-key"), "practice-routing-key")?;
    warnings.extend(wait_for_answers(folder, &sandbox, &fresh, client).await?);
    sandbox.warnings = warnings;
    Ok(sandbox)
}

fn all_run(folder: &Folder) -> Result<bool, Error> {
    for role in Role::STARTED_BY_UP {
        if process::running(folder, role)?.is_none() {
            return Ok(false);
        }
    }
    Ok(true)
}

impl Sandbox {
    /// The base address of a part.
    fn at(&self, name: &str) -> Result<&str, Error> {
        self.urls.get(name).map(String::as_str).ok_or_else(|| Error::Answer(format!("{name} ended again")))
    }
}

/// Stops every process of the sandbox and says which ones; what they wrote stays.
///
/// # Errors
/// Where a process does not end.
pub async fn down(folder: &Path) -> Result<Vec<Stopped>, Error> {
    let folder = Folder::new(folder)?;
    if !folder.settings().exists() {
        return Ok(Vec::new());
    }
    let _turn = turn(&folder).await?;
    let mut stopped = Vec::new();
    for role in Role::ALL {
        if let Some((Process { pid, .. }, ending)) = process::stop(&folder, role, PATIENCE).await? {
            stopped.push(Stopped { role: role.to_string(), pid, ending });
        }
    }
    remove(&folder.description())?;
    Ok(stopped)
}

/// Which parts run, and what is live.
///
/// # Errors
/// Where the folder's files cannot be read.
pub async fn status(folder: &Path) -> Result<Status, Error> {
    let folder = Folder::new(folder)?;
    let mut parts = Vec::new();
    for role in Role::ALL {
        let process = process::running(&folder, role)?;
        let wanted: Option<Value> = match role {
            Role::Shop(slot) => read_json(&folder.deployment(slot))?,
            _ => None,
        };
        let field = |name: &str| wanted.as_ref().and_then(|wanted| wanted[name].as_str()).map(str::to_owned);
        parts.push(Part {
            role: role.to_string(),
            pid: process.as_ref().map(|process| process.pid),
            addresses: process.iter().flat_map(|process| &process.doors).map(|(_, at)| url(*at)).collect(),
            version: field("version"),
            behaviour: field("behaviour"),
        });
    }
    Ok(Status { live: live(&folder).await, folder: folder.root().to_owned(), parts })
}

/// Marks an empty or missing folder as ours; refuses any other.
fn claim(folder: &Folder) -> Result<(), Error> {
    if folder.settings().exists() {
        return Ok(());
    }
    match std::fs::read_dir(folder.root()).map(|mut entries| entries.next().is_some()) {
        // Another `up` may just be claiming it.
        Ok(true) if !folder.lock("up").exists() => Err(Error::NotOurs { folder: folder.root().to_owned() }),
        _ => append_to(&folder.lock("up")).map(drop),
    }
}

/// Waits for the turn to change the sandbox as a whole.
async fn turn(folder: &Folder) -> Result<std::fs::File, Error> {
    let path = folder.lock("up");
    let file = append_to(&path)?;
    let lock = move || file.lock().map(|()| file);
    tokio::task::spawn_blocking(lock)
        .await
        .unwrap_or_else(|error| Err(std::io::Error::other(error)))
        .map_err(|source| Error::File { path, source })
}

/// Writes down what was asked for. A sandbox that runs keeps its ports until it is down; whoever asks for others would
/// look for it where it is not.
fn settle(folder: &Folder, options: &Options) -> Result<(), Error> {
    let mut settings = Settings { base_port: options.base_port, launcher: options.launcher.clone() };
    if let Some(router) = process::running(folder, Role::Router)? {
        settings.base_port = Settings::read(folder)?.base_port;
        if let Some(wanted) = options.base_port.filter(|wanted| settings.base_port != Some(*wanted)) {
            let shop = router.address(Door::Shop).map(url).unwrap_or_default();
            return Err(Error::Elsewhere { folder: folder.root().to_owned(), shop, wanted });
        }
    }
    write_json(&folder.settings(), &settings)
}

/// Sees to it that a first version is live, that staging runs, that what died runs again, and that there is a backup. Says
/// which versions cannot be started again.
async fn furnish(folder: &Folder, client: &Client) -> Result<Vec<String>, Error> {
    let sandbox = describe(folder)?;
    let at = |name: &str, path: &str| sandbox.at(name).map(|address| format!("{address}{path}"));
    let live = client.get(&at("router", "/-/live")?).await?.ok()?;
    if live["colour"].is_null() {
        let first = json!({ "version": FIRST_VERSION });
        client.put(&at("deployer", "/deployments/staging")?, &first).await?.ok()?;
        client.put(&at("deployer", "/deployments/blue")?, &first).await?.ok()?;
        client.put(&at("router", "/-/live")?, &json!({ "colour": Slot::Blue })).await?.ok()?;
    }
    let mut warnings = Vec::new();
    let deployments = client.get(&at("deployer", "/deployments")?).await?.ok()?;
    for stopped in deployments.as_array().into_iter().flatten().filter(|found| found["state"] == "stopped") {
        let slot = stopped["slot"].as_str().unwrap_or_default();
        let url = at("deployer", &format!("/deployments/{slot}"))?;
        if let Err(error) = client.put(&url, stopped).await.and_then(|answer| answer.ok()) {
            warnings.push(format!("shop-{slot} cannot be started again: {error}"));
        }
    }
    if client.get(&at("services", "/backups/latest")?).await?.status == 404 {
        client.post(&at("services", "/backups")?, &json!({})).await?.ok()?;
    }
    Ok(warnings)
}

fn describe(folder: &Folder) -> Result<Sandbox, Error> {
    let mut urls = BTreeMap::new();
    for role in Role::STARTED_BY_UP {
        for (door, address) in process::running(folder, role)?.into_iter().flat_map(|process| process.doors) {
            urls.insert(door.name().to_owned(), url(address));
        }
    }
    let credentials = CREDENTIALS.map(|name| (name.to_owned(), folder.credential(name))).into();
    Ok(Sandbox { folder: folder.root().to_owned(), urls, credentials, warnings: Vec::new() })
}

/// Every part answers, and the monitoring has seen traffic. Says which bystanders run and do not, and
/// whether the live version does not.
async fn wait_for_answers(
    folder: &Folder,
    sandbox: &Sandbox,
    fresh: &[Role],
    client: &Client,
) -> Result<Vec<String>, Error> {
    let paths = [
        (Role::Router, "shop", "/version"),
        (Role::Router, "router", "/-/health"),
        (Role::Deployer, "deployer", "/health"),
        (Role::Services, "services", "/monitoring/health"),
        (Role::Sink, "sink", "/health"),
        (Role::Visitors, "visitors", "/health"),
    ];
    let mut warnings = Vec::new();
    for (role, name, path) in paths {
        let url = format!("{}{path}", sandbox.at(name)?);
        // What customers are sent to may be what somebody has to get them away from.
        let sick = role.is_bystander() || name == "shop" && !fresh.contains(&role);
        let patience = if sick && !fresh.contains(&role) { GLANCE } else { PATIENCE };
        let end = tokio::time::Instant::now() + patience;
        let fault = loop {
            let asked = tokio::time::timeout_at(end, client.get(&url)).await;
            let late = || Err(Error::Answer(format!("no answer within {} s", patience.as_secs())));
            let outcome = asked.unwrap_or_else(|_| late()).and_then(|answer| answer.ok());
            let ended = process::running(folder, role)?.is_none();
            match outcome {
                Ok(_) => break None,
                Err(error) if ended || tokio::time::Instant::now() >= end => break Some((error, ended)),
                Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        };
        let Some((error, ended)) = fault else { continue };
        let said = format!("{name} does not answer as it should: {error}");
        match sick && !ended {
            true => warnings.push(said),
            false => return Err(Error::Answer(said)),
        }
    }
    Ok(warnings)
}

async fn live(folder: &Folder) -> Option<(String, String)> {
    let address = process::running(folder, Role::Router).ok()??.address(Door::Router)?;
    let answer = Client::new().get(&format!("{}/-/live", url(address))).await.ok()?.ok().ok()?;
    Some((answer["colour"].as_str()?.to_owned(), answer["version"].as_str()?.to_owned()))
}

fn url(address: std::net::SocketAddr) -> String {
    format!("http://{address}")
}
