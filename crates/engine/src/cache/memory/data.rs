//! The bytes of an item: its key and its value.

use bytes::Bytes;

use super::super::operation::Value;

/// From this length on a value has an allocation of its own, so that it can be handed out without being copied. Copying
/// a shorter one costs less than what two allocations take more.
const SHARED_FROM: usize = 4096;

/// What `malloc` of glibc puts before each allocation, and what it rounds to.
const MALLOC_HEADER: usize = 8;
const MALLOC_STEP: usize = 16;
const MALLOC_LEAST: usize = 32;

/// From this length on it asks the system for whole pages.
const MALLOC_PAGES_FROM: usize = 128 << 10;
const PAGE: usize = 4096;

/// What a value takes that was handed out once: the count of those who hold it.
const COUNT_BYTES: usize = allocated(24);

/// Key and value.
pub(super) enum Data {
    /// One behind the other. A slot that is free has nothing here, which is no allocation.
    Together(Box<[u8]>),
    /// The value can be shared.
    Apart(Box<Apart>),
}

pub(super) struct Apart {
    key: Box<[u8]>,
    value: Bytes,
}

impl Data {
    pub(super) fn new(key: &[u8], value: &[u8]) -> Self {
        if value.len() >= SHARED_FROM {
            return Self::Apart(Box::new(Apart { key: key.into(), value: Bytes::copy_from_slice(value) }));
        }
        let mut together = Vec::with_capacity(key.len() + value.len());
        together.extend_from_slice(key);
        together.extend_from_slice(value);
        Self::Together(together.into_boxed_slice())
    }

    /// Nothing at all.
    pub(super) fn none() -> Self {
        Self::Together(Box::default())
    }

    pub(super) fn key(&self, key_bytes: usize) -> &[u8] {
        match self {
            Self::Together(bytes) => bytes.get(..key_bytes).unwrap_or_default(),
            Self::Apart(apart) => &apart.key,
        }
    }

    pub(super) fn value(&self, key_bytes: usize) -> Value<'_> {
        match self {
            Self::Together(bytes) => Value::Borrowed(bytes.get(key_bytes..).unwrap_or_default()),
            Self::Apart(apart) => Value::Shared(&apart.value),
        }
    }

    pub(super) fn value_bytes(&self, key_bytes: usize) -> usize {
        match self {
            Self::Together(bytes) => bytes.len().saturating_sub(key_bytes),
            Self::Apart(apart) => apart.value.len(),
        }
    }

    /// Writes the value over the one that is there, if it needs the same space. Says whether it did.
    pub(super) fn overwrite(&mut self, key_bytes: usize, value: &[u8]) -> bool {
        let Self::Together(bytes) = self else {
            return false;
        };
        match bytes.get_mut(key_bytes..) {
            Some(place) if place.len() == value.len() => {
                place.copy_from_slice(value);
                true
            }
            _ => false,
        }
    }

    /// What it takes of the memory.
    pub(super) fn allocated_bytes(&self, key_bytes: usize) -> usize {
        Self::bytes_for(key_bytes, self.value_bytes(key_bytes))
    }

    /// What a key and a value of these lengths take of the memory.
    pub(super) const fn bytes_for(key_bytes: usize, value_bytes: usize) -> usize {
        if value_bytes >= SHARED_FROM {
            allocated(size_of::<Apart>()) + allocated(key_bytes) + allocated(value_bytes) + COUNT_BYTES
        } else {
            allocated(key_bytes + value_bytes)
        }
    }
}

/// What an allocation takes of the memory, by the rules of glibc's `malloc`. Other allocators take about as much.
pub(super) const fn allocated(bytes: usize) -> usize {
    if bytes >= MALLOC_PAGES_FROM {
        return (bytes + 2 * MALLOC_HEADER).next_multiple_of(PAGE);
    }
    let rounded = (bytes + MALLOC_HEADER).next_multiple_of(MALLOC_STEP);
    if rounded < MALLOC_LEAST { MALLOC_LEAST } else { rounded }
}

#[cfg(test)]
mod tests {
    use super::{Data, SHARED_FROM};

    #[test]
    fn it_is_no_larger_than_a_fat_pointer() {
        assert_eq!(size_of::<Data>(), 16);
    }

    #[test]
    fn key_and_value_come_back_whichever_way_they_lie() {
        for len in [0, 1, 100, SHARED_FROM - 1, SHARED_FROM, 100_000] {
            let value = vec![b'v'; len];
            let data = Data::new(b"key", &value);
            assert_eq!(data.key(3), b"key");
            assert_eq!(data.value(3).as_slice(), value);
            assert_eq!(data.value_bytes(3), len);
        }
    }

    #[test]
    fn only_a_value_of_the_same_length_is_written_in_place() {
        let mut data = Data::new(b"key", b"10");
        assert!(data.overwrite(3, b"9 "));
        assert_eq!(data.value(3).as_slice(), b"9 ");
        assert!(!data.overwrite(3, b"100"));
        assert!(!data.overwrite(3, b"1"));
    }
}
