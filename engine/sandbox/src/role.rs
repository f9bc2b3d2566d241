//! What a process of the sandbox is.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::Error;

/// Where a version of the shop can run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Slot {
    Blue,
    Green,
    /// A third instance, which never takes live traffic.
    Staging,
}

impl Slot {
    /// All slots.
    pub const ALL: [Slot; 3] = [Slot::Blue, Slot::Green, Slot::Staging];

    /// Whether the router may send live traffic here.
    pub fn is_colour(self) -> bool {
        matches!(self, Slot::Blue | Slot::Green)
    }

    /// `blue`, `green` or `staging`.
    pub fn name(self) -> &'static str {
        match self {
            Slot::Blue => "blue",
            Slot::Green => "green",
            Slot::Staging => "staging",
        }
    }
}

impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Slot {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        Slot::ALL
            .into_iter()
            .find(|slot| slot.name() == text)
            .ok_or_else(|| Error::UnknownRole(text.to_owned()))
    }
}

/// A process of the sandbox. Written `router`, `shop-green`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Role {
    Router,
    Deployer,
    Services,
    Sink,
    Visitors,
    Shop(Slot),
}

impl Role {
    /// The roles that `up` starts, in that order. The shops are started by the deployer.
    pub const STARTED_BY_UP: [Role; 5] =
        [Role::Router, Role::Deployer, Role::Services, Role::Sink, Role::Visitors];

    /// Whether customers are served without it: where messages arrive, and who comes.
    pub(crate) fn is_bystander(self) -> bool {
        matches!(self, Role::Sink | Role::Visitors)
    }

    /// All roles, in the order in which `down` stops them: traffic first, what it needs last.
    pub const ALL: [Role; 8] = [
        Role::Visitors,
        Role::Deployer,
        Role::Services,
        Role::Sink,
        Role::Router,
        Role::Shop(Slot::Blue),
        Role::Shop(Slot::Green),
        Role::Shop(Slot::Staging),
    ];
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Role::Router => f.write_str("router"),
            Role::Deployer => f.write_str("deployer"),
            Role::Services => f.write_str("services"),
            Role::Sink => f.write_str("sink"),
            Role::Visitors => f.write_str("visitors"),
            Role::Shop(slot) => write!(f, "shop-{slot}"),
        }
    }
}

impl FromStr for Role {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        Role::ALL
            .into_iter()
            .find(|role| role.to_string() == text)
            .ok_or_else(|| Error::UnknownRole(text.to_owned()))
    }
}

/// An address that a process listens on, by the offset from the sandbox's first port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Door {
    /// The shop as customers reach it.
    Shop,
    /// The blue shop directly, whatever is live.
    Blue,
    /// The green shop directly.
    Green,
    /// The staging shop.
    Staging,
    /// The router's administration.
    Router,
    Deployer,
    Services,
    Sink,
    Visitors,
}

impl Door {
    /// All doors, by offset.
    pub(crate) const ALL: [Door; 9] = [
        Door::Shop,
        Door::Blue,
        Door::Green,
        Door::Staging,
        Door::Router,
        Door::Deployer,
        Door::Services,
        Door::Sink,
        Door::Visitors,
    ];

    /// The highest first port that leaves a port for every door.
    pub(crate) const LAST_BASE: u16 = u16::MAX - Self::ALL.len() as u16 + 1;

    /// The port for a sandbox whose first port is `base`, at most [`Door::LAST_BASE`]; 0, any free one, where it has none.
    pub(crate) fn port(self, base: Option<u16>) -> u16 {
        base.map_or(0, |base| base.saturating_add(self as u16))
    }

    /// The name in `sandbox.json`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Door::Shop => "shop",
            Door::Blue => "blue",
            Door::Green => "green",
            Door::Staging => "staging",
            Door::Router => "router",
            Door::Deployer => "deployer",
            Door::Services => "services",
            Door::Sink => "sink",
            Door::Visitors => "visitors",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_reads_back_as_written() {
        for role in Role::ALL {
            assert_eq!(role.to_string().parse::<Role>().unwrap(), role);
        }
        assert!("shop-red".parse::<Role>().is_err());
    }

    #[test]
    fn every_door_has_a_port_of_its_own() {
        let ports: std::collections::BTreeSet<u16> =
            Door::ALL.iter().map(|door| door.port(Some(Door::LAST_BASE))).collect();
        assert_eq!(ports.len(), Door::ALL.len());
        assert_eq!(ports.last(), Some(&u16::MAX));
    }
}
