//! What a program takes to be so of the keys that it writes, and wants to hear of if it is not.

use super::Transaction;
use crate::error::Error;

impl Transaction {
    /// Says of a key that the transaction has written that it is there before. If it is not the commit fails, with
    /// [`TxnError::AssertionFailed`](crate::tikv::TxnError::AssertionFailed): something that must not be has happened to the data, or the
    /// program is mistaken. It holds whatever is [taken back](Self::rollback_to), as long as the key is written. How closely stores look
    /// [`TxnOptions::assertions`](crate::tikv::TxnOptions::assertions) says.
    ///
    /// # Errors
    /// When the transaction has not written the key: a store looks only at keys that are.
    pub fn assert_exists(&mut self, key: impl AsRef<[u8]>) -> Result<(), Error> {
        self.expect("assert_exists", key.as_ref(), true)
    }

    /// Says of such a key that it is not there before. To write keys that must not be there is what [`insert`](Self::insert) is for, whose
    /// failure is an answer, and not a sign that something is wrong.
    ///
    /// # Errors
    /// As [`assert_exists`](Self::assert_exists).
    pub fn assert_missing(&mut self, key: impl AsRef<[u8]>) -> Result<(), Error> {
        self.expect("assert_missing", key.as_ref(), false)
    }

    fn expect(&mut self, name: &'static str, key: &[u8], exists: bool) -> Result<(), Error> {
        let key = self.wire_key(key);
        if self.buffer.expect(&key, exists) {
            return Ok(());
        }
        Err(Error::invalid(name, "the transaction has not written the key, and nobody would look at it"))
    }
}
