//! Step types that speak HTTP.

mod check;
mod cookie;
pub(crate) mod exchange;
pub(crate) mod expect;
pub(crate) mod request;
mod resource;
mod wait;

pub use check::Check;
pub use request::Request;
pub use resource::Resource;
pub use wait::Wait;
