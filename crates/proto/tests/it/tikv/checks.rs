//! What must hold for any bytes whatsoever. The fuzz target and the tests run the same functions.

use bytes::Bytes;

use super::table::{Message, Visitor, messages};

/// The bytes of a message, which the first two bytes choose: what can be read can be written, and then reads the same.
pub(crate) fn message(data: &[u8]) {
    let Some((&[high, low], wire)) = data.split_first_chunk() else { return };
    let rows = messages::<Reread>();
    let chosen = usize::from(u16::from_be_bytes([high, low])) % rows.len();
    rows[chosen].1(Reread(Bytes::copy_from_slice(wire)));
}

pub(crate) struct Reread(pub(crate) Bytes);

impl Visitor for Reread {
    type Out = ();

    fn visit<M: Message>(self) {
        match M::decode(self.0) {
            Ok(read) => {
                let wire = read.encode_to_vec();
                assert_eq!(wire.len(), read.encoded_len());
                assert_eq!(M::decode(Bytes::from(wire)).as_ref(), Ok(&read));
            }
            Err(error) => assert!(!error.to_string().is_empty()),
        }
    }
}
