//! The numbers of the commands.

/// The number of a command.
///
/// ```
/// use charioteer_proto::memcached::binary::Opcode;
///
/// assert_eq!(Opcode::GET.quiet(), Some(Opcode(0x09)));
/// assert_eq!(Opcode(0x09).loud(), Opcode::GET);
/// assert_eq!(Opcode::NOOP.quiet(), None);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Opcode(pub u8);

impl Opcode {
    /// Gets an item.
    pub const GET: Self = Self(0x00);
    /// Stores an item.
    pub const SET: Self = Self(0x01);
    /// Stores an item if there is none.
    pub const ADD: Self = Self(0x02);
    /// Stores an item if there is one.
    pub const REPLACE: Self = Self(0x03);
    /// Removes an item.
    pub const DELETE: Self = Self(0x04);
    /// Counts up.
    pub const INCREMENT: Self = Self(0x05);
    /// Counts down.
    pub const DECREMENT: Self = Self(0x06);
    /// Ends the connection.
    pub const QUIT: Self = Self(0x07);
    /// Removes all items.
    pub const FLUSH: Self = Self(0x08);
    /// Does nothing.
    pub const NOOP: Self = Self(0x0a);
    /// Asks for the server's version.
    pub const VERSION: Self = Self(0x0b);
    /// Gets an item, and its key.
    pub const GET_WITH_KEY: Self = Self(0x0c);
    /// Stores behind a value.
    pub const APPEND: Self = Self(0x0e);
    /// Stores before a value.
    pub const PREPEND: Self = Self(0x0f);
    /// Asks for counters and settings.
    pub const STAT: Self = Self(0x10);
    /// Sets how much is written into the log.
    pub const VERBOSITY: Self = Self(0x1b);
    /// Sets an item's expiration.
    pub const TOUCH: Self = Self(0x1c);
    /// Gets an item and sets its expiration.
    pub const GET_AND_TOUCH: Self = Self(0x1d);
    /// Asks how one can say who one is.
    pub const SASL_MECHANISMS: Self = Self(0x20);
    /// Says who one is.
    pub const SASL_AUTH: Self = Self(0x21);
    /// Goes on saying who one is.
    pub const SASL_STEP: Self = Self(0x22);
    /// Gets an item and its key, and sets its expiration.
    pub const GET_AND_TOUCH_WITH_KEY: Self = Self(0x23);

    /// The quiet form of a command, if it has one.
    #[must_use]
    pub const fn quiet(self) -> Option<Self> {
        Some(Self(match self {
            Self::GET => 0x09,
            Self::GET_WITH_KEY => 0x0d,
            Self(0x01..=0x08) => self.0 + 0x10,
            Self::APPEND => 0x19,
            Self::PREPEND => 0x1a,
            Self::GET_AND_TOUCH => 0x1e,
            Self::GET_AND_TOUCH_WITH_KEY => 0x24,
            _ => return None,
        }))
    }

    /// The command itself, of which this may be the quiet form.
    #[must_use]
    pub const fn loud(self) -> Self {
        match self.0 {
            0x09 => Self::GET,
            0x0d => Self::GET_WITH_KEY,
            0x11..=0x18 => Self(self.0 - 0x10),
            0x19 => Self::APPEND,
            0x1a => Self::PREPEND,
            0x1e => Self::GET_AND_TOUCH,
            0x24 => Self::GET_AND_TOUCH_WITH_KEY,
            _ => self,
        }
    }

    /// Whether this is the quiet form of a command.
    #[must_use]
    pub const fn is_quiet(self) -> bool {
        self.loud().0 != self.0
    }
}
