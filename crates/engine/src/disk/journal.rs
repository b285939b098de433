use crate::Error;
use std::path::{Path, PathBuf};
pub(crate) struct Journal {
    pub(crate) path: PathBuf,
    pub(crate) id: u64,
    pub(crate) first_seqno: Option<u64>,
    pub(crate) last_seqno: Option<u64>,
    pub(crate) end: u64,
    pub(crate) fault: Option<Fault>,
}
pub(crate) struct Fault {
    pub(crate) offset: u64,
    pub(crate) kind: FaultKind,
    pub(crate) what: &'static str,
    pub(crate) behind: Option<Intact>,
}
#[derive(PartialEq, Eq)]
pub(crate) enum FaultKind {
    Cut,
    Broken,
}
pub(crate) struct Intact {
    pub(crate) batches: u64,
}
pub(crate) fn scan(_folder: &Path) -> Result<Vec<Journal>, Error> {
    Ok(Vec::new())
}
