//! Writes that depend on what is there.

use std::time::Duration;

use bytes::Bytes;
use charioteer_proto::pegasus::data::{
    CheckAndMutateRequest, CheckAndMutateResponse, CheckAndSetRequest, CheckAndSetResponse, Mutate, status,
};
use charioteer_proto::pegasus::{key, rpc};

use super::compression::decompressed;
use super::failure;
use super::routes::Place;
use super::table::{DataOperation, Table};
use super::time::expires_at;
use crate::error::{Error, ErrorKind, Failure};
use crate::exec::{Effect, Operation};

/// What a row must be like for a write to be carried out.
///
/// Comparisons are between the row's value and what is given here, in this order: `BytesLess("b")` passes when the value is less than
/// `b`. Bytes are compared one by one, and a value that begins another is the lesser. Integers are decimal, octal or hexadecimal as
/// `strtoll` reads them. All but `Always`, `NotExist` and `NotExistOrEmpty` fail when there is no row.
///
/// ```
/// use charioteer::pegasus::Check;
///
/// let check = Check::IntGreater(9);
/// assert_ne!(check, Check::BytesGreater("9".into()));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Check {
    /// Anything goes.
    Always,
    /// There is no such row.
    NotExist,
    /// There is no such row, or its value is empty.
    NotExistOrEmpty,
    /// There is such a row.
    Exist,
    /// There is such a row, and its value is not empty.
    NotEmpty,
    /// The value contains this.
    MatchAnywhere(Bytes),
    /// The value begins with this.
    MatchPrefix(Bytes),
    /// The value ends with this.
    MatchPostfix(Bytes),
    /// The value is less than this.
    BytesLess(Bytes),
    /// The value is less than this, or the same.
    BytesLessOrEqual(Bytes),
    /// The value is this.
    BytesEqual(Bytes),
    /// The value is this, or greater.
    BytesGreaterOrEqual(Bytes),
    /// The value is greater than this.
    BytesGreater(Bytes),
    /// The value is an integer less than this.
    IntLess(i64),
    /// The value is an integer less than this, or the same.
    IntLessOrEqual(i64),
    /// The value is this integer.
    IntEqual(i64),
    /// The value is this integer, or a greater one.
    IntGreaterOrEqual(i64),
    /// The value is an integer greater than this.
    IntGreater(i64),
}

impl Check {
    /// The number of its type in `rrdb.thrift`, and its operand.
    fn on_the_wire(self) -> (i32, Bytes) {
        let integer = |operand: i64| Bytes::from(operand.to_string());
        match self {
            Self::Always => (0, Bytes::new()),
            Self::NotExist => (1, Bytes::new()),
            Self::NotExistOrEmpty => (2, Bytes::new()),
            Self::Exist => (3, Bytes::new()),
            Self::NotEmpty => (4, Bytes::new()),
            Self::MatchAnywhere(operand) => (5, operand),
            Self::MatchPrefix(operand) => (6, operand),
            Self::MatchPostfix(operand) => (7, operand),
            Self::BytesLess(operand) => (8, operand),
            Self::BytesLessOrEqual(operand) => (9, operand),
            Self::BytesEqual(operand) => (10, operand),
            Self::BytesGreaterOrEqual(operand) => (11, operand),
            Self::BytesGreater(operand) => (12, operand),
            Self::IntLess(operand) => (13, integer(operand)),
            Self::IntLessOrEqual(operand) => (14, integer(operand)),
            Self::IntEqual(operand) => (15, integer(operand)),
            Self::IntGreaterOrEqual(operand) => (16, integer(operand)),
            Self::IntGreater(operand) => (17, integer(operand)),
        }
    }

    fn compares_integers(&self) -> bool {
        matches!(
            self,
            Self::IntLess(_)
                | Self::IntLessOrEqual(_)
                | Self::IntEqual(_)
                | Self::IntGreaterOrEqual(_)
                | Self::IntGreater(_)
        )
    }
}

/// How a checked write is carried out.
///
/// ```
/// use charioteer::pegasus::CheckOptions;
///
/// let mut options = CheckOptions::default();
/// options.return_check_value = true;
/// assert_eq!(options.ttl, None);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CheckOptions {
    /// How long the row that is set lives, rounded up to whole seconds; a row that did expire and is set without one does not any
    /// more. A check_and_mutate has this in its mutations instead. Default `None`, for ever.
    pub ttl: Option<Duration>,
    /// Whether the value that was checked comes back. Default no.
    pub return_check_value: bool,
}

/// What became of a checked write.
///
/// ```
/// use charioteer::pegasus::CheckResult;
///
/// let result = CheckResult { applied: false, check_value: Some(None) };
/// assert!(result.check_value.unwrap().is_none(), "the row was asked for, and there is none");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckResult {
    /// Whether the check passed, so that the write was carried out.
    pub applied: bool,
    /// Where it was asked for: the value that was checked, or `None` inside when there was no row.
    pub check_value: Option<Option<Bytes>>,
}

/// What became of a compare_exchange.
///
/// ```
/// use charioteer::pegasus::CompareExchangeResult;
///
/// let result = CompareExchangeResult { exchanged: false, actual: Some("other".into()) };
/// assert!(!result.exchanged);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompareExchangeResult {
    /// Whether the row was what was expected, and is now what was desired.
    pub exchanged: bool,
    /// What the row was before.
    pub actual: Option<Bytes>,
}

/// One change of a check_and_mutate.
///
/// ```
/// use std::time::Duration;
/// use charioteer::pegasus::Mutation;
///
/// let changes = [Mutation::set("city", "Paris"), Mutation::del("town")];
/// let for_a_while = Mutation::set_ttl("city", "Paris", Duration::from_secs(60));
/// assert_ne!(changes[0], for_a_while);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Mutation {
    /// Sets a row.
    Set {
        /// Which.
        sort_key: Bytes,
        /// To what.
        value: Bytes,
        /// For how long, rounded up to whole seconds; `None` is for ever.
        ttl: Option<Duration>,
    },
    /// Deletes a row.
    Del {
        /// Which.
        sort_key: Bytes,
    },
}

impl Mutation {
    /// Sets a row, which does not expire.
    pub fn set(sort_key: impl AsRef<[u8]>, value: impl Into<Bytes>) -> Self {
        Self::Set { sort_key: Bytes::copy_from_slice(sort_key.as_ref()), value: value.into(), ttl: None }
    }

    /// Sets a row that lives so long.
    pub fn set_ttl(sort_key: impl AsRef<[u8]>, value: impl Into<Bytes>, ttl: Duration) -> Self {
        Self::Set { sort_key: Bytes::copy_from_slice(sort_key.as_ref()), value: value.into(), ttl: Some(ttl) }
    }

    /// Deletes a row.
    pub fn del(sort_key: impl AsRef<[u8]>) -> Self {
        Self::Del { sort_key: Bytes::copy_from_slice(sort_key.as_ref()) }
    }

    fn on_the_wire(self, table: &Table) -> Result<Mutate, Error> {
        Ok(match self {
            Self::Set { sort_key, value, ttl } => Mutate {
                operation: 0,
                sort_key,
                value: table.stored(value),
                set_expire_ts_seconds: expires_at(CheckAndMutate::NAME, ttl)?,
            },
            Self::Del { sort_key } => Mutate { operation: 1, sort_key, ..Mutate::default() },
        })
    }
}

impl Table {
    /// Sets a row of a hash key if a row of it, the same or another, passes a check. Nothing comes between the two.
    ///
    /// Where values are compressed, checks of a value's bytes look at the compressed ones.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] when integers are compared and the row is none; then nothing has changed. Otherwise as
    /// [`set`](Self::set); it is not tried again where it may have been carried out.
    pub async fn check_and_set(
        &self,
        hash_key: impl AsRef<[u8]>,
        check_sort_key: impl AsRef<[u8]>,
        check: Check,
        set_sort_key: impl AsRef<[u8]>,
        value: impl Into<Bytes>,
    ) -> Result<CheckResult, Error> {
        let options = CheckOptions::default();
        self.check_and_set_with(hash_key, check_sort_key, check, set_sort_key, value, options).await
    }

    /// The same with options.
    ///
    /// # Errors
    /// As [`check_and_set`](Self::check_and_set); and when the time to live is nothing, or ends after 2084.
    pub async fn check_and_set_with(
        &self,
        hash_key: impl AsRef<[u8]>,
        check_sort_key: impl AsRef<[u8]>,
        check: Check,
        set_sort_key: impl AsRef<[u8]>,
        value: impl Into<Bytes>,
        options: CheckOptions,
    ) -> Result<CheckResult, Error> {
        let (hash_key, check_sort_key) = (hash_key.as_ref(), check_sort_key.as_ref());
        self.check_hash_key(CheckAndSet::NAME, hash_key)?;
        let set_sort_key = Bytes::copy_from_slice(set_sort_key.as_ref());
        let integers = check.compares_integers();
        let (check_type, check_operand) = check.on_the_wire();
        let request = CheckAndSetRequest {
            hash_key: Bytes::copy_from_slice(hash_key),
            check_sort_key: Bytes::copy_from_slice(check_sort_key),
            check_type,
            check_operand,
            set_diff_sort_key: set_sort_key != check_sort_key,
            set_sort_key,
            set_value: self.stored(value.into()),
            set_expire_ts_seconds: expires_at(CheckAndSet::NAME, options.ttl)?,
            return_check_value: options.return_check_value,
        };
        let result = self.run(&CheckAndSet { hash: key::crc64(hash_key), integers, request }).await?;
        self.readable(CheckAndSet::NAME, result)
    }

    /// Changes rows of a hash key, all of them and in this order, if a row of it passes a check. Nothing comes between.
    ///
    /// # Errors
    /// As [`check_and_set`](Self::check_and_set); and when there are no mutations, or the options have a time to live, which belongs to
    /// the mutations here.
    pub async fn check_and_mutate(
        &self,
        hash_key: impl AsRef<[u8]>,
        check_sort_key: impl AsRef<[u8]>,
        check: Check,
        mutations: impl IntoIterator<Item = Mutation>,
        options: CheckOptions,
    ) -> Result<CheckResult, Error> {
        let hash_key = hash_key.as_ref();
        self.check_hash_key(CheckAndMutate::NAME, hash_key)?;
        if options.ttl.is_some() {
            return Err(
                self.invalid(CheckAndMutate::NAME, "a time to live is given to each mutation, not to all of them")
            );
        }
        let mutate_list =
            mutations.into_iter().map(|mutation| mutation.on_the_wire(self)).collect::<Result<Vec<_>, _>>()?;
        if mutate_list.is_empty() {
            return Err(self.invalid(CheckAndMutate::NAME, "there are no mutations"));
        }
        let integers = check.compares_integers();
        let (check_type, check_operand) = check.on_the_wire();
        let request = CheckAndMutateRequest {
            hash_key: Bytes::copy_from_slice(hash_key),
            check_sort_key: Bytes::copy_from_slice(check_sort_key.as_ref()),
            check_type,
            check_operand,
            mutate_list,
            return_check_value: options.return_check_value,
        };
        let result = self.run(&CheckAndMutate { hash: key::crc64(hash_key), integers, request }).await?;
        self.readable(CheckAndMutate::NAME, result)
    }

    /// Sets a row if its value is what is expected, `None` standing for no row.
    ///
    /// # Errors
    /// As [`set`](Self::set); it is not tried again where it may have been carried out.
    pub async fn compare_exchange(
        &self,
        hash_key: impl AsRef<[u8]>,
        sort_key: impl AsRef<[u8]>,
        expected: Option<impl Into<Bytes>>,
        desired: impl Into<Bytes>,
        ttl: Option<Duration>,
    ) -> Result<CompareExchangeResult, Error> {
        let (sort_key, desired) = (sort_key.as_ref(), self.stored(desired.into()));
        let expected: Option<Bytes> = expected.map(Into::into);
        let mut stored = expected.clone().map(|expected| self.stored(expected));
        let options = CheckOptions { ttl, return_check_value: true };
        let as_stored = self.clone().with_compression(false);
        loop {
            let check = stored.clone().map_or(Check::NotExist, Check::BytesEqual);
            let exchange = as_stored.check_and_set_with(&hash_key, sort_key, check, sort_key, desired.clone(), options);
            let result = exchange.await?;
            let found = result.check_value.clone().flatten();
            let CheckResult { applied, check_value } = self.readable(CheckAndSet::NAME, result)?;
            let actual = check_value.flatten();
            // The same value may be stored in another form: not compressed, or by another compressor.
            if applied || actual != expected || found == stored {
                return Ok(CompareExchangeResult { exchanged: applied, actual });
            }
            stored = found;
        }
    }

    fn readable(&self, operation: &'static str, mut result: CheckResult) -> Result<CheckResult, Error> {
        if self.terms.compression
            && let Some(Some(value)) = result.check_value
        {
            // The write is done, whatever the value was before.
            let value = decompressed(value)
                .map_err(|failure| Error::from(failure.unknown()).during(operation).on(&self.shared.name))?;
            result.check_value = Some(Some(value));
        }
        Ok(result)
    }
}

/// What a reply to a checked write says. The same code stands for a value that is no integer and for arguments that make no sense.
fn result(error: i32, integers: bool, check_value: Option<Option<Bytes>>) -> Result<CheckResult, Failure> {
    match error {
        status::OK => Ok(CheckResult { applied: true, check_value }),
        status::TRY_AGAIN => Ok(CheckResult { applied: false, check_value }),
        status::INVALID_ARGUMENT if integers => {
            let message = "the row's value is no integer, and can't be compared with one";
            Err(Failure::new(ErrorKind::InvalidArgument, message).code("InvalidArgument"))
        }
        code => Err(failure::status(code)),
    }
}

struct CheckAndSet {
    hash: u64,
    integers: bool,
    request: CheckAndSetRequest,
}

impl Operation for CheckAndSet {
    const NAME: &'static str = "check_and_set";
    const EFFECT: Effect = Effect::Changes;
    type Reply = CheckResult;
}

impl DataOperation for CheckAndSet {
    type Rpc = rpc::CheckAndSet;

    fn place(&self) -> Place {
        Place::Hash(self.hash)
    }

    fn request(&self) -> &CheckAndSetRequest {
        &self.request
    }

    fn bytes(&self) -> usize {
        let CheckAndSetRequest { hash_key, check_sort_key, check_operand, set_sort_key, set_value, .. } = &self.request;
        [hash_key, check_sort_key, check_operand, set_sort_key, set_value].into_iter().map(Bytes::len).sum()
    }

    fn reply(&self, reply: CheckAndSetResponse) -> Result<CheckResult, Failure> {
        let value = reply.check_value_exist.then_some(reply.check_value);
        result(reply.error, self.integers, reply.check_value_returned.then_some(value))
    }
}

struct CheckAndMutate {
    hash: u64,
    integers: bool,
    request: CheckAndMutateRequest,
}

impl Operation for CheckAndMutate {
    const NAME: &'static str = "check_and_mutate";
    const EFFECT: Effect = Effect::Changes;
    type Reply = CheckResult;
}

impl DataOperation for CheckAndMutate {
    type Rpc = rpc::CheckAndMutate;

    fn place(&self) -> Place {
        Place::Hash(self.hash)
    }

    fn request(&self) -> &CheckAndMutateRequest {
        &self.request
    }

    fn bytes(&self) -> usize {
        let mutations = self.request.mutate_list.iter().map(|change| change.sort_key.len() + change.value.len());
        self.request.hash_key.len() + self.request.check_operand.len() + mutations.sum::<usize>()
    }

    fn reply(&self, reply: CheckAndMutateResponse) -> Result<CheckResult, Failure> {
        let value = reply.check_value_exist.then_some(reply.check_value);
        result(reply.error, self.integers, reply.check_value_returned.then_some(value))
    }
}
