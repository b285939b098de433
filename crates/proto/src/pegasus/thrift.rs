//! Thrift's binary protocol: how values, structs and containers stand on the wire.
//!
//! All integers are big-endian. A struct is a sequence of fields, each a type byte, an `i16` id and the value, ended by a zero byte.
//! Readers take fields in any order, keep the default for those that are missing, and pass over those they do not know, as the
//! generated code of the original does. The one exception are unknown fields of struct type, see [`special`](super::special).

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use bytes::{Buf, BufMut, Bytes, BytesMut};

use crate::{DecodeError, DecodeFailure};

/// How deep the values of unknown fields may be nested; no message of the protocol goes beyond four.
const MAX_DEPTH: usize = 16;

/// How much memory the elements of all containers of a message may take together: this many bytes for each byte of the message,
/// and some to spare. An empty struct is one byte on the wire and more than 200 in memory, so that the number of bytes alone would
/// let a message take hundreds of times its size. Elements that say anything take up to 12 times theirs: a row of a batch with
/// one empty field is 8 bytes on the wire and 96 in memory.
const ROOM_PER_BYTE: usize = 16;
const SPARE_ROOM: usize = 4096;

pub(super) const STOP: u8 = 0;
const BOOL: u8 = 2;
const BYTE: u8 = 3;
const DOUBLE: u8 = 4;
const I16: u8 = 6;
pub(super) const I32: u8 = 8;
const I64: u8 = 10;
pub(super) const STRING: u8 = 11;
pub(super) const STRUCT: u8 = 12;
const MAP: u8 = 13;
const SET: u8 = 14;
pub(super) const LIST: u8 = 15;

/// A value that stands behind a field header or inside a container.
pub trait Value: Sized {
    /// Its type byte.
    const KIND: u8;
    /// Its name in error messages.
    const NAME: &'static str;

    /// Appends the value, without its type byte.
    fn write(&self, out: &mut BytesMut);

    /// Reads the value.
    ///
    /// # Errors
    /// When the bytes are not such a value.
    fn read(reader: &mut Reader) -> Result<Self, DecodeError>;
}

/// A field of a struct: written always, or (as an `Option`) when it has a value.
pub trait Field {
    /// Appends the field with its header.
    fn write_field(&self, id: i16, out: &mut BytesMut);

    /// Reads the value behind a header of the type `kind`; says `false`, having read nothing, where the type is another one.
    ///
    /// # Errors
    /// When the bytes are not such a value.
    fn read_field(&mut self, kind: u8, reader: &mut Reader) -> Result<bool, DecodeError>;
}

impl<T: Value> Field for T {
    fn write_field(&self, id: i16, out: &mut BytesMut) {
        out.put_u8(T::KIND);
        out.put_i16(id);
        self.write(out);
    }

    fn read_field(&mut self, kind: u8, reader: &mut Reader) -> Result<bool, DecodeError> {
        if kind != T::KIND {
            return Ok(false);
        }
        *self = T::read(reader)?;
        Ok(true)
    }
}

impl<T: Value> Field for Option<T> {
    fn write_field(&self, id: i16, out: &mut BytesMut) {
        if let Some(value) = self {
            value.write_field(id, out);
        }
    }

    fn read_field(&mut self, kind: u8, reader: &mut Reader) -> Result<bool, DecodeError> {
        if kind != T::KIND {
            return Ok(false);
        }
        *self = Some(T::read(reader)?);
        Ok(true)
    }
}

/// Reads one value from the whole of `bytes`.
///
/// # Errors
/// When the bytes are not such a value, or more than that.
pub fn decode<T: Value>(bytes: Bytes) -> Result<T, DecodeError> {
    let mut reader = Reader::new(bytes, T::NAME);
    let value = T::read(&mut reader)?;
    reader.finish()?;
    Ok(value)
}

/// Appends one value, without its type byte.
pub fn encode<T: Value>(value: &T, out: &mut BytesMut) {
    value.write(out);
}

/// Appends the end of a struct.
pub(super) fn write_stop(out: &mut BytesMut) {
    out.put_u8(STOP);
}

/// Appends bytes behind their length.
pub(super) fn write_counted(bytes: &[u8], out: &mut BytesMut) {
    // The protocol counts in 32 signed bits. No value can be longer than a frame, and frames are bounded far below that.
    out.put_i32(i32::try_from(bytes.len()).unwrap_or(i32::MAX));
    out.put_slice(bytes);
}

/// Reads values from a message, handing out slices of it instead of copies.
#[derive(Debug)]
pub struct Reader {
    rest: Bytes,
    length: usize,
    what: &'static str,
    /// The memory that is left for the elements of containers.
    room: usize,
}

impl Reader {
    /// Reads `bytes`; errors speak of `what` until a struct says its own name.
    #[must_use]
    pub const fn new(bytes: Bytes, what: &'static str) -> Self {
        let length = bytes.len();
        let room = length.saturating_mul(ROOM_PER_BYTE).saturating_add(SPARE_ROOM);
        Self { rest: bytes, length, what, room }
    }

    /// How many bytes have been read.
    #[must_use]
    pub fn offset(&self) -> usize {
        self.length - self.rest.len()
    }

    /// How many bytes are left.
    #[must_use]
    pub fn remaining(&self) -> usize {
        self.rest.len()
    }

    /// Runs `read` with errors speaking of `what`.
    pub(super) fn within<T>(
        &mut self,
        what: &'static str,
        read: impl FnOnce(&mut Self) -> Result<T, DecodeError>,
    ) -> Result<T, DecodeError> {
        let outer = core::mem::replace(&mut self.what, what);
        let value = read(self)?;
        self.what = outer;
        Ok(value)
    }

    pub(super) fn fail(&self, failure: DecodeFailure) -> DecodeError {
        DecodeError { what: self.what, offset: self.offset(), failure }
    }

    pub(super) fn finish(&self) -> Result<(), DecodeError> {
        match self.rest.len() {
            0 => Ok(()),
            count => Err(self.fail(DecodeFailure::Trailing(count))),
        }
    }

    /// What has not been read.
    pub(super) fn unread(&self) -> &[u8] {
        &self.rest
    }

    pub(super) fn rest(self) -> Bytes {
        self.rest
    }

    fn need(&self, count: usize) -> Result<(), DecodeError> {
        if self.rest.len() < count { Err(self.fail(DecodeFailure::CutShort)) } else { Ok(()) }
    }

    pub(super) fn u8(&mut self) -> Result<u8, DecodeError> {
        self.need(1)?;
        Ok(self.rest.get_u8())
    }

    pub(super) fn i16(&mut self) -> Result<i16, DecodeError> {
        self.need(2)?;
        Ok(self.rest.get_i16())
    }

    pub(super) fn i32(&mut self) -> Result<i32, DecodeError> {
        self.need(4)?;
        Ok(self.rest.get_i32())
    }

    pub(super) fn i64(&mut self) -> Result<i64, DecodeError> {
        self.need(8)?;
        Ok(self.rest.get_i64())
    }

    pub(super) fn take(&mut self, count: usize) -> Result<Bytes, DecodeError> {
        self.need(count)?;
        Ok(self.rest.split_to(count))
    }

    pub(super) fn counted(&mut self) -> Result<Bytes, DecodeError> {
        let length = self.i32()?;
        match usize::try_from(length) {
            Ok(count) if count <= self.rest.len() => Ok(self.rest.split_to(count)),
            Ok(_) => Err(self.fail(DecodeFailure::CutShort)),
            Err(_) => Err(self.fail(DecodeFailure::Length(length.into()))),
        }
    }

    /// The next field's type and id, or `None` at the end of the struct.
    pub(super) fn field(&mut self) -> Result<Option<(u8, i16)>, DecodeError> {
        match self.u8()? {
            STOP => Ok(None),
            kind => Ok(Some((kind, self.i16()?))),
        }
    }

    /// The number of elements of a container, each of which takes at least one byte.
    fn count(&mut self) -> Result<usize, DecodeError> {
        let count = self.i32()?;
        match usize::try_from(count) {
            Ok(count) if count <= self.rest.len() => Ok(count),
            _ => Err(self.fail(DecodeFailure::Length(count.into()))),
        }
    }

    /// The number of elements of a container in which each takes `element_bytes` of memory.
    fn count_to_keep(&mut self, element_bytes: usize) -> Result<usize, DecodeError> {
        let count = self.count()?;
        match count.checked_mul(element_bytes).and_then(|bytes| self.room.checked_sub(bytes)) {
            Some(room) => {
                self.room = room;
                Ok(count)
            }
            None => Err(self.fail(DecodeFailure::Length(i64::try_from(count).unwrap_or(i64::MAX)))),
        }
    }

    /// Passes over the value of an unknown field.
    pub(super) fn skip_field(&mut self, kind: u8, id: i16) -> Result<(), DecodeError> {
        if kind == STRUCT {
            return Err(self.fail(DecodeFailure::UnskippableField(id)));
        }
        self.skip(kind, MAX_DEPTH)
    }

    fn skip(&mut self, kind: u8, depth: usize) -> Result<(), DecodeError> {
        let Some(depth) = depth.checked_sub(1) else {
            return Err(self.fail(DecodeFailure::TooDeep));
        };
        match kind {
            BOOL | BYTE => self.advance(1),
            I16 => self.advance(2),
            I32 => self.advance(4),
            I64 | DOUBLE => self.advance(8),
            STRING => self.counted().map(drop),
            LIST | SET => {
                let element = self.u8()?;
                let count = self.count()?;
                (0..count).try_for_each(|_| self.skip(element, depth))
            }
            MAP => {
                let (key, value) = (self.u8()?, self.u8()?);
                let count = self.count()?;
                (0..count).try_for_each(|_| {
                    self.skip(key, depth)?;
                    self.skip(value, depth)
                })
            }
            STRUCT => Err(self.fail(DecodeFailure::UnskippableField(0))),
            other => Err(self.fail(DecodeFailure::UnknownType(other))),
        }
    }

    fn advance(&mut self, count: usize) -> Result<(), DecodeError> {
        self.need(count)?;
        self.rest.advance(count);
        Ok(())
    }
}

impl Value for bool {
    const KIND: u8 = BOOL;
    const NAME: &'static str = "bool";

    fn write(&self, out: &mut BytesMut) {
        out.put_u8(u8::from(*self));
    }

    fn read(reader: &mut Reader) -> Result<Self, DecodeError> {
        Ok(reader.u8()? != 0)
    }
}

impl Value for i32 {
    const KIND: u8 = I32;
    const NAME: &'static str = "i32";

    fn write(&self, out: &mut BytesMut) {
        out.put_i32(*self);
    }

    fn read(reader: &mut Reader) -> Result<Self, DecodeError> {
        reader.i32()
    }
}

impl Value for i64 {
    const KIND: u8 = I64;
    const NAME: &'static str = "i64";

    fn write(&self, out: &mut BytesMut) {
        out.put_i64(*self);
    }

    fn read(reader: &mut Reader) -> Result<Self, DecodeError> {
        reader.i64()
    }
}

fn write_elements<'a, T: Value + 'a>(elements: impl Iterator<Item = &'a T>, count: usize, out: &mut BytesMut) {
    out.put_u8(T::KIND);
    out.put_i32(i32::try_from(count).unwrap_or(i32::MAX));
    for element in elements {
        element.write(out);
    }
}

impl<T: Value> Value for Vec<T> {
    const KIND: u8 = LIST;
    const NAME: &'static str = "list";

    fn write(&self, out: &mut BytesMut) {
        write_elements(self.iter(), self.len(), out);
    }

    fn read(reader: &mut Reader) -> Result<Self, DecodeError> {
        let kind = reader.u8()?;
        let count = reader.count_to_keep(size_of::<T>())?;
        if kind != T::KIND && count > 0 {
            return Err(reader.fail(DecodeFailure::UnknownType(kind)));
        }
        let mut elements = Self::with_capacity(count);
        for _ in 0..count {
            elements.push(T::read(reader)?);
        }
        Ok(elements)
    }
}

impl<T: Value + Ord> Value for BTreeSet<T> {
    const KIND: u8 = SET;
    const NAME: &'static str = "set";

    fn write(&self, out: &mut BytesMut) {
        write_elements(self.iter(), self.len(), out);
    }

    fn read(reader: &mut Reader) -> Result<Self, DecodeError> {
        Vec::read(reader).map(|elements| elements.into_iter().collect())
    }
}

impl<K: Value + Ord, V: Value> Value for BTreeMap<K, V> {
    const KIND: u8 = MAP;
    const NAME: &'static str = "map";

    fn write(&self, out: &mut BytesMut) {
        out.put_u8(K::KIND);
        out.put_u8(V::KIND);
        out.put_i32(i32::try_from(self.len()).unwrap_or(i32::MAX));
        for (key, value) in self {
            key.write(out);
            value.write(out);
        }
    }

    fn read(reader: &mut Reader) -> Result<Self, DecodeError> {
        let (key_kind, value_kind) = (reader.u8()?, reader.u8()?);
        // The nodes of a tree are full by half.
        let count = reader.count_to_keep(2 * size_of::<(K, V)>())?;
        let mut map = Self::new();
        if count == 0 {
            // An empty map may come without its types.
            return Ok(map);
        }
        for (kind, expected) in [(key_kind, K::KIND), (value_kind, V::KIND)] {
            if kind != expected {
                return Err(reader.fail(DecodeFailure::UnknownType(kind)));
            }
        }
        for _ in 0..count {
            let key = K::read(reader)?;
            map.insert(key, V::read(reader)?);
        }
        Ok(map)
    }
}

/// Declares structs as the IDL does: field id, name, type, and the default where that is not the type's own. An `Option` is what the
/// IDL calls optional; everything else is always written and may be missing when read.
macro_rules! thrift_structs {
    (@default) => { Default::default() };
    (@default $value:expr) => { $value };
    ($(
        $(#[$meta:meta])*
        $name:ident = $idl:literal {
            $($(#[$field_meta:meta])* $id:literal $field:ident: $type:ty $(= $default:expr)?,)*
        }
    )*) => {$(
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        #[allow(missing_docs, reason = "fields are documented where their name does not say it all")]
        pub struct $name {
            $($(#[$field_meta])* pub $field: $type,)*
        }

        impl Default for $name {
            fn default() -> Self {
                Self { $($field: $crate::pegasus::thrift::thrift_structs!(@default $($default)?),)* }
            }
        }

        impl $crate::pegasus::thrift::Value for $name {
            const KIND: u8 = $crate::pegasus::thrift::STRUCT;
            const NAME: &'static str = $idl;

            #[allow(unused_variables, reason = "an empty struct has nothing to write")]
            fn write(&self, out: &mut bytes::BytesMut) {
                $($crate::pegasus::thrift::Field::write_field(&self.$field, $id, out);)*
                $crate::pegasus::thrift::write_stop(out);
            }

            fn read(reader: &mut $crate::pegasus::thrift::Reader) -> Result<Self, $crate::DecodeError> {
                #[allow(unused_mut, reason = "an empty struct has nothing to set")]
                let mut value = Self::default();
                reader.within($idl, |reader| {
                    while let Some((kind, id)) = reader.field()? {
                        let known = match id {
                            $($id => $crate::pegasus::thrift::Field::read_field(&mut value.$field, kind, reader)?,)*
                            _ => false,
                        };
                        if !known {
                            reader.skip_field(kind, id)?;
                        }
                    }
                    Ok(())
                })?;
                Ok(value)
            }
        }
    )*};
}
pub(super) use thrift_structs;
