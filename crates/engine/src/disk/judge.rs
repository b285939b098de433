//! Whether the journals found in a folder are what a store leaves behind, or something acknowledged is missing.
//!
//! A process that is killed leaves at most one batch that breaks off where its writing stopped. A power loss may take
//! anything that was not synced and leave the rest. Nothing takes what was synced, and nothing but damage puts other bytes
//! in place of those that were written.

use std::path::Path;

use super::journal::{Fault, FaultKind, Journal};
use super::marks::{Mark, Marks};
use crate::Error;

/// What is there besides the journals.
#[derive(Debug, Clone, Copy)]
pub(super) struct Knowledge {
    pub(super) marks: Marks,
    /// Whether the machine has run on since the marks were written.
    pub(super) same_boot: bool,
}

impl Knowledge {
    /// What the marks tell by themselves.
    pub(super) fn of(marks: Marks) -> Self {
        Self { marks, same_boot: marks.is_of_this_boot() }
    }
}

/// Refuses journals that something acknowledged is missing from. Gives the current one, and the fault at its end that opening
/// may pass over.
pub(super) fn judge<'a>(
    folder: &Path,
    journals: &'a [Journal],
    knowledge: &Knowledge,
) -> Result<(&'a Journal, Option<&'a Fault>), Error> {
    let Some((current, sealed)) = journals.split_last() else {
        return Err(missing(folder, knowledge.marks.flushed.journal, "there is always one"));
    };
    check_all_there(folder, journals)?;
    check_firsts(journals, &knowledge.marks)?;
    if let Some((journal, fault)) = sealed.iter().find_map(|journal| Some((journal, journal.fault.as_ref()?))) {
        // It was synced before the next one was begun.
        return Err(refusal(journal, fault));
    }
    let reached = check_reached(folder, journals, knowledge);
    let Some(fault) = &current.fault else {
        return reached.map(|()| (current, None));
    };
    let is_broken = fault.kind == FaultKind::Broken && knowledge.same_boot;
    if is_broken || reached.is_err() { Err(refusal(current, fault)) } else { Ok((current, Some(fault))) }
}

/// The number of a journal's first batch is not what it was if it is lower than it can have been.
fn check_firsts(journals: &[Journal], marks: &Marks) -> Result<(), Error> {
    for journal in journals {
        let noted = marks.firsts.iter().find(|first| first.journal == journal.id);
        if noted.is_some_and(|noted| journal.first_seqno.is_some_and(|first| first < noted.seqno)) {
            let what = "its first batch has a lower sequence number than was written".to_owned();
            return Err(Error::Damaged { path: journal.path.clone(), offset: Some(0), what });
        }
    }
    Ok(())
}

/// Journals are numbered without gaps, and are removed from the oldest on.
fn check_all_there(folder: &Path, journals: &[Journal]) -> Result<(), Error> {
    for pair in journals.windows(2) {
        let [earlier, later] = pair else { continue };
        if earlier.id + 1 != later.id {
            return Err(missing(folder, earlier.id + 1, "it lies between two that are there"));
        }
    }
    Ok(())
}

/// Every journal that is still there holds what was acknowledged when it was written to. One that is not has been written
/// to table files as a whole.
fn check_reached(folder: &Path, journals: &[Journal], knowledge: &Knowledge) -> Result<(), Error> {
    let Knowledge { marks, same_boot } = knowledge;
    let reach = |mark: &Mark| {
        let last =
            journals.iter().filter(|journal| journal.id >= mark.journal).filter_map(|journal| journal.last_seqno);
        let (first_id, last_id) =
            (journals.first().map(|journal| journal.id), journals.last().map(|journal| journal.id));
        if mark.seqno == 0 || first_id.is_some_and(|first| mark.journal < first) {
            return Ok(());
        }
        if last_id.is_none_or(|last| mark.journal > last) {
            return Err(missing(folder, mark.journal, "acknowledged writes are in it"));
        }
        if last.max().is_some_and(|last| last >= mark.seqno) { Ok(()) } else { Err(too_short(journals)) }
    };
    reach(&marks.synced)?;
    if *same_boot { reach(&marks.flushed) } else { Ok(()) }
}

fn missing(folder: &Path, id: u64, why: &str) -> Error {
    let what = format!("this journal is missing, and {why}");
    Error::Damaged { path: folder.join(format!("{id}.jnl")), offset: None, what }
}

fn too_short(journals: &[Journal]) -> Error {
    let what = "it ends before writes that were acknowledged; `charioteer repair` would go on without them";
    let (path, offset) = journals.last().map(|journal| (journal.path.clone(), Some(journal.end))).unwrap_or_default();
    Error::Damaged { path, offset, what: what.to_owned() }
}

fn refusal(journal: &Journal, fault: &Fault) -> Error {
    let saved = match &fault.behind {
        Some(behind) => format!(
            "`charioteer repair` would lose what lies between there and the {} intact batches behind it",
            behind.batches
        ),
        None => "`charioteer repair` would lose what comes behind".to_owned(),
    };
    let what = format!("{}; {saved}", fault.what);
    Error::Damaged { path: journal.path.clone(), offset: Some(fault.offset), what }
}
