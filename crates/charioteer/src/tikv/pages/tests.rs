use std::cell::RefCell;
use std::ops::Range;
use std::sync::Arc;
use std::task::Waker;

use parking_lot::Mutex;

use super::*;
use crate::error::{ErrorKind, Failure};
use crate::tikv::range::{is_over, just_behind};

/// What a page of these tests has.
type Keys = Vec<Bytes>;

const REGION: usize = 50;

fn key(number: usize) -> Bytes {
    format!("{number:03}").into()
}

/// Three hundred keys in six regions, and what is asked of them.
#[derive(Default)]
struct Store {
    asked: RefCell<Vec<(Bytes, Bytes)>>,
    /// The regions, by their first keys, that do not answer as long as they are here.
    silent: Arc<Mutex<Vec<usize>>>,
    failing: RefCell<Vec<usize>>,
    /// Whether pages behind the first fail when they are looked at for the second time, unless they were asked for before.
    is_late: bool,
}

impl Store {
    fn fetch(&self, wanted: Wanted, is_reverse: bool) -> Fetch<Keys> {
        let (Rest::Given(start, end) | Rest::Wire(start, end)) = wanted.rest;
        let bound = |(start, end): &(Bytes, Bytes)| if is_reverse { end.clone() } else { start.clone() };
        let asked = (start.clone(), end.clone());
        let is_new = !self.asked.borrow().iter().any(|before| bound(before) == bound(&asked));
        if self.is_late && is_new && !self.asked.borrow().is_empty() {
            self.asked.borrow_mut().push(asked);
            return late();
        }
        self.asked.borrow_mut().push((start.clone(), end.clone()));
        let number = |key: &Bytes| std::str::from_utf8(&key[..3]).unwrap().parse::<usize>().unwrap();
        let at = match is_reverse {
            true if end.is_empty() => 299,
            true => number(&end) - usize::from(end.len() == 3),
            false => number(&start),
        };
        let region = at / REGION * REGION..(at / REGION + 1) * REGION;
        let (silent, first) = (Arc::clone(&self.silent), region.start);
        let page = if self.failing.borrow().contains(&region.start) {
            Err(Failure::new(ErrorKind::Unavailable, "it is away").into())
        } else {
            Ok(page((start, end), region, wanted.limit as usize, is_reverse))
        };
        let mut page = Some(page);
        Box::pin(std::future::poll_fn(move |_| match page.take_if(|_| !silent.lock().contains(&first)) {
            Some(page) => Poll::Ready(page),
            None => Poll::Pending,
        }))
    }
}

/// A page whose time is up when it is looked at again.
fn late() -> Fetch<Keys> {
    let mut is_again = false;
    Box::pin(std::future::poll_fn(move |_| match std::mem::replace(&mut is_again, true) {
        false => Poll::Pending,
        true => Poll::Ready(Err(Failure::new(ErrorKind::Timeout, "its time is up").into())),
    }))
}

fn page(asked: (Bytes, Bytes), region: Range<usize>, limit: usize, is_reverse: bool) -> Page<Keys> {
    let (start, end) = asked.clone();
    let is_wanted = |key: &Bytes| *key >= start && (end.is_empty() || *key < end);
    let mut body: Keys = region.clone().map(key).filter(is_wanted).collect();
    if is_reverse {
        body.reverse();
    }
    body.truncate(limit);
    let border = key(if is_reverse { region.start } else { region.end });
    let is_full = body.len() == limit;
    let rest = match body.last().filter(|_| is_full) {
        Some(last) if is_reverse => (start, last.clone()),
        Some(last) => (just_behind(last), end),
        None if is_reverse => (start, border.clone()),
        None => (border.clone(), end),
    };
    let is_over = is_over(&rest.0, &rest.1) || rest.0 >= key(300) || (is_reverse && rest.1 <= key(0));
    let is_within = is_full && border > rest.0 && border < rest.1;
    let (rows, bytes, limit) = (body.len(), body.len(), u32::try_from(limit).unwrap());
    let border = (is_within && !is_over).then_some(border);
    Page { body, rows, bytes, limit, is_cut: false, asked, rest: (!is_over).then_some(rest), border }
}

fn pages(most: u32, is_reverse: bool) -> Pages<Keys> {
    Pages::new([Rest::Given(key(0), key(300))], None, most, is_reverse)
}

fn next(pages: &mut Pages<Keys>, store: &Store, wanted: u64) -> Poll<Option<Result<Page<Keys>, Error>>> {
    let is_reverse = pages.is_reverse;
    pages.poll_next(&mut Context::from_waker(Waker::noop()), wanted, |wanted| store.fetch(wanted, is_reverse))
}

fn read(pages: &mut Pages<Keys>, store: &Store) -> Keys {
    let mut found = Vec::new();
    while let Poll::Ready(Some(Ok(page))) = next(pages, store, u64::MAX) {
        found.extend(page.body);
    }
    found
}

/// The first keys of the regions that were asked something.
fn regions(store: &Store) -> Vec<usize> {
    let number = |key: &Bytes| std::str::from_utf8(&key[..3]).unwrap().parse::<usize>().unwrap();
    let mut regions: Vec<usize> =
        store.asked.borrow().iter().map(|(start, _)| number(start) / REGION * REGION).collect();
    regions.sort_unstable();
    regions.dedup();
    regions
}

#[test]
fn every_row_comes_once_and_in_order_whatever_came_ahead() {
    for most in [1, 7, 10, 50, 51, 1000] {
        let ascending: Keys = (0..300).map(key).collect();
        assert_eq!(read(&mut pages(most, false), &Store::default()), ascending, "{most}");
        let descending: Keys = (0..300).rev().map(key).collect();
        assert_eq!(read(&mut pages(most, true), &Store::default()), descending, "{most}");
    }
}

#[test]
fn while_a_region_is_read_a_page_of_the_next_one_comes_and_of_no_other() {
    let (mut pages, store) = (pages(2, false), Store::default());
    for _ in 0..BEFORE_AHEAD {
        assert!(next(&mut pages, &store, u64::MAX).is_ready());
    }
    // However long it takes, there is no more than one.
    store.silent.lock().push(0);
    while next(&mut pages, &store, u64::MAX).is_ready() {}
    assert_eq!(regions(&store), [0, 50]);
    let ready = |pages: &Pages<Keys>| pages.tracks.iter().map(|track| track.ready.len()).sum::<usize>();
    assert_eq!(ready(&pages), 1);
}

#[test]
fn a_scan_that_has_just_begun_or_wants_little_is_not_ahead() {
    let (mut pages, store) = (pages(2, false), Store::default());
    for _ in 1..BEFORE_AHEAD {
        assert!(next(&mut pages, &store, u64::MAX).is_ready());
    }
    for _ in 0..10 {
        assert!(next(&mut pages, &store, 2 * WANTED_AHEAD).is_ready());
    }
    assert_eq!(regions(&store), [0]);
    assert!(matches!(next(&mut pages, &store, 0), Poll::Ready(None)));
}

#[test]
fn an_error_is_told_in_its_turn_and_what_follows_is_asked_for_again() {
    let (mut pages, store) = (pages(10, false), Store::default());
    store.failing.borrow_mut().push(50);
    assert_eq!(read(&mut pages, &store), (0..50).map(key).collect::<Keys>());
    store.failing.borrow_mut().clear();
    assert_eq!(read(&mut pages, &store), (50..300).map(key).collect::<Keys>());
}

#[test]
fn a_page_that_was_asked_for_ahead_and_whose_time_is_up_before_its_reader_comes_is_asked_for_again() {
    for is_reverse in [false, true] {
        for most in [7, 10, 50, 51] {
            let store = Store { is_late: true, ..Store::default() };
            let expected: Keys =
                if is_reverse { (0..300).rev().map(key).collect() } else { (0..300).map(key).collect() };
            assert_eq!(read(&mut pages(most, is_reverse), &store), expected, "{most}");
        }
    }
}

#[test]
fn an_error_of_a_page_that_was_not_wanted_yet_is_not_told_when_it_is() {
    let (mut pages, store) = (pages(2, false), Store::default());
    store.failing.borrow_mut().push(50);
    let mut found = Keys::new();
    for turn in 0..2 * BEFORE_AHEAD {
        if turn == BEFORE_AHEAD {
            store.silent.lock().push(0);
        }
        if let Poll::Ready(Some(Ok(page))) = next(&mut pages, &store, u64::MAX) {
            found.extend(page.body);
        }
    }
    assert_eq!((regions(&store), found.len() < 50), (vec![0, 50], true), "it was ahead");
    store.silent.lock().clear();
    store.failing.borrow_mut().clear();
    found.extend(read(&mut pages, &store));
    assert_eq!(found, (0..300).map(key).collect::<Keys>());
}

#[test]
fn a_page_that_fails_while_its_reader_waits_is_told_and_asked_for_once_more_when_he_comes_again() {
    let (mut pages, store) = (pages(10, false), Store::default());
    store.failing.borrow_mut().push(50);
    assert_eq!(read(&mut pages, &store).len(), 50);
    for _ in 0..3 {
        let before = store.asked.borrow().len();
        assert!(matches!(next(&mut pages, &store, u64::MAX), Poll::Ready(Some(Err(_)))));
        assert_eq!(store.asked.borrow().len(), before + 1);
    }
}

#[test]
fn a_page_that_is_taken_back_comes_again_and_so_does_what_follows() {
    for is_reverse in [false, true] {
        let (mut pages, store) = (pages(10, is_reverse), Store::default());
        let mut found = Vec::new();
        for turn in 0.. {
            let Poll::Ready(Some(Ok(page))) = next(&mut pages, &store, u64::MAX) else { break };
            if turn % 3 == 0 {
                pages.take_back(&page);
            } else {
                found.extend(page.body);
            }
        }
        let expected: Keys = if is_reverse { (0..300).rev().map(key).collect() } else { (0..300).map(key).collect() };
        assert_eq!(found, expected);
    }
}

#[test]
fn each_range_gives_no_more_than_it_may() {
    let ranges = [(20, 80), (0, 5), (100, 300)].map(|(start, end)| Rest::Wire(key(start), key(end)));
    let mut pages = Pages::new(ranges, Some(40), 7, false);
    let expected: Keys = (20..60).chain(0..5).chain(100..140).map(key).collect();
    assert_eq!(read(&mut pages, &Store::default()), expected);
}
