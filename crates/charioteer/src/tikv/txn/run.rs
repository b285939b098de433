//! Having a program's function try again.

use std::future::Future;

use super::client::TxnClient;
use super::error::TxnError;
use super::options::TxnOptions;
use super::patience::{Patience, RESTARTED};
use super::transaction::Transaction;
use crate::error::{Error, ErrorKind, Outcome};
use crate::exec;

impl TxnClient {
    /// Carries out a function in a transaction, which it gives back to be committed, and does both again from the beginning where another
    /// transaction has come in between, for as long as a call may take. What the function does beside, it may do more than once.
    ///
    /// It is not done again when it is not known whether the transaction was committed. An error of the function is the end too, if it is
    /// not one of those; nothing that it has written happens then.
    ///
    /// # Errors
    /// The function's, and those of [`begin`](Self::begin) and [`commit`](Transaction::commit).
    ///
    /// ```
    /// use charioteer::tikv::{TxnClient, TxnOptions};
    /// use charioteer_server::testing::TestServer;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), charioteer::Error> {
    /// let server = TestServer::start().await;
    /// let client = TxnClient::connect(&server.tikv_url()).await?;
    /// let visits = client
    ///     .run(&TxnOptions::default(), |mut txn| async move {
    ///         let visits = txn.get("visits").await?.unwrap_or_default();
    ///         txn.put("visits", [&visits[..], b"x"].concat()).await?;
    ///         Ok((txn, visits.len() + 1))
    ///     })
    ///     .await?;
    /// assert_eq!(visits, 1);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn run<T, F>(&self, options: &TxnOptions, mut work: impl FnMut(Transaction) -> F) -> Result<T, Error>
    where
        F: Future<Output = Result<(Transaction, T), Error>>,
    {
        let mut patience = Patience::until(exec::deadline(options.timeout.unwrap_or_else(|| self.timeout())));
        loop {
            let txn = self.begin_with(options).await?.may_be_dropped();
            let error = match work(txn).await {
                Ok((txn, result)) => match txn.commit().await {
                    Ok(_) => return Ok(result),
                    Err(error) => error,
                },
                Err(error) => error,
            };
            // No two transactions begin at the same timestamp.
            if options.start_ts.is_some() || !may_be_restarted(&error) {
                return Err(error);
            }
            patience.wait(&RESTARTED, None, || error).await?;
        }
    }
}

/// Whether the same transaction may succeed when it is made again, and can't have succeeded already.
fn may_be_restarted(error: &Error) -> bool {
    let is_certain = error.outcome() == Outcome::NotApplied;
    match TxnError::of(error) {
        Some(known) => is_certain && known.is_restartable(),
        None => is_certain && error.is_retryable() && error.kind() != ErrorKind::Closed,
    }
}
