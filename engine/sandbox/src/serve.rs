//! Being one process of the sandbox.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;

use axum::Json;
use axum::Router;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::folder::{Folder, read_json};
use crate::process::{Launcher, Registration};
use crate::role::Door;
use crate::{Error, Role, deployer, router, services, shop, sink, visitors};

/// What `up` was asked for, as every process of the sandbox reads it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Settings {
    pub(crate) base_port: Option<u16>,
    pub(crate) launcher: Launcher,
}

impl Settings {
    pub(crate) fn read(folder: &Folder) -> Result<Self, Error> {
        let path = folder.settings();
        read_json(&path)?
            .ok_or_else(|| Error::File { path, source: std::io::Error::from(std::io::ErrorKind::NotFound) })
    }
}

/// Plays one part of the sandbox in `folder` until asked to end by TERM or INT. The hidden subcommand behind `up`.
///
/// # Errors
/// Where the folder, the role's lock or a port cannot be had.
pub async fn serve(role: Role, folder: &Path) -> Result<(), Error> {
    // Fails where this process already leads a group, as one started by a shell by hand does: then it has what we want.
    let _ = rustix::process::setsid();
    let folder = Folder::new(folder)?;
    let settings = Settings::read(&folder)?;
    let stop = stop_signal();
    match role {
        Role::Router => router::serve(folder, settings, stop).await,
        Role::Deployer => deployer::serve(folder, settings, stop).await,
        Role::Services => services::serve(folder, settings, stop).await,
        Role::Sink => sink::serve(folder, settings, stop).await,
        Role::Visitors => visitors::serve(folder, settings, stop).await,
        Role::Shop(slot) => shop::serve(folder, slot, stop).await,
    }
}

/// Turns true when the process should end.
pub(crate) type Stop = watch::Receiver<bool>;

fn stop_signal() -> Stop {
    use tokio::signal::unix::{SignalKind, signal};
    let (sender, receiver) = watch::channel(false);
    tokio::spawn(async move {
        let (Ok(mut term), Ok(mut int)) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
        else {
            tracing::error!("cannot listen for signals");
            return;
        };
        tokio::select! { _ = term.recv() => {}, _ = int.recv() => {} }
        sender.send_replace(true);
        // Keeps the channel open: a closed one would look like a request to stop.
        std::future::pending::<()>().await;
    });
    receiver
}

/// Ends when `stop` turns true.
pub(crate) async fn stopped(mut stop: Stop) {
    // An error means that nobody can ask any more; then nobody does.
    if stop.wait_for(|stop| *stop).await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// Listens on loopback.
pub(crate) async fn listen(role: Role, port: u16) -> Result<(TcpListener, SocketAddr), Error> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let bind = |source| Error::Bind { role, address, source };
    let listener = TcpListener::bind(address).await.map_err(bind)?;
    let address = listener.local_addr().map_err(bind)?;
    Ok((listener, address))
}

/// Serves until `stop`, then finishes the requests in flight.
pub(crate) async fn run(role: Role, listener: TcpListener, app: Router, stop: Stop) -> Result<(), Error> {
    use axum::serve::ListenerExt as _;
    let listener = listener.tap_io(|stream| {
        let _ = stream.set_nodelay(true);
    });
    axum::serve(listener, app)
        .with_graceful_shutdown(stopped(stop))
        .await
        .map_err(|source| Error::Serve { role, source })
}

/// A process with one door: listen, register, serve.
pub(crate) async fn run_single(
    role: Role,
    door: Door,
    folder: &Folder,
    settings: &Settings,
    app: Router,
    stop: Stop,
) -> Result<(), Error> {
    let (listener, address) = listen(role, door.port(settings.base_port)).await?;
    let _registration = Registration::take(folder, role, &[(door, address)]).await?;
    run(role, listener, app, stop).await
}

/// An answer other than 2xx, and why, as JSON.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) status: StatusCode,
    pub(crate) message: String,
}

impl Refusal {
    pub(crate) fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self { status, message: message.into() }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        (self.status, Json(json!({ "error": self.message }))).into_response()
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string())
    }
}
