//! What stays between one command and the next.

use std::collections::HashMap;
use std::io::{self, IsTerminal, Write};
use std::rc::Rc;

use super::Request;
use super::kind::{Kind, url_of_environment};
use super::settings::{Reach, Settings};
use super::store::{Store, Tables};
use crate::exit::{Ended, Failure};
use crate::output::Output;

/// What commands are told where they say nothing, and the stores that they have used.
pub(crate) struct Session {
    settings: Settings,
    stores: HashMap<Reach, Rc<dyn Store>>,
}

impl Session {
    pub(crate) fn new(settings: Settings) -> Self {
        Self { settings, stores: HashMap::new() }
    }

    /// The URL that is meant where commands name none.
    pub(crate) fn url(&self) -> Option<String> {
        self.settings.url.clone().or_else(url_of_environment)
    }

    /// Carries out a command, and writes its answer to standard output.
    pub(crate) async fn run(&mut self, request: Request) -> Result<Ended, Failure> {
        let settings = request.settings.or(&self.settings);
        let store = self.store(&settings)?;
        let reached = settings.reach()?.kind()?;
        if !std::ptr::eq(reached, request.kind) {
            let message = format!("it is a command on {}, and the URL is one of {}", request.kind.name, reached.name);
            return Err(Failure::Invalid(message));
        }
        if settings.table.is_some() {
            tables(&*store, reached)?;
        }
        let stdout = io::stdout();
        let is_terminal = stdout.is_terminal();
        let mut stdout = io::BufWriter::new(stdout);
        let mut output = Output::new(&mut stdout, settings.format(), is_terminal);
        let ended = store.run(&request.verb, settings.table, &mut output).await;
        stdout.flush()?;
        ended
    }

    /// What stands before the lines that are typed: the table that is meant where none is named, or the store's name.
    pub(crate) fn place(&mut self) -> Result<String, Failure> {
        let store = self.default_store()?;
        Ok(match store.tables() {
            Some(tables) => {
                self.settings.table.clone().or_else(|| tables.named()).unwrap_or_else(|| "(no table)".to_owned())
            }
            None => store.name(),
        })
    }

    /// From now on this table is meant where none is named.
    pub(crate) async fn use_table(&mut self, name: String) -> Result<Ended, Failure> {
        let store = self.default_store()?;
        tables(&*store, self.settings.reach()?.kind()?)?.look_for(&name).await?;
        self.settings.table = Some(name);
        Ok(Ended::Done)
    }

    /// Where commands go that say nothing else.
    pub(crate) fn default_store(&mut self) -> Result<Rc<dyn Store>, Failure> {
        self.store(&self.settings.clone())
    }

    fn store(&mut self, settings: &Settings) -> Result<Rc<dyn Store>, Failure> {
        let reach = settings.reach()?;
        if let Some(store) = self.stores.get(&reach) {
            return Ok(Rc::clone(store));
        }
        let store: Rc<dyn Store> = Rc::from((reach.kind()?.open)(&reach)?);
        self.stores.insert(reach, Rc::clone(&store));
        Ok(store)
    }
}

/// The tables of a store, which is expected to have some.
fn tables<'s>(store: &'s dyn Store, kind: &Kind) -> Result<&'s dyn Tables, Failure> {
    store.tables().ok_or_else(|| Failure::Invalid(format!("{} has no tables", kind.name)))
}
