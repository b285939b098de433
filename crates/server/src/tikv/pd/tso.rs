//! Timestamps: unique, growing, and not behind the clock, also after a restart and with a clock that goes back.

use charioteer_engine::{Clock, Error};
use charioteer_proto::tikv::pdpb;
use charioteer_proto::tikv::timestamp::Timestamp;
use parking_lot::Mutex;

use super::Pd;
use crate::grpc::{Code, Status};
use crate::tikv::cluster::{Ledger, Number};

/// How far ahead of the clock timestamps are reserved, in milliseconds: one write serves for as long.
const WINDOW_MS: u64 = 3_000;

/// The rules, without I/O: what was handed out last, and how far it may go.
#[derive(Debug)]
struct Oracle {
    last: Timestamp,
    /// All timestamps handed out are before this millisecond. It is kept before the first of them is handed out.
    bound_ms: u64,
}

/// What the oracle answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    /// The last of the timestamps.
    Given(Timestamp),
    /// None before this bound is kept.
    KeepFirst(u64),
    /// There can be none.
    None,
}

impl Oracle {
    /// An oracle that hands out nothing that was before that bound.
    fn from_bound(bound_ms: u64) -> Self {
        let before = u64::from(Timestamp::new(bound_ms, 0).unwrap_or(Timestamp::MAX)).saturating_sub(1);
        Self { last: before.into(), bound_ms }
    }

    fn next(&mut self, now_ms: u64, count: u32) -> Answer {
        let Some(range) = self.last.next(now_ms, count) else { return Answer::None };
        let last = *range.end();
        if last.physical_ms() >= self.bound_ms {
            return Answer::KeepFirst(last.physical_ms() + WINDOW_MS);
        }
        self.last = last;
        Answer::Given(last)
    }

    /// The bound is kept.
    fn extend(&mut self, bound_ms: u64) {
        self.bound_ms = self.bound_ms.max(bound_ms);
    }
}

/// Hands out timestamps.
#[derive(Debug)]
pub(super) struct Tso {
    oracle: Mutex<Oracle>,
    /// Held while a bound is being kept.
    keeping: tokio::sync::Mutex<()>,
    ledger: Ledger,
    clock: Clock,
}

impl Tso {
    pub(super) fn open(ledger: &Ledger, clock: &Clock) -> Result<Self, Error> {
        let bound_ms = ledger.number(Number::TimestampBound)?.unwrap_or_default();
        let oracle = Mutex::new(Oracle::from_bound(bound_ms));
        Ok(Self { oracle, keeping: tokio::sync::Mutex::new(()), ledger: ledger.clone(), clock: clock.clone() })
    }

    /// The last of so many timestamps, all of one millisecond.
    pub(super) async fn next(&self, count: u32) -> Result<Timestamp, Status> {
        if count == 0 {
            return Err(failed("tso count should be positive"));
        }
        let mut keeping = None;
        loop {
            match (self.answer(count), &keeping) {
                (Answer::Given(last), _) => return Ok(last),
                (Answer::None, _) => return Err(failed("maximum number of retries exceeded")),
                // Whoever held it may have kept one that goes far enough for this too.
                (Answer::KeepFirst(_), None) => keeping = Some(self.keeping.lock().await),
                (Answer::KeepFirst(bound_ms), Some(_)) => {
                    self.keep(bound_ms).await.map_err(|error| failed(&error.to_string()))?;
                }
            }
        }
    }

    fn answer(&self, count: u32) -> Answer {
        let now_ms = u64::try_from(self.clock.now().as_millis()).unwrap_or(u64::MAX);
        self.oracle.lock().next(now_ms, count)
    }

    async fn keep(&self, bound_ms: u64) -> Result<(), Error> {
        let mut page = self.ledger.page();
        page.put_number(Number::TimestampBound, bound_ms);
        page.hand_in().await?;
        self.oracle.lock().extend(bound_ms);
        Ok(())
    }
}

fn failed(why: &str) -> Status {
    Status::new(Code::Unknown, format!("[PD:tso:ErrGenerateTimestamp]generate timestamp failed, {why}"))
}

impl Pd {
    /// A timestamp before which, or at which, all are that were handed out.
    pub(crate) fn last_timestamp(&self) -> Timestamp {
        self.tso.oracle.lock().last
    }

    /// Up to which time readers may ask any peer. All read the same rows, and mind the locks there.
    pub(crate) fn safe_ts(&self) -> u64 {
        let now = u64::try_from(self.clock.now().as_millis()).ok();
        now.and_then(|now| Timestamp::new(now, 0)).map_or(0, u64::from)
    }

    /// Timestamps, for one message of the stream.
    pub(crate) async fn tso(&self, request: pdpb::TsoRequest) -> Result<pdpb::TsoResponse, Status> {
        self.check(request.header.as_ref())?;
        let last = self.tso.next(request.count).await?;
        Ok(pdpb::TsoResponse { header: self.header(), count: request.count, timestamp: Some(last.into()) })
    }

    /// A timestamp before which all those to come are not.
    pub(crate) async fn get_min_ts(&self, request: pdpb::GetMinTsRequest) -> Result<pdpb::GetMinTsResponse, Status> {
        self.check(request.header.as_ref())?;
        let timestamp = self.tso.next(1).await?;
        Ok(pdpb::GetMinTsResponse { header: self.header(), timestamp: Some(timestamp.into()) })
    }
}
