//! memcached: the binary, the classic text and the meta protocol.
//!
//! ```text
//! binary   24 bytes of header | extras | key | value                 a reply carries its request's opaque number
//! text     set key flags expiration length [noreply]\r\n | value \r\n    replies come in order
//! meta     ms key length flags…\r\n | value \r\n                        a reply carries what the flags ask for
//! ```
//!
//! A connection speaks [binary] if its first byte is `0x80`, and otherwise text, in which classic and meta commands may be mixed:
//! [`text::read_request`] reads both. The modules [`text`] and [`meta`] hold what is particular to each; [`auth`] how a client says
//! who it is, [`cluster`] how it learns of its servers, [`key`] which keys there may be.
//!
//! Requests and replies are generic over what holds their bytes. Readers hand out [`Bytes`](bytes::Bytes), slices of what was
//! read; writers take anything that can be seen as bytes, so that nothing has to be copied before it is written.
//!
//! Where versions of memcached differ, the server's side follows 1.6.45; where its source has faults, it does what was meant. Each
//! such place says so.

pub mod auth;
pub mod binary;
pub mod cluster;
mod error;
mod expiration;
mod in_place;
pub mod key;
mod limits;
mod line;
pub mod meta;
mod number;
pub mod text;

pub use error::{Excerpt, ReplyError, StreamError};
pub use expiration::{Expiration, Expires};
pub use in_place::InPlace;
pub use limits::{Intake, Limits};

/// What a connection speaks, as its first byte says.
///
/// ```
/// use charioteer_proto::memcached::Protocol;
///
/// assert_eq!(Protocol::of(0x80), Protocol::Binary);
/// assert_eq!(Protocol::of(b'g'), Protocol::Text);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// Headers of 24 bytes.
    Binary,
    /// Lines, of classic and of meta commands.
    Text,
}

impl Protocol {
    /// What a connection speaks whose first byte is this one.
    #[must_use]
    pub const fn of(first_byte: u8) -> Self {
        if first_byte == binary::REQUEST_MAGIC { Self::Binary } else { Self::Text }
    }
}

/// How a value is stored.
///
/// ```
/// use charioteer_proto::memcached::{StoreMode, meta::Flag, meta::Flags};
///
/// let flags = Flags::new().with(Flag::Store(StoreMode::Add));
/// assert_eq!(flags.store_mode(), Some(StoreMode::Add));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StoreMode {
    /// Whether or not there is an item.
    #[default]
    Set,
    /// Only if there is none.
    Add,
    /// Only if there is one.
    Replace,
    /// Behind the value that is there.
    Append,
    /// Before the value that is there.
    Prepend,
}

/// Which way a counter is changed.
///
/// ```
/// use charioteer_proto::memcached::{Direction, meta::Flags};
///
/// assert_eq!(Flags::new().direction(), Some(Direction::Increment), "unless flags say otherwise");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Direction {
    /// Up, from 2⁶⁴ - 1 to 0.
    #[default]
    Increment,
    /// Down, but not below 0.
    Decrement,
}
