//! The verb for tables' environments.

use clap::{Args, Subcommand};

use super::place::Place;
use crate::exit::{Ended, Failure};
use crate::output::Output;

#[derive(Args)]
pub(crate) struct Envs {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Tells all of it, or one value.
    Get {
        /// The one that is wanted.
        name: Option<String>,
    },
    /// Sets some of it; the rest stays as it is.
    Set {
        /// What is set.
        #[arg(value_name = "NAME=VALUE", value_parser = pair)]
        envs: Vec<(String, String)>,
    },
    /// Removes some of it.
    Del {
        /// What is removed.
        #[arg(value_name = "NAME")]
        names: Vec<String>,
    },
    /// Removes what begins with a prefix and a dot, or all of it.
    Clear {
        /// What stands before the names' first dot, such as replica.
        #[arg(required_unless_present = "all", conflicts_with = "all")]
        prefix: Option<String>,

        /// Removes all of it.
        #[arg(long)]
        all: bool,
    },
}

impl Envs {
    pub(super) async fn run(self, place: &Place, output: &mut Output<'_>) -> Result<Ended, Failure> {
        let (admin, table) = (place.admin(), place.table_name()?);
        match self.what {
            What::Get { name } => return get(place, name, output).await,
            What::Set { envs } => admin.set_table_envs(table, envs).await?,
            What::Del { names } => admin.del_table_envs(table, names).await?,
            What::Clear { prefix, .. } => admin.clear_table_envs(table, &prefix.unwrap_or_default()).await?,
        }
        output.done()?;
        Ok(Ended::Done)
    }
}

async fn get(place: &Place, name: Option<String>, output: &mut Output<'_>) -> Result<Ended, Failure> {
    let mut envs = place.admin().table_envs(place.table_name()?).await?;
    if let Some(name) = name {
        let value = envs.remove(&name);
        let found = value.is_some();
        output.fact("value", value)?;
        return Ok(super::rows::told(found));
    }
    let mut rows = output.rows(&["name", "value"], &["value"]);
    for (name, value) in envs {
        rows.row(vec![name.into(), value.into()])?;
    }
    rows.end()?;
    Ok(Ended::Done)
}

/// Reads `NAME=VALUE`.
pub(super) fn pair(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("NAME=VALUE is expected")?;
    Ok((name.to_owned(), value.to_owned()))
}
