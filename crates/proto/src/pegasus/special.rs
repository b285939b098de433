//! The six types that Pegasus encodes in its own way.
//!
//! Their field type says "struct", but what follows is no struct: bytes behind a length, a packed integer, or three bare values.
//! That is why an unknown field of struct type can't be passed over.

use alloc::string::String;
use core::fmt;
use core::net::{Ipv4Addr, SocketAddrV4};

use bytes::{BufMut, Bytes, BytesMut};

use super::thrift::{self, Reader, STRING, STRUCT, Value};
use crate::{DecodeError, DecodeFailure};

/// `blob`: bytes behind their length. A decoded blob is a slice of its message and keeps the whole of it in memory.
impl Value for Bytes {
    const KIND: u8 = STRUCT;
    const NAME: &'static str = "blob";

    fn write(&self, out: &mut BytesMut) {
        thrift::write_counted(self, out);
    }

    fn read(reader: &mut Reader) -> Result<Self, DecodeError> {
        reader.counted()
    }
}

/// Text that is cheap to clone: Thrift's `string`.
///
/// ```
/// use charioteer_proto::pegasus::special::Text;
///
/// let table = Text::from("temp");
/// assert_eq!(table.as_str(), "temp");
/// ```
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Text(Bytes);

impl Text {
    /// Text that lives as long as the program.
    #[must_use]
    pub const fn from_static(text: &'static str) -> Self {
        Self(Bytes::from_static(text.as_bytes()))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        // Checked when it was made; the empty text can't come about.
        core::str::from_utf8(&self.0).unwrap_or_default()
    }

    fn read(reader: &mut Reader) -> Result<Self, DecodeError> {
        let bytes = reader.counted()?;
        match core::str::from_utf8(&bytes) {
            Ok(_) => Ok(Self(bytes)),
            Err(_) => Err(reader.fail(DecodeFailure::NotUtf8)),
        }
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self(Bytes::from(text))
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Self(Bytes::copy_from_slice(text.as_bytes()))
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_str().fmt(f)
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_str().fmt(f)
    }
}

impl Value for Text {
    const KIND: u8 = STRING;
    const NAME: &'static str = "string";

    fn write(&self, out: &mut BytesMut) {
        thrift::write_counted(&self.0, out);
    }

    fn read(reader: &mut Reader) -> Result<Self, DecodeError> {
        Self::read(reader)
    }
}

/// `error_code`: the name of an error, such as `ERR_OK`.
///
/// Names travel, numbers do not; each client has numbers of its own.
///
/// ```
/// use charioteer_proto::pegasus::special::ErrorCode;
///
/// assert!(ErrorCode::OK.is_ok());
/// assert_eq!(ErrorCode::BUSY.name(), "ERR_BUSY");
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct ErrorCode(Text);

macro_rules! error_codes {
    ($($constant:ident)*) => {
        $(
            #[doc = concat!("`ERR_", stringify!($constant), "`")]
            pub const $constant: Self = Self(Text::from_static(concat!("ERR_", stringify!($constant))));
        )*
    };
}

impl ErrorCode {
    error_codes! {
        OK UNKNOWN TIMEOUT SERVICE_NOT_ACTIVE BUSY FORWARD_TO_OTHERS OBJECT_NOT_FOUND HANDLER_NOT_FOUND INVALID_PARAMETERS
        CAPACITY_EXCEEDED INVALID_STATE INACTIVE_STATE NOT_ENOUGH_MEMBER INVALID_DATA NOT_IMPLEMENTED STATE_FREEZED APP_EXIST
        APP_NOT_EXIST BUSY_CREATING BUSY_DROPPING OPERATION_DISABLED UNAUTHENTICATED ACL_DENY SPLITTING
        PARENT_PARTITION_MISUSED DISK_INSUFFICIENT LOCAL_APP_FAILURE
    }

    /// Whether it is `ERR_OK`.
    #[must_use]
    pub fn is_ok(&self) -> bool {
        *self == Self::OK
    }

    /// The name that travels.
    #[must_use]
    pub fn name(&self) -> &str {
        self.0.as_str()
    }

    pub(super) fn text(&self) -> &Text {
        &self.0
    }

    pub(super) const fn from_text(text: Text) -> Self {
        Self(text)
    }
}

impl Default for ErrorCode {
    fn default() -> Self {
        Self::OK
    }
}

impl fmt::Debug for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Value for ErrorCode {
    const KIND: u8 = STRUCT;
    const NAME: &'static str = "error_code";

    fn write(&self, out: &mut BytesMut) {
        self.0.write(out);
    }

    fn read(reader: &mut Reader) -> Result<Self, DecodeError> {
        Text::read(reader).map(Self)
    }
}

/// `gpid`: a partition of a table.
///
/// ```
/// use charioteer_proto::pegasus::special::PartitionId;
///
/// assert_eq!(PartitionId { table_id: 1, index: 3 }.packed(), 0x0000_0003_0000_0001);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PartitionId {
    /// The table's id, `app_id` in the original.
    pub table_id: i32,
    /// The partition's place in the table, from 0.
    pub index: i32,
}

impl PartitionId {
    /// The index in the high half, the table's id in the low half.
    #[must_use]
    #[expect(clippy::cast_sign_loss, clippy::cast_possible_wrap, reason = "bits are packed, not numbers converted")]
    pub const fn packed(self) -> i64 {
        (((self.index as u32 as u64) << 32) | self.table_id as u32 as u64) as i64
    }

    /// Takes the halves apart again.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "bits are unpacked, not numbers converted")]
    pub const fn unpack(packed: i64) -> Self {
        Self { table_id: packed as i32, index: (packed >> 32) as i32 }
    }
}

impl Value for PartitionId {
    const KIND: u8 = STRUCT;
    const NAME: &'static str = "gpid";

    fn write(&self, out: &mut BytesMut) {
        out.put_i64(self.packed());
    }

    fn read(reader: &mut Reader) -> Result<Self, DecodeError> {
        reader.i64().map(Self::unpack)
    }
}

/// `rpc_address`: an IPv4 address and port, or none.
///
/// ```
/// use charioteer_proto::pegasus::special::RpcAddress;
///
/// let address = RpcAddress::from("127.0.0.1:34801".parse::<std::net::SocketAddrV4>().unwrap());
/// assert_eq!(address.packed(), 0x7f00_0001_87f1_0001);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct RpcAddress(u64);

impl RpcAddress {
    /// No address.
    pub const INVALID: Self = Self(0);
    const IPV4: u64 = 1;

    /// The address, if it is one.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "bits are unpacked, not numbers converted")]
    pub const fn socket(self) -> Option<SocketAddrV4> {
        if self.0 & 3 == Self::IPV4 {
            Some(SocketAddrV4::new(Ipv4Addr::from_bits((self.0 >> 32) as u32), (self.0 >> 16) as u16))
        } else {
            None
        }
    }

    /// The address in 32 bits, the port in 16, the kind in 16.
    #[must_use]
    pub const fn packed(self) -> u64 {
        self.0
    }
}

impl From<SocketAddrV4> for RpcAddress {
    fn from(address: SocketAddrV4) -> Self {
        Self(u64::from(address.ip().to_bits()) << 32 | u64::from(address.port()) << 16 | Self::IPV4)
    }
}

impl Value for RpcAddress {
    const KIND: u8 = STRUCT;
    const NAME: &'static str = "rpc_address";

    fn write(&self, out: &mut BytesMut) {
        out.put_u64(self.0);
    }

    fn read(reader: &mut Reader) -> Result<Self, DecodeError> {
        reader.i64().map(|packed| Self(packed.cast_unsigned()))
    }
}

/// `host_port`: a host's name and port, or none.
///
/// ```
/// use charioteer_proto::pegasus::special::HostPort;
///
/// let node = HostPort::new("localhost".into(), 34801);
/// assert_eq!(node.to_string(), "localhost:34801");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct HostPort {
    /// The name, or an address as text.
    pub host: Text,
    /// The port.
    pub port: u16,
    /// 0 none, 1 a host, 2 a group of hosts (never sent to clients).
    pub kind: u8,
}

impl HostPort {
    /// A single host.
    #[must_use]
    pub const fn new(host: Text, port: u16) -> Self {
        Self { host, port, kind: 1 }
    }
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

impl Value for HostPort {
    const KIND: u8 = STRUCT;
    const NAME: &'static str = "host_port";

    fn write(&self, out: &mut BytesMut) {
        self.host.write(out);
        out.put_u16(self.port);
        out.put_u8(self.kind);
    }

    fn read(reader: &mut Reader) -> Result<Self, DecodeError> {
        Ok(Self { host: Text::read(reader)?, port: reader.i16()?.cast_unsigned(), kind: reader.u8()? })
    }
}
