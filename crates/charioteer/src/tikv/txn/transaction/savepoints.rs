//! Taking back some of what a transaction has written.

use super::Transaction;
use crate::error::Error;
use crate::tikv::txn::buffer::Savepoint;

impl Transaction {
    /// A place to which what is written from now on can be taken back.
    pub fn savepoint(&mut self) -> Savepoint {
        self.buffer.savepoint()
    }

    /// Takes back what was written since a savepoint. It holds still, and those that came after it do not. Keys stay locked.
    ///
    /// # Errors
    /// When it does not hold (any more), or is another transaction's.
    pub fn rollback_to(&mut self, savepoint: Savepoint) -> Result<(), Error> {
        if self.buffer.rollback_to(savepoint) { Ok(()) } else { Err(no_savepoint("rollback_to")) }
    }

    /// Forgets a savepoint, and those that came after it.
    ///
    /// # Errors
    /// As [`rollback_to`](Self::rollback_to).
    pub fn release(&mut self, savepoint: Savepoint) -> Result<(), Error> {
        if self.buffer.release(savepoint) { Ok(()) } else { Err(no_savepoint("release")) }
    }
}

fn no_savepoint(operation: &'static str) -> Error {
    Error::invalid(operation, "the savepoint does not hold, or is another transaction's")
}
