//! Verbs on the cluster and its servers, and on this client.

use charioteer::NetStats;
use clap::Args;

use super::place::Place;
use crate::exit::{Ended, Failure};
use crate::output::Output;

#[derive(Args)]
pub(crate) struct Nodes {}

impl Nodes {
    pub(super) async fn run(self, place: &Place, output: &mut Output<'_>) -> Result<Ended, Failure> {
        let nodes = place.admin().list_nodes().await?;
        let mut rows = output.rows(&["address", "host", "is_alive"], &["address"]);
        for node in nodes {
            rows.row(vec![node.address.into(), node.host.into(), node.is_alive.into()])?;
        }
        rows.end()?;
        Ok(Ended::Done)
    }
}

#[derive(Args)]
pub(crate) struct ClusterInfo {}

impl ClusterInfo {
    pub(super) async fn run(self, place: &Place, output: &mut Output<'_>) -> Result<Ended, Failure> {
        let info = place.admin().cluster_info().await?;
        let mut rows = output.rows(&["name", "value"], &["value"]);
        for (name, value) in info {
            rows.row(vec![name.into(), value.into()])?;
        }
        rows.end()?;
        Ok(Ended::Done)
    }
}

#[derive(Args)]
pub(crate) struct RemoteCommand {
    /// The server, HOST:PORT.
    server: String,

    /// The command, and its arguments. Options of this command stand before the server.
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true, value_name = "COMMAND")]
    command: Vec<String>,
}

impl RemoteCommand {
    pub(super) async fn run(self, place: &Place, output: &mut Output<'_>) -> Result<Ended, Failure> {
        let (command, arguments) = self.command.split_first().map_or(("", &[][..]), |(first, rest)| (first, rest));
        let said = place.admin().remote_command(&self.server, command, arguments).await?;
        output.prose("output", &said)?;
        Ok(Ended::Done)
    }
}

#[derive(Args)]
pub(crate) struct Stats {
    /// Of its connections, instead of its calls.
    #[arg(long)]
    net: bool,
}

impl Stats {
    /// Nothing is sent for it.
    pub(super) fn run(self, place: &Place, output: &mut Output<'_>) -> Result<Ended, Failure> {
        if self.net {
            net(place.client.net_stats(), output)?;
            return Ok(Ended::Done);
        }
        let mut rows = output.rows(&["operation", "calls", "errors", "retries"], &["operation", "calls"]);
        for (operation, stats) in place.client.call_stats() {
            rows.row(vec![operation.into(), stats.calls.into(), stats.errors.into(), stats.retries.into()])?;
        }
        rows.end()?;
        Ok(Ended::Done)
    }
}

fn net(stats: NetStats, output: &mut Output<'_>) -> std::io::Result<()> {
    output.facts([
        ("connections_opened", stats.connections_opened.into()),
        ("connections_lost", stats.connections_lost.into()),
        ("dials_failed", stats.dials_failed.into()),
        ("cut_before_send", stats.cut_before_send.into()),
        ("cut_in_flight", stats.cut_in_flight.into()),
        ("cut_after_reply", stats.cut_after_reply.into()),
        ("late_replies", stats.late_replies.into()),
        ("writes", stats.writes.into()),
    ])
}
