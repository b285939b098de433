//! fjall's errors in our words.

use std::path::Path;

use fjall::LsmError;

use crate::Error;

/// What an error of fjall means, met while doing something with a file or folder.
pub(super) fn fjall_error(doing: &str, path: &Path, error: fjall::Error) -> Error {
    let damaged = |what: String| Error::Damaged { path: path.to_owned(), offset: None, what };
    match error {
        fjall::Error::Io(error) | fjall::Error::Storage(LsmError::Io(error)) => Error::io(doing, path, &error),
        fjall::Error::Storage(LsmError::ChecksumMismatch { .. }) => {
            damaged("the checksum of a block does not match".to_owned())
        }
        fjall::Error::Storage(LsmError::Decompress(_)) => damaged("a block cannot be decompressed".to_owned()),
        fjall::Error::Poisoned => Error::Halted { cause: "an earlier write, or work in the background".to_owned() },
        fjall::Error::Locked => Error::InUse { path: path.to_owned() },
        other => damaged(format!("{doing} it gives {other:?}")),
    }
}
