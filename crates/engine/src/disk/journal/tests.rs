use fjall::{CompressionType, Database, Keyspace, KeyspaceCreateOptions, PersistMode};
use tempfile::TempDir;

use super::*;

const MASKS: [u8; 3] = [0x01, 0x80, 0xff];

/// The places of a batch's sequence number within it.
const SEQNO: std::ops::Range<usize> = 5..13;

/// A store whose rows all lie in its journal: six batches over two keyspaces.
struct Written {
    store: TempDir,
    journal: Vec<u8>,
    batches: Vec<Batch>,
}

fn open(folder: &Path) -> (Database, Keyspace, Keyspace) {
    let db = Database::builder(folder).worker_threads(1).journal_compression(CompressionType::None).open().unwrap();
    let first = db.keyspace("first", KeyspaceCreateOptions::default).unwrap();
    let second = db.keyspace("second", KeyspaceCreateOptions::default).unwrap();
    (db, first, second)
}

fn six_batches() -> Written {
    let store = tempfile::tempdir().unwrap();
    {
        let (db, first, second) = open(store.path());
        for number in 0..6_u8 {
            let mut batch = db.batch().durability(Some(PersistMode::Buffer));
            for item in 0..=number % 3 {
                batch.insert(&first, [b'a' + number, item], [number; 9]);
            }
            batch.insert(&second, [b'a' + number], "value of the second");
            batch.remove(&second, [b'A' + number]);
            batch.commit().unwrap();
        }
    }
    let journal = read(&store.path().join("0.jnl")).unwrap();
    let batches = Content::of(&journal).batches;
    assert_eq!(batches.len(), 6);
    Written { store, journal, batches }
}

/// Scans a folder with these journals.
fn scan_bytes(journals: &[&[u8]]) -> Vec<Journal> {
    let folder = tempfile::tempdir().unwrap();
    for (id, bytes) in journals.iter().enumerate() {
        std::fs::write(folder.path().join(format!("{id}.jnl")), bytes).unwrap();
    }
    scan(folder.path()).unwrap()
}

fn scan_one(bytes: &[u8]) -> Journal {
    scan_bytes(&[bytes]).remove(0)
}

fn flipped(bytes: &[u8], position: usize, mask: u8) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes[position] ^= mask;
    bytes
}

fn with_seqno(bytes: &[u8], batch: &Batch, seqno: u64) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes[batch.offset..][SEQNO].copy_from_slice(&seqno.to_le_bytes());
    bytes
}

fn broken_offset(journal: &Journal) -> Option<u64> {
    let fault = journal.fault.as_ref()?;
    assert_eq!(fault.kind, FaultKind::Broken, "{fault:?}");
    Some(fault.offset)
}

#[test]
fn a_clean_journal_tells_its_batches_and_its_end() {
    let Written { store, journal, batches } = six_batches();
    let scanned = scan(store.path()).unwrap();
    let expected = Journal {
        first_seqno: batches.first().map(|batch| batch.seqno),
        path: store.path().join("0.jnl"),
        id: 0,
        batches: 6,
        last_seqno: batches.last().map(|batch| batch.seqno),
        end: offset(journal.len()),
        fault: None,
    };
    assert_eq!(scanned, [expected]);
    assert_eq!(batches.iter().map(|batch| batch.items).collect::<Vec<_>>(), [3, 4, 5, 3, 4, 5]);
    assert!(batches.is_sorted_by(|one, next| one.seqno < next.seqno));
    assert!(std::fs::metadata(store.path().join("0.jnl")).unwrap().len() > offset(journal.len()), "zeros follow");
}

#[test]
fn scanning_changes_nothing() {
    let Written { journal, .. } = six_batches();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("0.jnl");
    let damaged = flipped(&journal, 200, 1);
    std::fs::write(&path, &damaged).unwrap();
    assert!(scan(folder.path()).unwrap()[0].fault.is_some());
    assert_eq!(std::fs::read(&path).unwrap(), damaged);
}

#[test]
fn an_empty_journal_is_clean() {
    let journal = scan_one(&[]);
    assert_eq!((journal.batches, journal.last_seqno, journal.end, journal.fault), (0, None, 0, None));
    assert_eq!(scan_one(&[0; 5000]).fault, None);
}

#[test]
fn compressed_items_and_cleared_keyspaces_are_read() {
    let store = tempfile::tempdir().unwrap();
    {
        let db = Database::builder(store.path()).journal_compression(CompressionType::Lz4).open().unwrap();
        let rows = db.keyspace("rows", KeyspaceCreateOptions::default).unwrap();
        rows.insert("large", vec![b'x'; 100_000]).unwrap();
        rows.clear().unwrap();
        rows.insert("small", "x").unwrap();
    }
    let journal = scan(store.path()).unwrap().remove(0);
    assert_eq!((journal.batches, journal.fault), (3, None));
    assert!(journal.end < 10_000, "the large value was compressed");
}

#[test]
fn a_journal_that_ends_within_a_batch_is_cut_there() {
    let Written { journal, batches, .. } = six_batches();
    for len in 0..=journal.len() {
        let whole: Vec<&Batch> = batches.iter().filter(|batch| batch.end() <= len).collect();
        let end = whole.last().map_or(0, |batch| batch.end());
        let mut padded = journal[..len].to_vec();
        padded.resize(journal.len() + 100, 0);
        for bytes in [&journal[..len], &padded] {
            let scanned = scan_one(bytes);
            assert_eq!((scanned.batches, scanned.end), (count_of(&whole), offset(end)), "{len}");
            let cut = (end < len).then_some((FaultKind::Cut, offset(end), None));
            assert_eq!(scanned.fault.map(|fault| (fault.kind, fault.offset, fault.behind)), cut, "{len}");
        }
    }
}

fn count_of<T>(items: &[T]) -> u64 {
    items.len() as u64
}

#[test]
fn a_changed_byte_is_found_unless_it_leaves_all_items_and_their_order() {
    let Written { journal, batches, .. } = six_batches();
    for (index, batch) in batches.iter().enumerate() {
        for position in batch.offset..batch.end() {
            for mask in MASKS {
                let scanned = scan_one(&flipped(&journal, position, mask));
                let found = broken_offset(&scanned);
                if SEQNO.contains(&(position - batch.offset)) {
                    check_changed_seqno(&scanned, found, &batches, index);
                } else {
                    assert_eq!(found, Some(offset(batch.offset)), "{position} {mask}");
                    assert_eq!(scanned.end, offset(batch.offset), "{position} {mask}");
                    check_behind(&scanned, &batches, index);
                }
            }
        }
    }
}

/// Of two numbers that fall, either may be the changed one; but only one batch is given up.
fn check_changed_seqno(scanned: &Journal, found: Option<u64>, batches: &[Batch], index: usize) {
    match found {
        None => assert_eq!(scanned.batches, 6),
        Some(found) => {
            let near = batches.iter().position(|batch| offset(batch.offset) == found).unwrap();
            assert!(near.abs_diff(index) <= 1, "batch {near} instead of {index}");
            check_behind(scanned, batches, near);
        }
    }
}

/// All batches but the one at `index` are there.
fn check_behind(scanned: &Journal, batches: &[Batch], index: usize) {
    let behind = scanned.fault.as_ref().unwrap().behind;
    assert_eq!(scanned.batches, count(&batches[..index]));
    assert_eq!(behind.map_or(0, |intact| intact.batches), count(&batches[index + 1..]));
}

#[test]
fn batches_behind_zeros_are_counted() {
    let Written { mut journal, batches, .. } = six_batches();
    journal[batches[2].offset..batches[2].end()].fill(0);
    let scanned = scan_one(&journal);
    assert_eq!(broken_offset(&scanned), Some(offset(batches[2].offset)));
    assert_eq!((scanned.batches, scanned.last_seqno), (2, Some(batches[1].seqno)));
    let behind = Intact { batches: 3, items: 12, first_seqno: batches[3].seqno, last_seqno: batches[5].seqno };
    assert_eq!(scanned.fault.unwrap().behind, Some(behind));
}

#[test]
fn a_number_that_was_raised_costs_its_own_batch_only() {
    let Written { journal, batches, .. } = six_batches();
    let scanned = scan_one(&with_seqno(&journal, &batches[1], 1 << 40));
    assert_eq!(broken_offset(&scanned), Some(offset(batches[1].offset)));
    assert_eq!(scanned.fault.unwrap().behind.unwrap().batches, 4);
}

#[test]
fn a_number_that_fell_costs_its_own_batch_only() {
    let Written { journal, batches, .. } = six_batches();
    let scanned = scan_one(&with_seqno(&journal, &batches[4], batches[1].seqno));
    assert_eq!(broken_offset(&scanned), Some(offset(batches[4].offset)));
    assert_eq!(scanned.fault.unwrap().behind.unwrap().batches, 1);
}

#[test]
fn a_number_with_which_nothing_could_be_written_any_more_is_broken() {
    let Written { journal, batches, .. } = six_batches();
    assert_eq!(scan_one(&with_seqno(&journal, &batches[5], (1 << 63) - 1)).fault, None);
    let scanned = scan_one(&with_seqno(&journal, &batches[5], 1 << 63));
    assert_eq!(broken_offset(&scanned), Some(offset(batches[5].offset)));
}

#[test]
fn numbers_rise_over_the_journals_too() {
    let Written { journal, batches, .. } = six_batches();
    let (older, newer) = journal.split_at(batches[3].offset);
    assert!(scan_bytes(&[older, newer]).iter().all(|journal| journal.fault.is_none()));

    let scanned = scan_bytes(&[older, newer, older]);
    assert_eq!(scanned[1].fault, None);
    assert_eq!((scanned[2].batches, broken_offset(&scanned[2])), (0, Some(0)));

    let raised = with_seqno(older, &batches[2], 1 << 40);
    let scanned = scan_bytes(&[&raised, newer]);
    assert_eq!(broken_offset(&scanned[0]), Some(offset(batches[2].offset)));
    assert_eq!(scanned[1].fault, None);
}

#[test]
fn only_the_newest_journal_may_be_cut() {
    let Written { journal, batches, .. } = six_batches();
    let (older, newer) = journal.split_at(batches[3].offset);
    let scanned = scan_bytes(&[&older[..older.len() - 1], &newer[..newer.len() - 1]]);
    assert_eq!(broken_offset(&scanned[0]), Some(offset(batches[2].offset)));
    assert_eq!(scanned[1].fault.as_ref().unwrap().kind, FaultKind::Cut);
}

#[test]
fn journals_are_read_in_the_order_of_their_numbers() {
    let Written { journal, batches, .. } = six_batches();
    let folder = tempfile::tempdir().unwrap();
    let (older, newer) = journal.split_at(batches[3].offset);
    std::fs::write(folder.path().join("10.jnl"), newer).unwrap();
    std::fs::write(folder.path().join("9.jnl"), older).unwrap();
    let scanned = scan(folder.path()).unwrap();
    assert_eq!(scanned.iter().map(|journal| journal.id).collect::<Vec<_>>(), [9, 10]);
    assert!(scanned.iter().all(|journal| journal.fault.is_none()));
}

#[test]
fn a_store_without_its_journals_is_damaged() {
    let Written { store, .. } = six_batches();
    std::fs::remove_file(store.path().join("0.jnl")).unwrap();
    assert!(matches!(scan(store.path()), Err(Error::Damaged { .. })));
    assert_eq!(scan(tempfile::tempdir().unwrap().path()), Ok(vec![]));
}

#[test]
fn a_journal_whose_name_is_no_number_is_refused() {
    for name in ["copy.jnl", "07.jnl", "+7.jnl", "7.JNL", ".jnl.jnl"] {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(name), "").unwrap();
        assert!(matches!(scan(folder.path()), Err(Error::Damaged { .. })), "{name}");
    }
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("7.jnl")).unwrap();
    assert!(matches!(scan(folder.path()), Err(Error::Damaged { .. })));
}

#[test]
fn a_folder_that_is_not_there_is_an_error_of_the_system() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("missing");
    assert!(matches!(scan(&missing), Err(Error::Io { kind: std::io::ErrorKind::NotFound, .. })));
}

/// Numbers without a pattern, the same at each run.
fn noise(len: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut step = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    };
    (0..len).map(|_| step()).collect()
}

#[test]
fn batches_are_found_behind_a_mebibyte_of_noise() {
    let Written { journal, .. } = six_batches();
    let mut bytes = noise(1024 * 1024);
    bytes.extend(journal);
    let scanned = scan_one(&bytes);
    assert_eq!((scanned.batches, broken_offset(&scanned)), (0, Some(0)));
    assert_eq!(scanned.fault.unwrap().behind.unwrap().batches, 6);
}

/// Each start is right, and so are all the items behind it, to the end of the file: without a
/// bound, each of the thousands of candidates would be read to there.
#[test]
fn bytes_chosen_to_mislead_the_search_do_not_make_it_endless() {
    let mut start_within_an_item = vec![2, 0, 0];
    start_within_an_item.extend([0; 8]);
    start_within_an_item.extend([0, 0, 13, 0, 0, 0, 13, 0, 0, 0]);
    start_within_an_item.extend([1, 0xff, 0xff, 0xff, 0x7f, 1, 0, 0, 0, 0, 0, 0, 0]);
    let bytes = start_within_an_item.repeat(40_000);
    let scanned = scan_one(&bytes);
    assert_eq!((scanned.batches, broken_offset(&scanned)), (0, Some(0)));
}

#[test]
fn what_was_kept_of_a_damaged_journal_opens_with_just_those_rows() {
    let Written { store, journal, batches } = six_batches();
    let path = store.path().join("0.jnl");
    std::fs::write(&path, flipped(&journal, batches[2].offset + 50, 1)).unwrap();
    let into = store.path().join("0.jnl.kept");
    let salvaged = rewrite(&path, &into).unwrap();
    assert_eq!(salvaged, Salvaged { batches: 5, bytes_left_out: offset(batches[2].len) });
    std::fs::rename(&into, &path).unwrap();
    let scanned = scan(store.path()).unwrap().remove(0);
    assert_eq!((scanned.batches, scanned.fault), (5, None));

    let (_db, first, second) = open(store.path());
    let rows: Vec<u8> = second.iter().map(|row| row.key().unwrap()[0]).collect();
    assert_eq!(rows, b"abdef");
    let rows: Vec<Vec<u8>> = first.iter().map(|row| row.key().unwrap().to_vec()).collect();
    let expected: Vec<Vec<u8>> = [0, 1, 3, 4, 5].into_iter().flat_map(rows_of).collect();
    assert_eq!(rows, expected);
}

/// The keys that a batch of [`six_batches`] wrote to the first keyspace.
fn rows_of(number: u8) -> impl Iterator<Item = Vec<u8>> {
    (0..=number % 3).map(move |item| vec![b'a' + number, item])
}

#[test]
fn rewriting_leaves_out_what_does_not_fit_the_other_journals() {
    let Written { journal, batches, .. } = six_batches();
    let folder = tempfile::tempdir().unwrap();
    let (older, newer) = journal.split_at(batches[3].offset);
    let path = folder.path().join("0.jnl");
    std::fs::write(&path, with_seqno(older, &batches[2], 1 << 40)).unwrap();
    std::fs::write(folder.path().join("1.jnl"), newer).unwrap();
    let into = folder.path().join("kept");
    assert_eq!(rewrite(&path, &into).unwrap().batches, 2);
    assert_eq!(std::fs::read(&into).unwrap(), &journal[..batches[2].offset]);
}

#[test]
fn rewriting_never_overwrites_a_file() {
    let Written { store, journal, .. } = six_batches();
    let path = store.path().join("0.jnl");
    let refused = rewrite(&path, &path);
    assert!(matches!(refused, Err(Error::Io { kind: std::io::ErrorKind::AlreadyExists, .. })));
    assert_eq!(read(&path).unwrap(), journal);
    let other = rewrite(&store.path().join("9.jnl"), &store.path().join("kept"));
    assert!(matches!(other, Err(Error::Damaged { .. })));
}
