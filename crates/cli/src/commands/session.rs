//! What stays between one command and the next.

use std::collections::HashMap;
use std::io::{self, IsTerminal, Write};

use charioteer::pegasus::{Admin, Client, Table};

use super::Request;
use super::settings::{Reach, Settings};
use crate::exit::{Ended, Failure};
use crate::output::Output;

/// What commands are told where they say nothing, and the clients that they have used.
pub(crate) struct Session {
    settings: Settings,
    clients: HashMap<Reach, Client>,
}

impl Session {
    pub(crate) fn new(settings: Settings) -> Self {
        Self { settings, clients: HashMap::new() }
    }

    /// Carries out a command, and writes its answer to standard output.
    pub(crate) async fn run(&mut self, request: Request) -> Result<Ended, Failure> {
        let settings = request.settings.or(&self.settings);
        let place = self.place(&settings)?;
        let stdout = io::stdout();
        let is_terminal = stdout.is_terminal();
        let mut stdout = io::BufWriter::new(stdout);
        let mut output = Output::new(&mut stdout, settings.format(), is_terminal);
        let ended = request.verb.run(&place, &mut output).await;
        stdout.flush()?;
        ended
    }

    /// The table that is meant where none is named.
    pub(crate) fn table(&self) -> Option<String> {
        let named = || self.settings.reach().ok()?.options().ok()?.table().map(str::to_owned);
        self.settings.table.clone().or_else(named)
    }

    /// From now on this table is meant where none is named.
    pub(crate) async fn use_table(&mut self, name: String) -> Result<Ended, Failure> {
        let place = self.place(&self.settings.clone())?;
        place.client.open_table(&name).await?;
        self.settings.table = Some(name);
        Ok(Ended::Done)
    }

    /// Where commands go that say nothing else.
    pub(crate) fn default_place(&mut self) -> Result<Place, Failure> {
        self.place(&self.settings.clone())
    }

    fn place(&mut self, settings: &Settings) -> Result<Place, Failure> {
        let reach = settings.reach()?;
        let client = match self.clients.get(&reach) {
            Some(client) => client.clone(),
            None => {
                let client = Client::new(reach.options()?)?;
                self.clients.insert(reach, client.clone());
                client
            }
        };
        let table = settings.table.clone().or_else(|| client.options().table().map(str::to_owned));
        Ok(Place { client, table })
    }
}

/// Where a command goes.
pub(crate) struct Place {
    pub(crate) client: Client,
    table: Option<String>,
}

impl Place {
    /// The table, which is looked for.
    pub(crate) async fn table(&self) -> Result<Table, Failure> {
        Ok(self.client.open_table(self.table_name()?).await?)
    }

    /// The table's name.
    pub(crate) fn table_name(&self) -> Result<&str, Failure> {
        let missing =
            || Failure::Invalid("no table is named: --table TABLE or a URL with /TABLE is expected".to_owned());
        self.table.as_deref().ok_or_else(missing)
    }

    pub(crate) fn admin(&self) -> Admin {
        self.client.admin()
    }
}
