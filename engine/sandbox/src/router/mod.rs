//! The router: sends customers to the live colour, lets checks reach each slot, and is told over HTTP which one is live.

mod admin;
mod proxy;
mod routes;

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use tokio::net::TcpListener;

use crate::folder::Folder;
use crate::journal::Lines;
use crate::process::Registration;
use crate::role::Door;
use crate::serve::{Settings, Stop, listen, run};
use crate::{Error, Role, Slot};

pub(crate) use proxy::SERVED_BY;
use routes::Backend;
use routes::Routes;
pub(crate) use routes::Traffic;

/// What the router's doors share.
struct Shared {
    routes: Routes,
    connections: crate::client::Connections,
    access: Lines,
    switches: Lines,
}

impl Shared {
    fn open(folder: &Folder) -> Result<Arc<Self>, Error> {
        Ok(Arc::new(Self {
            routes: Routes::load(folder.router_state())?,
            connections: crate::client::connections(),
            access: Lines::open(folder.access_log())?,
            switches: Lines::open(folder.switch_log())?,
        }))
    }

    fn door(self: &Arc<Self>, door: Door) -> Router {
        match door {
            Door::Blue => proxy::app(self.clone(), Some(Slot::Blue)),
            Door::Green => proxy::app(self.clone(), Some(Slot::Green)),
            Door::Staging => proxy::app(self.clone(), Some(Slot::Staging)),
            Door::Shop => proxy::app(self.clone(), None),
            _ => admin::app(self.clone()),
        }
    }
}

const DOORS: [Door; 5] = [Door::Shop, Door::Blue, Door::Green, Door::Staging, Door::Router];

/// The process.
pub(crate) async fn serve(folder: Folder, settings: Settings, stop: Stop) -> Result<(), Error> {
    let mut listeners: Vec<(Door, TcpListener)> = Vec::new();
    let mut doors: Vec<(Door, SocketAddr)> = Vec::new();
    for door in DOORS {
        let (listener, address) = listen(Role::Router, door.port(settings.base_port)).await?;
        listeners.push((door, listener));
        doors.push((door, address));
    }
    let _registration = Registration::take(&folder, Role::Router, &doors).await?;
    let shared = Shared::open(&folder)?;
    let mut servers = tokio::task::JoinSet::new();
    for (door, listener) in listeners {
        servers.spawn(run(Role::Router, listener, shared.door(door), stop.clone()));
    }
    while let Some(ended) = servers.join_next().await {
        ended
            .map_err(|error| Error::Serve { role: Role::Router, source: std::io::Error::other(error) })??;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
