//! The pages of a scan, in order.
//!
//! What is left of a scan is a row of tracks, each of which is read page by page, one after the other. A range is one track to begin with, and is
//! cut in two where a page says that its region ends. Of the first track the next page is asked for before its reader gets one. Of the
//! second one comes meanwhile, so that the store, and the way to it, have something to do at any time: with more of them, memory is
//! slower than what is gained. No other track is begun.
//!
//! What comes next follows from the keys alone: a track finds all its rows, whatever becomes of the regions.
//!
//! A page that was asked for ahead has as much time as any, which may be over before its reader comes for it. So what has gone wrong with it by
//! then is not told: it is asked for once more, while the reader waits, who may so have to wait for twice as long.

use std::collections::VecDeque;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_core::future::BoxFuture;

use crate::error::Error;

/// Before a scan has come so many pages far, nothing is asked for of a second track: most scans are short.
const BEFORE_AHEAD: u32 = 4;
/// Nor where no more than so many pages are wanted yet, since the first track may have them all.
const WANTED_AHEAD: u64 = 16;

/// A range, or what is left of one; an empty end is beyond all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Rest {
    /// As the caller said it.
    Given(Bytes, Bytes),
    /// As keys travel.
    Wire(Bytes, Bytes),
}

/// A page that is asked for.
#[derive(Debug)]
pub(super) struct Wanted {
    pub(super) rest: Rest,
    /// How many rows it has at most.
    pub(super) limit: u32,
}

/// A page, as it came.
#[derive(Debug)]
pub(super) struct Page<P> {
    pub(super) body: P,
    pub(super) rows: usize,
    pub(super) bytes: usize,
    /// How many rows it had at most.
    pub(super) limit: u32,
    /// Whether that was because more were too large to come together.
    pub(super) is_cut: bool,
    /// What it was asked for of, as keys travel.
    pub(super) asked: (Bytes, Bytes),
    /// What is left of that.
    pub(super) rest: Option<(Bytes, Bytes)>,
    /// Where its region ends, if that is within what is left.
    pub(super) border: Option<Bytes>,
}

/// A page that is on its way.
pub(super) type Fetch<P> = BoxFuture<'static, Result<Page<P>, Error>>;

/// The pages of ranges.
pub(super) struct Pages<P> {
    tracks: VecDeque<Track<P>>,
    is_reverse: bool,
    pace: Pace,
    /// How often the reader has been told something. What was asked for before the last time was so ahead of it.
    round: u64,
}

/// A part of a scan that is read one page after the other.
struct Track<P> {
    /// What is to be asked for yet, if anything.
    rest: Option<Rest>,
    /// Where the next track was cut off.
    border: Option<Bytes>,
    /// How many rows are to be asked for yet, where each track has so many of its own; then none is cut.
    left: Option<u64>,
    fetch: Option<Fetch<P>>,
    /// In which round the page was asked for that is on its way, or has come last.
    asked_in: u64,
    /// What has come and was not read yet. Nothing is asked for behind an error before it was told.
    ready: VecDeque<Result<Page<P>, Error>>,
}

impl<P> Pages<P> {
    /// Those of ranges, one after the other, each of which gives so many rows at most.
    pub(super) fn new(
        ranges: impl IntoIterator<Item = Rest>,
        limit_each: Option<u64>,
        most: u32,
        is_reverse: bool,
    ) -> Self {
        let tracks = ranges.into_iter().map(|rest| Track::new(rest, None, limit_each)).collect();
        Self { tracks, is_reverse, pace: Pace::up_to(most), round: 0 }
    }

    /// The next page, of a scan of which so many rows are wanted yet. What comes behind it has been asked for by then. There may be more
    /// rows in it than are wanted.
    pub(super) fn poll_next(
        &mut self,
        cx: &mut Context<'_>,
        wanted: u64,
        fetch: impl Fn(Wanted) -> Fetch<P>,
    ) -> Poll<Option<Result<Page<P>, Error>>> {
        if wanted == 0 {
            self.tracks.clear();
        }
        while self.tracks.pop_front_if(|track| track.is_over()).is_some() {}
        if let Some(track) = self.tracks.front_mut().filter(|track| track.asked_in < self.round) {
            track.ready.pop_front_if(|page| page.is_err());
        }
        if self.tracks.front().is_some_and(|track| track.ready.is_empty()) {
            self.go_on(cx, wanted, &fetch);
        }
        let Some(track) = self.tracks.front_mut() else { return Poll::Ready(None) };
        let Some(page) = track.ready.pop_front() else { return Poll::Pending };
        if let Ok(page) = &page {
            self.go_on(cx, wanted.saturating_sub(page.rows as u64), &fetch);
        }
        self.round += 1;
        Poll::Ready(Some(page))
    }

    /// Takes the page back that was told last, so that it is asked for once more.
    pub(super) fn take_back(&mut self, page: &Page<P>) {
        let Some(track) = self.tracks.front_mut() else { return };
        let (start, end) = page.asked.clone();
        let rest = match &track.border {
            None => (start, end),
            Some(border) if self.is_reverse => (border.clone(), end),
            Some(border) => (start, border.clone()),
        };
        let waiting: usize = track.ready.iter().flatten().map(|page| page.rows).sum();
        track.left = track.left.map(|left| left + (page.rows + waiting) as u64);
        track.rest = Some(Rest::Wire(rest.0, rest.1));
        track.fetch = None;
        track.ready.clear();
    }

    /// Asks for what may be asked for of the first two tracks that are not over, and takes what has come.
    fn go_on(&mut self, cx: &mut Context<'_>, wanted: u64, fetch: &impl Fn(Wanted) -> Fetch<P>) {
        let Some(first) = self.tracks.iter().position(|track| !track.is_over()) else { return };
        while self.limit(first, true, wanted).is_some_and(|limit| self.advances(first, limit, cx, fetch)) {}
        let Some(second) = self.tracks.iter().skip(first + 1).position(|track| !track.is_over()) else { return };
        let second = first + 1 + second;
        while self.limit(second, false, wanted).is_some_and(|limit| self.advances(second, limit, cx, fetch)) {}
    }

    /// How many rows a track is asked for next, unless nothing is to be asked.
    fn limit(&self, at: usize, is_first: bool, wanted: u64) -> Option<u32> {
        let track = &self.tracks[at];
        if track.fetch.is_some() {
            return Some(0);
        }
        let left = track.left.unwrap_or(u64::MAX);
        let is_next = is_first && track.ready.is_empty();
        let is_stopped = track.rest.is_none() || track.ready.back().is_some_and(Result::is_err);
        if is_stopped || !(is_next || self.may_be_ahead(wanted)) {
            return None;
        }
        let most = left.min(if is_next { wanted } else { u64::MAX }).min(self.pace.limit.into());
        u32::try_from(most).ok().filter(|limit| *limit > 0)
    }

    /// Whether more is asked for than the first track's next page: not while any waits to be read.
    fn may_be_ahead(&self, wanted: u64) -> bool {
        self.pace.pages >= BEFORE_AHEAD
            && wanted > u64::from(self.pace.limit) * WANTED_AHEAD
            && self.tracks.iter().all(|track| track.ready.is_empty())
    }

    /// Looks at what a track was asked for, or asks so much of it first, which is looked at so that it is sent. Says whether it has come.
    fn advances(&mut self, at: usize, limit: u32, cx: &mut Context<'_>, fetch: &impl Fn(Wanted) -> Fetch<P>) -> bool {
        let track = &mut self.tracks[at];
        let Some(rest) = &track.rest else { return false };
        let under_way = track.fetch.get_or_insert_with(|| {
            track.asked_in = self.round;
            fetch(Wanted { rest: rest.clone(), limit })
        });
        let Poll::Ready(fetched) = under_way.as_mut().poll(cx) else { return false };
        track.fetch = None;
        match &fetched {
            Ok(page) => {
                self.pace.learn(page);
                track.left = track.left.map(|left| left.saturating_sub(page.rows as u64));
                self.move_on(at, page.rest.clone(), page.border.clone());
            }
            // It is asked for once more in this round.
            Err(_) if track.asked_in < self.round => return true,
            Err(_) => {}
        }
        self.tracks[at].ready.push_back(fetched);
        true
    }

    /// Takes note of what is left of a track. Where a region ends in it, another track begins.
    fn move_on(&mut self, at: usize, rest: Option<(Bytes, Bytes)>, border: Option<Bytes>) {
        let track = &mut self.tracks[at];
        let (Some((start, end)), Some(border), None) = (rest.clone(), border, track.left) else {
            track.rest = rest.map(|(start, end)| Rest::Wire(start, end));
            return;
        };
        let (below, above) = (Rest::Wire(start, border.clone()), Rest::Wire(border.clone(), end));
        let (near, far) = if self.is_reverse { (above, below) } else { (below, above) };
        track.rest = Some(near);
        let beyond = track.border.replace(border);
        self.tracks.insert(at + 1, Track::new(far, beyond, None));
    }
}

impl<P> Track<P> {
    fn new(rest: Rest, border: Option<Bytes>, left: Option<u64>) -> Self {
        Self { rest: Some(rest), border, left, fetch: None, asked_in: 0, ready: VecDeque::new() }
    }

    fn is_over(&self) -> bool {
        (self.rest.is_none() || self.left == Some(0)) && self.fetch.is_none() && self.ready.is_empty()
    }
}

/// How many rows are asked for at a time.
#[derive(Clone, Copy, Debug)]
struct Pace {
    limit: u32,
    most: u32,
    /// How many pages have come.
    pages: u32,
}

impl Pace {
    /// The first page is soon there.
    const FIRST: u32 = 256;
    /// A page with so many bytes is large enough.
    const BYTES: usize = 512 << 10;

    fn up_to(most: u32) -> Self {
        Self { limit: most.min(Self::FIRST), most, pages: 0 }
    }

    fn learn<P>(&mut self, page: &Page<P>) {
        self.pages = self.pages.saturating_add(1);
        if page.is_cut {
            // What was too large once may well be so again.
            (self.limit, self.most) = (page.limit, page.limit);
        } else if page.rows >= self.limit as usize && page.bytes < Self::BYTES {
            self.limit = self.limit.saturating_mul(2).min(self.most);
        }
    }
}

#[cfg(test)]
mod tests;
