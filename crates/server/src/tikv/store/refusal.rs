//! What was not done, and where clients of each method look for that.
//!
//! | refused | told in |
//! |---|---|
//! | the region is not here, or not as the request has it | `region_error` |
//! | a rule is broken | `error`; where a reply has none, as of a batch of gets or a scan, the only pair's `error.abort` |
//! | the same in a transaction | the error of a key: `error` or `errors`, with `abort`; of a scan, also the first pair's |
//! | the store failed | `error`; where a reply has none, `region_error` without a kind: an error of a pair passes for a row with some clients |
//! | the store failed in the middle of a transaction's write, which may be there after a restart | `region_error.undetermined_result` |
//! | the disk is full | `region_error.disk_full` |
//! | the answer is too large | alone, the status of the call; in a batch `region_error.raft_entry_too_large`, the one that is neither tried again nor passed over |
//! | another cluster is meant | the status of the call, or of the whole stream |

use charioteer_engine::raw::MAX_KEY_BYTES;
use charioteer_engine::{Error, Outcome};
use charioteer_proto::tikv::regional::RegionalReply;
use charioteer_proto::tikv::{errorpb, kvrpcpb, memcomparable};

use super::api::Rule;
use super::txn_errors;
use crate::backend;
use crate::grpc::{Code, Status};

/// Why a request was not done.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// The region is not here, or not as the request has it.
    Region(Box<errorpb::Error>),
    /// The request breaks a rule.
    Rule(Box<Rule>),
    /// The store failed.
    Store(Box<Failure>),
    /// The answer would have more bytes than may be sent.
    TooLarge { region_id: u64, most: usize },
    /// It is meant for another cluster.
    OtherCluster { asked: u64, ours: u64 },
}

/// How the store failed.
#[derive(Debug)]
pub(crate) enum Failure {
    DiskFull {
        why: String,
    },
    /// In the middle of a write, of which nobody knows whether it will be there.
    Undetermined {
        why: String,
    },
    Other {
        why: String,
    },
}

/// How a request came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    Alone,
    InBatch,
}

/// A reply that can say what was not done.
pub(crate) trait Refusable: RegionalReply + Sized {
    /// A rule is broken.
    fn against(rule: &Rule) -> Self;

    /// The store failed.
    fn failed(why: String) -> Self;

    /// The store failed, and what it was to write may be there all the same.
    fn undetermined(why: String) -> Self {
        Self::failed(why)
    }
}

impl Refusal {
    /// The reply that says so, or the status.
    pub(super) fn into_reply<T: Refusable>(self, way: Way) -> Result<T, Status> {
        match self {
            Self::Region(error) => Ok(T::refused(*error)),
            Self::Rule(rule) => Ok(T::against(&rule)),
            Self::Store(failure) => Ok(match *failure {
                Failure::DiskFull { why } => T::refused(disk_full(why)),
                Failure::Undetermined { why } => T::undetermined(why),
                Failure::Other { why } => T::failed(why),
            }),
            Self::TooLarge { region_id, most } if way == Way::InBatch => {
                Ok(T::refused(entry_too_large(region_id, most, too_large(most))))
            }
            other => Err(other.into_status()),
        }
    }

    /// The status that says so, for a call without a place for errors of regions.
    pub(super) fn into_status(self) -> Status {
        match self {
            Self::TooLarge { most, .. } => Status::new(Code::ResourceExhausted, too_large(most)),
            Self::OtherCluster { asked, ours } => {
                Status::invalid(format!("cluster of request={asked} does not match TiKV cluster id={ours}"))
            }
            Self::Region(error) => Status::new(Code::Unknown, error.message),
            Self::Rule(rule) => Status::new(Code::Unknown, rule.to_string()),
            Self::Store(failure) => match *failure {
                Failure::DiskFull { why } | Failure::Undetermined { why } | Failure::Other { why } => {
                    Status::new(Code::Unknown, why)
                }
            },
        }
    }
}

fn too_large(most: usize) -> String {
    format!("sent message larger than max (more than {most} vs. {most}): ask for less at a time")
}

impl From<errorpb::Error> for Refusal {
    fn from(error: errorpb::Error) -> Self {
        Self::Region(Box::new(error))
    }
}

impl From<Box<errorpb::Error>> for Refusal {
    fn from(error: Box<errorpb::Error>) -> Self {
        Self::Region(error)
    }
}

impl From<Rule> for Refusal {
    fn from(rule: Rule) -> Self {
        Self::Rule(Box::new(rule))
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        let why = error.to_string();
        let is_unknown = error.outcome() == Outcome::Unknown;
        Self::Store(Box::new(match error {
            Error::MvccKey { len } => {
                return Rule::KeyTooLarge { size: memcomparable::encoded_len(len), limit: MAX_KEY_BYTES }.into();
            }
            Error::DiskFull { .. } => Failure::DiskFull { why },
            _ if is_unknown => Failure::Undetermined { why },
            _ => Failure::Other { why },
        }))
    }
}

impl From<backend::Error> for Refusal {
    fn from(error: backend::Error) -> Self {
        match error {
            backend::Error::Store(error) => error.into(),
            other => Self::Store(Box::new(Failure::Other { why: other.to_string() })),
        }
    }
}

/// The error for what has more bytes than a region takes, or than an answer may have.
pub(super) fn entry_too_large(region_id: u64, entry_size: usize, message: String) -> errorpb::Error {
    let entry_size = entry_size.try_into().unwrap_or(u64::MAX);
    errorpb::Error {
        message,
        raft_entry_too_large: Some(errorpb::RaftEntryTooLarge { region_id, entry_size }),
        ..errorpb::Error::default()
    }
}

fn disk_full(reason: String) -> errorpb::Error {
    let message = reason.clone();
    errorpb::Error {
        message,
        disk_full: Some(errorpb::DiskFull { store_id: Vec::new(), reason }),
        ..errorpb::Error::default()
    }
}

fn undetermined(message: String) -> errorpb::Error {
    let undetermined_result = Some(errorpb::UndeterminedResult { message: message.clone() });
    errorpb::Error { message, undetermined_result, ..errorpb::Error::default() }
}

fn without_a_kind(message: String) -> errorpb::Error {
    errorpb::Error { message, ..errorpb::Error::default() }
}

macro_rules! with_error {
    ($($reply:ident)*) => {$(
        impl Refusable for kvrpcpb::$reply {
            fn against(rule: &Rule) -> Self {
                Self { error: rule.to_string(), ..Self::default() }
            }

            fn failed(why: String) -> Self {
                Self { error: why, ..Self::default() }
            }
        }
    )*};
}

macro_rules! with_pairs {
    ($($reply:ident . $pairs:ident)*) => {$(
        impl Refusable for kvrpcpb::$reply {
            fn against(rule: &Rule) -> Self {
                let abort = format!("Error({rule:?})");
                let error = Some(Box::new(kvrpcpb::KeyError { abort, ..kvrpcpb::KeyError::default() }));
                Self { $pairs: vec![kvrpcpb::KvPair { error, ..kvrpcpb::KvPair::default() }], ..Self::default() }
            }

            fn failed(why: String) -> Self {
                Self::refused(without_a_kind(why))
            }
        }
    )*};
}

macro_rules! with_region_error {
    ($($reply:ident)*) => {$(
        impl Refusable for kvrpcpb::$reply {
            fn against(rule: &Rule) -> Self {
                Self::refused(without_a_kind(rule.to_string()))
            }

            fn failed(why: String) -> Self {
                Self::refused(without_a_kind(why))
            }
        }
    )*};
}

/// What has one error of a key tells it there.
macro_rules! with_key_error {
    ($($reply:ident)*) => {$(
        impl Refusable for kvrpcpb::$reply {
            fn against(rule: &Rule) -> Self {
                Self { error: Some(Box::new(txn_errors::broken(rule))), ..Self::default() }
            }

            fn failed(why: String) -> Self {
                Self::refused(without_a_kind(why))
            }

            fn undetermined(why: String) -> Self {
                Self::refused(undetermined(why))
            }
        }
    )*};
}

/// What has errors of several keys has one then.
macro_rules! with_key_errors {
    ($($reply:ident)*) => {$(
        impl Refusable for kvrpcpb::$reply {
            fn against(rule: &Rule) -> Self {
                Self { errors: vec![txn_errors::broken(rule)], ..Self::default() }
            }

            fn failed(why: String) -> Self {
                Self::refused(without_a_kind(why))
            }

            fn undetermined(why: String) -> Self {
                Self::refused(undetermined(why))
            }
        }
    )*};
}

impl Refusable for kvrpcpb::ScanResponse {
    /// Also in a pair, where clients of old look.
    fn against(rule: &Rule) -> Self {
        txn_errors::refused_scan(txn_errors::broken(rule))
    }

    fn failed(why: String) -> Self {
        Self::refused(without_a_kind(why))
    }
}

with_error! {
    RawGetResponse RawPutResponse RawBatchPutResponse RawDeleteResponse RawBatchDeleteResponse RawDeleteRangeResponse
    RawGetKeyTtlResponse RawCasResponse RawChecksumResponse RawCoprocessorResponse UnsafeDestroyRangeResponse
    GetLockWaitInfoResponse DeleteRangeResponse PrepareFlashbackToVersionResponse FlashbackToVersionResponse
    MvccGetByKeyResponse MvccGetByStartTsResponse
}

with_pairs! { RawBatchGetResponse.pairs RawScanResponse.kvs RawBatchScanResponse.kvs }

with_key_error! {
    GetResponse BatchGetResponse BufferBatchGetResponse CommitResponse CleanupResponse BatchRollbackResponse
    TxnHeartBeatResponse CheckTxnStatusResponse CheckSecondaryLocksResponse ScanLockResponse ResolveLockResponse
    GcResponse
}

with_key_errors! { PrewriteResponse FlushResponse PessimisticLockResponse PessimisticRollbackResponse }

with_region_error! { SplitRegionResponse GetHealthFeedbackResponse }

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[test]
    fn a_commit_that_may_be_in_the_journal_is_not_told_as_one_that_was_not_made() {
        let (what, kind, message) = ("sync the journal".to_owned(), io::ErrorKind::Other, "I/O error".to_owned());
        let broken = || Error::Io { what: what.clone(), kind, message: message.clone() };
        assert_eq!(broken().outcome(), Outcome::Unknown);
        let committed: kvrpcpb::CommitResponse = Refusal::from(broken()).into_reply(Way::Alone).unwrap();
        assert!(committed.region_error.is_some_and(|error| error.undetermined_result.is_some()));
        let written: kvrpcpb::PrewriteResponse = Refusal::from(broken()).into_reply(Way::InBatch).unwrap();
        assert!(written.region_error.is_some_and(|error| error.undetermined_result.is_some()));
        let put: kvrpcpb::RawPutResponse = Refusal::from(broken()).into_reply(Way::Alone).unwrap();
        assert!(put.region_error.is_none() && put.error.contains("I/O error"));
    }
}
