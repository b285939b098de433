//! What a reply says of its request.

use core::fmt;

/// What a reply says of its request; any number, as servers may have more than these.
///
/// ```
/// use charioteer_proto::memcached::binary::Status;
///
/// assert_eq!(Status::NOT_FOUND.text(), "Not found");
/// assert_eq!(Status(0x99).to_string(), "status 0x99");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Status(pub u16);

impl Status {
    /// It was done.
    pub const OK: Self = Self(0x00);
    /// There is no such item.
    pub const NOT_FOUND: Self = Self(0x01);
    /// There is an item, or another than the one that was expected.
    pub const EXISTS: Self = Self(0x02);
    /// The item would be too large.
    pub const TOO_LARGE: Self = Self(0x03);
    /// The request's lengths are not those of its command.
    pub const INVALID_ARGUMENTS: Self = Self(0x04);
    /// There is nothing to append to.
    pub const NOT_STORED: Self = Self(0x05);
    /// The value is no number that could be counted with.
    pub const NON_NUMERIC: Self = Self(0x06);
    /// The item belongs to another server.
    pub const WRONG_SERVER: Self = Self(0x07);
    /// [`AUTH_FAILURE`](Self::AUTH_FAILURE), by the number that the protocol's description gives it.
    pub const OLD_AUTH_FAILURE: Self = Self(0x08);
    /// [`AUTH_CONTINUE`](Self::AUTH_CONTINUE), by the number that the protocol's description gives it.
    pub const OLD_AUTH_CONTINUE: Self = Self(0x09);
    /// Not allowed, or not to this one.
    pub const AUTH_FAILURE: Self = Self(0x20);
    /// The mechanism wants another step.
    pub const AUTH_CONTINUE: Self = Self(0x21);
    /// The server has no such command.
    pub const UNKNOWN_COMMAND: Self = Self(0x81);
    /// There is no room, and none can be made.
    pub const OUT_OF_MEMORY: Self = Self(0x82);
    /// The server knows the command and does not do it.
    pub const NOT_SUPPORTED: Self = Self(0x83);
    /// Something is wrong with the server.
    pub const INTERNAL: Self = Self(0x84);
    /// The server has too much to do.
    pub const BUSY: Self = Self(0x85);
    /// The server can't now.
    pub const TEMPORARY_FAILURE: Self = Self(0x86);

    /// Whether the server does not take the client for who it says it is.
    #[must_use]
    pub const fn is_auth_failure(self) -> bool {
        matches!(self, Self::AUTH_FAILURE | Self::OLD_AUTH_FAILURE)
    }

    /// Whether the server wants another step of the mechanism.
    #[must_use]
    pub const fn is_auth_continue(self) -> bool {
        matches!(self, Self::AUTH_CONTINUE | Self::OLD_AUTH_CONTINUE)
    }

    /// What memcached writes as the value of a reply with this status; the same words for those that it never sends itself as in
    /// the protocol's description.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::NOT_FOUND => "Not found",
            Self::EXISTS => "Data exists for key.",
            Self::TOO_LARGE => "Too large.",
            Self::INVALID_ARGUMENTS => "Invalid arguments",
            Self::NOT_STORED => "Not stored.",
            Self::NON_NUMERIC => "Non-numeric server-side value for incr or decr",
            Self::WRONG_SERVER => "The vbucket belongs to another server",
            Self::AUTH_FAILURE | Self::OLD_AUTH_FAILURE => "Auth failure.",
            Self::AUTH_CONTINUE | Self::OLD_AUTH_CONTINUE => "Authentication continue",
            Self::UNKNOWN_COMMAND => "Unknown command",
            Self::OUT_OF_MEMORY => "Out of memory",
            Self::NOT_SUPPORTED => "Not supported",
            Self::INTERNAL => "Internal error",
            Self::BUSY => "Busy",
            Self::TEMPORARY_FAILURE => "Temporary failure",
            _ => "",
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.text() {
            "" if *self == Self::OK => write!(f, "ok"),
            "" => write!(f, "status {:#04x}", self.0),
            text => write!(f, "{text}"),
        }
    }
}
