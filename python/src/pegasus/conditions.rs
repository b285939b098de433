//! What rows must be like: filters and checks; and what is changed where they are.

use charioteer::pegasus;
use pyo3::prelude::*;

use crate::bridge::{Key, Seconds, Value};

/// Which keys are wanted: `Filter.prefix(b"2026-")`, `Filter.postfix(…)`, `Filter.anywhere(…)`.
#[pyclass(frozen, eq, module = "charioteer.pegasus")]
#[derive(PartialEq)]
pub(crate) struct Filter(pub(super) pegasus::Filter);

#[pymethods]
impl Filter {
    /// Keys in which the pattern stands somewhere.
    #[staticmethod]
    fn anywhere(pattern: Key) -> Self {
        Self(pegasus::Filter::anywhere(pattern))
    }

    /// Keys that begin with the pattern.
    #[staticmethod]
    fn prefix(pattern: Key) -> Self {
        Self(pegasus::Filter::prefix(pattern))
    }

    /// Keys that end with the pattern.
    #[staticmethod]
    fn postfix(pattern: Key) -> Self {
        Self(pegasus::Filter::postfix(pattern))
    }

    /// Whether a key is wanted.
    fn matches(&self, key: Key) -> bool {
        self.0.matches(key.as_ref())
    }

    fn __repr__(&self) -> String {
        format!("Filter.{:?}", self.0)
    }
}

/// What a row must be like for a write to be carried out.
#[pyclass(frozen, eq, module = "charioteer.pegasus")]
#[derive(PartialEq)]
pub(crate) struct Check(pub(super) pegasus::Check);

#[pymethods]
impl Check {
    /// Anything goes.
    #[staticmethod]
    fn always() -> Self {
        Self(pegasus::Check::Always)
    }

    /// There is no such row.
    #[staticmethod]
    fn not_exist() -> Self {
        Self(pegasus::Check::NotExist)
    }

    /// There is no such row, or its value is empty.
    #[staticmethod]
    fn not_exist_or_empty() -> Self {
        Self(pegasus::Check::NotExistOrEmpty)
    }

    /// There is such a row.
    #[staticmethod]
    fn exist() -> Self {
        Self(pegasus::Check::Exist)
    }

    /// There is such a row, and its value is not empty.
    #[staticmethod]
    fn not_empty() -> Self {
        Self(pegasus::Check::NotEmpty)
    }

    /// The value contains this.
    #[staticmethod]
    fn match_anywhere(operand: Value) -> Self {
        Self(pegasus::Check::MatchAnywhere(operand.0))
    }

    /// The value begins with this.
    #[staticmethod]
    fn match_prefix(operand: Value) -> Self {
        Self(pegasus::Check::MatchPrefix(operand.0))
    }

    /// The value ends with this.
    #[staticmethod]
    fn match_postfix(operand: Value) -> Self {
        Self(pegasus::Check::MatchPostfix(operand.0))
    }

    /// The value is less than this.
    #[staticmethod]
    fn bytes_less(operand: Value) -> Self {
        Self(pegasus::Check::BytesLess(operand.0))
    }

    /// The value is less than this, or the same.
    #[staticmethod]
    fn bytes_less_or_equal(operand: Value) -> Self {
        Self(pegasus::Check::BytesLessOrEqual(operand.0))
    }

    /// The value is this.
    #[staticmethod]
    fn bytes_equal(operand: Value) -> Self {
        Self(pegasus::Check::BytesEqual(operand.0))
    }

    /// The value is this, or greater.
    #[staticmethod]
    fn bytes_greater_or_equal(operand: Value) -> Self {
        Self(pegasus::Check::BytesGreaterOrEqual(operand.0))
    }

    /// The value is greater than this.
    #[staticmethod]
    fn bytes_greater(operand: Value) -> Self {
        Self(pegasus::Check::BytesGreater(operand.0))
    }

    /// The value is an integer less than this.
    #[staticmethod]
    fn int_less(operand: i64) -> Self {
        Self(pegasus::Check::IntLess(operand))
    }

    /// The value is an integer less than this, or the same.
    #[staticmethod]
    fn int_less_or_equal(operand: i64) -> Self {
        Self(pegasus::Check::IntLessOrEqual(operand))
    }

    /// The value is this integer.
    #[staticmethod]
    fn int_equal(operand: i64) -> Self {
        Self(pegasus::Check::IntEqual(operand))
    }

    /// The value is this integer, or a greater one.
    #[staticmethod]
    fn int_greater_or_equal(operand: i64) -> Self {
        Self(pegasus::Check::IntGreaterOrEqual(operand))
    }

    /// The value is an integer greater than this.
    #[staticmethod]
    fn int_greater(operand: i64) -> Self {
        Self(pegasus::Check::IntGreater(operand))
    }

    fn __repr__(&self) -> String {
        format!("Check.{:?}", self.0)
    }
}

/// One change of a `check_and_mutate`: `Mutation.set(sort_key, value)` or `Mutation.delete(sort_key)`.
#[pyclass(frozen, eq, module = "charioteer.pegasus")]
#[derive(PartialEq)]
pub(crate) struct Mutation(pegasus::Mutation);

impl Mutation {
    pub(super) fn all(mutations: &Bound<'_, PyAny>) -> PyResult<Vec<pegasus::Mutation>> {
        mutations.try_iter()?.map(|mutation| Ok(mutation?.cast::<Self>()?.get().0.clone())).collect()
    }
}

#[pymethods]
impl Mutation {
    /// Sets a row, which lives for `ttl` seconds, or for ever.
    #[staticmethod]
    #[pyo3(signature = (sort_key, value, *, ttl=None))]
    fn set(sort_key: Key, value: Value, ttl: Option<Seconds>) -> Self {
        Self(match ttl {
            Some(ttl) => pegasus::Mutation::set_ttl(sort_key, value, ttl.into()),
            None => pegasus::Mutation::set(sort_key, value),
        })
    }

    /// Deletes a row.
    #[staticmethod]
    fn delete(sort_key: Key) -> Self {
        Self(pegasus::Mutation::del(sort_key))
    }

    fn __repr__(&self) -> String {
        format!("Mutation.{:?}", self.0)
    }
}
