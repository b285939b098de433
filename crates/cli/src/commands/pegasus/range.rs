//! Verbs on a range of a hash key's rows.

use bytes::Bytes;
use charioteer::pegasus::{DelRangeOptions, Filter};
use clap::{ArgAction, Args};

use super::multi::Amount;
use super::place::Place;
use super::words;
use crate::exit::{Ended, Failure};
use crate::output::{Output, escape};

/// Where a range begins and ends, and what is taken of it.
#[derive(Args)]
pub(super) struct Range {
    /// The sort key at which it begins; without it, at the first.
    #[arg(value_parser = escape::read, allow_negative_numbers = true, default_value = "", hide_default_value = true)]
    pub(super) start: Bytes,

    /// The sort key at which it ends; without it, or when it is empty, behind the last.
    #[arg(value_parser = escape::read, allow_negative_numbers = true, default_value = "", hide_default_value = true)]
    pub(super) stop: Bytes,

    /// Whether the row at the start belongs to it.
    #[arg(long, value_name = "true|false", action = ArgAction::Set, default_value_t = true)]
    #[arg(num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub(super) start_inclusive: bool,

    /// Whether the row at the stop belongs to it.
    #[arg(long, value_name = "true|false", action = ArgAction::Set, default_value_t = false)]
    #[arg(num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub(super) stop_inclusive: bool,

    /// Only sort keys that match.
    #[arg(long, value_name = "anywhere:TEXT|prefix:TEXT|postfix:TEXT", value_parser = words::filter)]
    pub(super) filter: Option<Filter>,
}

#[derive(Args)]
pub(crate) struct MultiGetRange {
    /// The hash key.
    #[arg(value_parser = escape::read, allow_negative_numbers = true)]
    hash_key: Bytes,

    #[command(flatten)]
    range: Range,

    #[command(flatten)]
    amount: Amount,

    /// Takes the last rows of the range instead of the first; they come in ascending order all the same.
    #[arg(long)]
    reverse: bool,
}

impl MultiGetRange {
    pub(super) async fn run(self, place: &Place, output: &mut Output<'_>) -> Result<Ended, Failure> {
        let Range { start, stop, start_inclusive, stop_inclusive, filter } = self.range;
        let mut options = self.amount.options();
        options.start_inclusive = start_inclusive;
        options.stop_inclusive = stop_inclusive;
        options.filter = filter.unwrap_or_default();
        options.reverse = self.reverse;
        let found = place.table().await?.multi_get_range_with(self.hash_key, start, stop, &options).await?;
        self.amount.tell(found, output)?;
        Ok(Ended::Done)
    }
}

#[derive(Args)]
pub(crate) struct DelRange {
    /// The hash key.
    #[arg(value_parser = escape::read, allow_negative_numbers = true)]
    hash_key: Bytes,

    #[command(flatten)]
    range: Range,
}

impl DelRange {
    pub(super) async fn run(self, place: &Place, output: &mut Output<'_>) -> Result<Ended, Failure> {
        let Range { start, stop, start_inclusive, stop_inclusive, filter } = self.range;
        let mut options = DelRangeOptions::default();
        options.start_inclusive = start_inclusive;
        options.stop_inclusive = stop_inclusive;
        options.filter = filter.unwrap_or_default();
        let deleted = place.table().await?.del_range_with(self.hash_key, start, stop, &options).await?;
        output.fact("deleted", deleted)?;
        Ok(Ended::Done)
    }
}
