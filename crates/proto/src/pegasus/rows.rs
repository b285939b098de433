//! Many rows, which stay together in the message that they came in until each is wanted.

use alloc::vec::Vec;
use core::fmt;

use bytes::{BufMut, Bytes, BytesMut};

use super::data::KeyValue;
use super::thrift::{I32, LIST, Reader, STOP, STRUCT, Value};
use crate::DecodeError;

/// The headers of a row's fields.
const KEY: [u8; 3] = [Bytes::KIND, 0, 1];
const VALUE: [u8; 3] = [Bytes::KIND, 0, 2];
const EXPIRE_TS: [u8; 3] = [I32, 0, 3];

/// For so many bytes memory is taken before they are there.
const MAX_EXPECTED_BYTES: usize = 256 * 1024;

/// A list of rows. Reading it looks at each row once and takes no memory; iterating cuts the rows out, one by one.
///
/// ```
/// use charioteer_proto::pegasus::data::KeyValue;
/// use charioteer_proto::pegasus::rows::Rows;
///
/// let row = KeyValue { key: "key".into(), value: "value".into(), expire_ts_seconds: None };
/// let mut rows: Rows = [row.clone(), row.clone()].into_iter().collect();
/// assert!(rows.keys().eq([b"key", b"key"]));
/// assert_eq!((rows.next(), rows.len()), (Some(row), 1));
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Rows {
    /// The rows as they are on the wire: a key, a value and perhaps a time in each, and nothing else.
    bytes: Bytes,
    count: usize,
}

/// A row where it is.
struct Spans<'a> {
    key: &'a [u8],
    value: &'a [u8],
    expire_ts_seconds: Option<i32>,
}

impl Rows {
    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The keys of all rows, in the rows' order.
    pub fn keys(&self) -> impl Iterator<Item = &[u8]> {
        let mut rest = &self.bytes[..];
        core::iter::from_fn(move || take_row(&mut rest).map(|row| row.key))
    }

    /// Rows in another order of fields, or with fields that nobody knows here, are written anew.
    fn from_others(reader: &mut Reader) -> Result<Self, DecodeError> {
        Vec::<KeyValue>::read(reader).map(|rows| rows.into_iter().collect())
    }
}

impl Iterator for Rows {
    type Item = KeyValue;

    fn next(&mut self) -> Option<KeyValue> {
        let mut rest = &self.bytes[..];
        let Spans { key, value, expire_ts_seconds } = take_row(&mut rest)?;
        let row = KeyValue { key: self.bytes.slice_ref(key), value: self.bytes.slice_ref(value), expire_ts_seconds };
        let rest = rest.len();
        let _ = self.bytes.split_to(self.bytes.len() - rest);
        self.count -= 1;
        Some(row)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.count, Some(self.count))
    }
}

impl ExactSizeIterator for Rows {}

impl FromIterator<KeyValue> for Rows {
    fn from_iter<I: IntoIterator<Item = KeyValue>>(rows: I) -> Self {
        let (mut bytes, mut count) = (BytesMut::new(), 0);
        let mut rows = rows.into_iter();
        while let Some(row) = rows.next() {
            row.write(&mut bytes);
            count += 1;
            if count == 1 {
                // Rows of a table are mostly of a size.
                bytes.reserve(bytes.len().saturating_mul(rows.size_hint().0).min(MAX_EXPECTED_BYTES));
            }
        }
        Self { bytes: bytes.freeze(), count }
    }
}

impl fmt::Debug for Rows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.clone()).finish()
    }
}

impl Value for Rows {
    const KIND: u8 = LIST;
    const NAME: &'static str = "list";

    fn write(&self, out: &mut BytesMut) {
        out.put_u8(STRUCT);
        out.put_i32(i32::try_from(self.count).unwrap_or(i32::MAX));
        out.put_slice(&self.bytes);
    }

    fn read(reader: &mut Reader) -> Result<Self, DecodeError> {
        match length_of_list(reader.unread()) {
            Some((count, bytes)) => {
                reader.take(LIST_HEADER_BYTES)?;
                Ok(Self { bytes: reader.take(bytes)?, count })
            }
            None => Self::from_others(reader),
        }
    }
}

/// What stands before the rows: the type and their number.
const LIST_HEADER_BYTES: usize = 5;

/// How many rows there are and how many bytes they have, if they all are as expected.
fn length_of_list(bytes: &[u8]) -> Option<(usize, usize)> {
    let (header, rows) = bytes.split_at_checked(LIST_HEADER_BYTES)?;
    let (&STRUCT, count) = header.split_first()? else {
        return None;
    };
    let count = usize::try_from(i32::from_be_bytes(count.try_into().ok()?)).ok()?;
    let mut rest = rows;
    for _ in 0..count {
        take_row(&mut rest)?;
    }
    Some((count, rows.len() - rest.len()))
}

/// Takes a row off the front, if there is one with its fields in order and no others.
fn take_row<'a>(rest: &mut &'a [u8]) -> Option<Spans<'a>> {
    let (key, after) = take_counted(rest.strip_prefix(&KEY)?)?;
    let (value, mut after) = take_counted(after.strip_prefix(&VALUE)?)?;
    let mut expire_ts_seconds = None;
    if let Some(time) = after.strip_prefix(&EXPIRE_TS) {
        let (time, behind) = time.split_first_chunk()?;
        (expire_ts_seconds, after) = (Some(i32::from_be_bytes(*time)), behind);
    }
    *rest = after.strip_prefix(&[STOP])?;
    Some(Spans { key, value, expire_ts_seconds })
}

fn take_counted(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk()?;
    rest.split_at_checked(usize::try_from(i32::from_be_bytes(*length)).ok()?)
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::super::thrift::{decode, encode};
    use super::*;

    fn row(key: &'static str, expire_ts_seconds: Option<i32>) -> KeyValue {
        KeyValue { key: key.into(), value: "value".into(), expire_ts_seconds }
    }

    fn encoded<T: Value>(value: &T) -> BytesMut {
        let mut out = BytesMut::new();
        encode(value, &mut out);
        out
    }

    #[test]
    fn rows_are_on_the_wire_as_a_list_of_rows() {
        for list in [vec![], vec![row("a", None)], vec![row("a", Some(7)), row("", None), row("c", Some(-1))]] {
            let rows: Rows = list.iter().cloned().collect();
            assert_eq!(encoded(&rows), encoded(&list));
            let read: Rows = decode(encoded(&list).freeze()).unwrap();
            assert_eq!(read, rows);
            assert_eq!(read.keys().collect::<Vec<_>>(), list.iter().map(|row| &row.key[..]).collect::<Vec<_>>());
            assert_eq!(read.len(), list.len());
            assert_eq!(read.collect::<Vec<_>>(), list);
        }
    }

    #[test]
    fn fields_in_another_order_and_unknown_ones_are_read_too() {
        let odd = [LIST_OF_ONE, b"\x0c\0\x02\0\0\0\x01v\x08\0\x09\0\0\0\x07\x0c\0\x01\0\0\0\x01k\0"].concat();
        let read: Rows = decode(odd.into()).unwrap();
        let wanted = KeyValue { key: "k".into(), value: "v".into(), expire_ts_seconds: None };
        assert_eq!(read, Rows::from_iter([wanted]));
    }

    #[test]
    fn a_list_that_is_cut_short_or_lies_about_its_lengths_is_no_list_of_rows() {
        let whole = encoded(&vec![row("a", Some(7)), row("b", None)]).freeze();
        for end in 0..whole.len() {
            assert!(decode::<Rows>(whole.slice(..end)).is_err(), "{end}");
        }
        for wrong in [&b"\x0c\0\x01\x7f\xff\xff\xff"[..], b"\x0c\0\x01\xff\xff\xff\xffk\0", b"\x0c\0\x01\0\0\0\x01k"] {
            assert!(decode::<Rows>([LIST_OF_ONE, wrong].concat().into()).is_err(), "{wrong:?}");
        }
        assert!(decode::<Rows>(Bytes::from_static(b"\x0c\x7f\xff\xff\xff\0")).is_err(), "more rows than bytes");
    }

    const LIST_OF_ONE: &[u8] = b"\x0c\0\0\0\x01";
}
