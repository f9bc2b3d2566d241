//! Plain TCP.

use runbook_step::{BoxFuture, Net};
use tokio::net::TcpStream;
use tokio::time::Instant;

use crate::context::AttemptContext;

impl Net for AttemptContext {
    fn connect<'a>(&'a self, host: &'a str, port: u16) -> BoxFuture<'a, Result<u64, String>> {
        Box::pin(async move {
            let begun = Instant::now();
            let connected = tokio::select! {
                connected = TcpStream::connect((host, port)) => connected,
                _ = self.cancel.cancelled() => return Err("no answer before the time was over".into()),
            };
            connected.map_err(|error| {
                error.to_string().split(" (os error").next().unwrap_or_default().to_owned()
            })?;
            Ok(u64::try_from(begun.elapsed().as_nanos()).unwrap_or(u64::MAX))
        })
    }
}
