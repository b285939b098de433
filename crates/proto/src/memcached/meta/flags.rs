//! The flags of a command: which there are, in which order, and what they say.

use core::fmt;

use super::Opaque;
use crate::memcached::{Direction, Expiration, StoreMode};

/// A command has no more flags than this, as no line has more than twenty words.
const MAX_FLAGS: usize = 18;

/// A flag of a request.
///
/// What a flag does not mean for a command is ignored, as memcached does.
///
/// ```
/// use charioteer_proto::memcached::meta::Flag;
///
/// assert_eq!(Flag::CompareCas(12).letter(), b'C');
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flag {
    /// `b`: the key is sent as base64, and so can hold any bytes.
    Base64Key,
    /// `c`: tell the item's version.
    ReturnCas,
    /// `C`: only if the item has this version. `mg` then tells a value only if the item has another.
    CompareCas(u64),
    /// `D`: count by so much, instead of by 1.
    Delta(u64),
    /// `E`: the item gets this version, instead of the next.
    NewCas(u64),
    /// `F`: what the client makes of the value.
    ClientFlags(u32),
    /// `f`: tell what the client made of the value.
    ReturnClientFlags,
    /// `h`: tell whether the item has been got before.
    ReturnHit,
    /// `I`: `md` makes the item stale instead of removing it; `ms` stores a value of an older version, as a stale one.
    Invalidate,
    /// `J`: a counter that was not there begins with this.
    Initial(u64),
    /// `k`: tell the key.
    ReturnKey,
    /// `l`: tell for how many seconds the item has not been got.
    ReturnIdle,
    /// `M` of `ms`: how the value is stored.
    Store(StoreMode),
    /// `M` of `ma`: which way to count.
    Count(Direction),
    /// `N`: an item that is not there is made, and kept so long.
    Vivify(Expiration),
    /// `O`: tell this.
    Opaque(Opaque),
    /// `q`: send nothing if the common thing happens.
    Quiet,
    /// `R`: have this client make the value anew if it is kept no longer than this.
    Recache(Expiration),
    /// `s`: tell how long the value is.
    ReturnSize,
    /// `T`: the item is kept so long.
    Lifetime(Expiration),
    /// `t`: tell how long the item is still kept.
    ReturnLifetime,
    /// `u`: do not count this as a use of the item.
    NoBump,
    /// `v`: tell the value.
    ReturnValue,
    /// `x`: take the value away, and leave the item.
    RemoveValue,
}

impl Flag {
    /// The letter by which it begins.
    #[must_use]
    pub const fn letter(&self) -> u8 {
        match self {
            Self::Base64Key => b'b',
            Self::ReturnCas => b'c',
            Self::CompareCas(_) => b'C',
            Self::Delta(_) => b'D',
            Self::NewCas(_) => b'E',
            Self::ClientFlags(_) => b'F',
            Self::ReturnClientFlags => b'f',
            Self::ReturnHit => b'h',
            Self::Invalidate => b'I',
            Self::Initial(_) => b'J',
            Self::ReturnKey => b'k',
            Self::ReturnIdle => b'l',
            Self::Store(_) | Self::Count(_) => b'M',
            Self::Vivify(_) => b'N',
            Self::Opaque(_) => b'O',
            Self::Quiet => b'q',
            Self::Recache(_) => b'R',
            Self::ReturnSize => b's',
            Self::Lifetime(_) => b'T',
            Self::ReturnLifetime => b't',
            Self::NoBump => b'u',
            Self::ReturnValue => b'v',
            Self::RemoveValue => b'x',
        }
    }
}

/// The flags of a command, in the order in which they stand. Small, and held in place.
///
/// ```
/// use charioteer_proto::memcached::Expiration;
/// use charioteer_proto::memcached::meta::{Flag, Flags};
///
/// let flags = Flags::new().with(Flag::ReturnValue).with(Flag::Lifetime(Expiration::from_wire(60)));
/// assert!(flags.returns_value());
/// assert_eq!(flags.lifetime(), Some(Expiration::from_wire(60)));
/// assert_eq!(flags.iter().count(), 2);
/// ```
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Flags {
    letters: [u8; MAX_FLAGS],
    count: u8,
    /// A bit for each letter that is there.
    set: u64,
    compare_cas: u64,
    new_cas: u64,
    delta: u64,
    initial: u64,
    client_flags: u32,
    mode: Mode,
    vivify: Expiration,
    recache: Expiration,
    lifetime: Expiration,
    opaque: Opaque,
}

/// What the flag `M` says; it depends on the command which there are.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Mode {
    #[default]
    Unsaid,
    Store(StoreMode),
    Count(Direction),
}

/// There is no room for another flag, or it is there already.
///
/// ```
/// use charioteer_proto::memcached::meta::{Flag, Flags, FlagsFull};
///
/// let mut flags = Flags::new().with(Flag::Quiet);
/// assert_eq!(flags.push(Flag::Quiet), Err(FlagsFull));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlagsFull;

impl fmt::Display for FlagsFull {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "more flags than a command can have, or one of them twice")
    }
}

impl core::error::Error for FlagsFull {}

impl Flags {
    /// None.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// These and another one, which is left out if it is there already.
    #[must_use]
    pub fn with(mut self, flag: Flag) -> Self {
        // A client's own flags are few, and a server takes none on this way.
        let _ = self.push(flag);
        self
    }

    /// Adds a flag behind the others.
    ///
    /// # Errors
    /// When it is there already, or there are eighteen.
    pub fn push(&mut self, flag: Flag) -> Result<(), FlagsFull> {
        let letter = flag.letter();
        if self.has(letter) {
            return Err(FlagsFull);
        }
        *self.letters.get_mut(usize::from(self.count)).ok_or(FlagsFull)? = letter;
        self.count += 1;
        self.set |= bit(letter);
        match flag {
            Flag::CompareCas(cas) => self.compare_cas = cas,
            Flag::Delta(delta) => self.delta = delta,
            Flag::NewCas(cas) => self.new_cas = cas,
            Flag::ClientFlags(flags) => self.client_flags = flags,
            Flag::Initial(initial) => self.initial = initial,
            Flag::Store(mode) => self.mode = Mode::Store(mode),
            Flag::Count(direction) => self.mode = Mode::Count(direction),
            Flag::Vivify(expiration) => self.vivify = expiration,
            Flag::Opaque(opaque) => self.opaque = opaque,
            Flag::Recache(expiration) => self.recache = expiration,
            Flag::Lifetime(expiration) => self.lifetime = expiration,
            _ => {}
        }
        Ok(())
    }

    /// One after the other.
    pub fn iter(&self) -> impl Iterator<Item = Flag> + '_ {
        self.letters().filter_map(|letter| self.flag(letter))
    }

    /// Their letters.
    pub(super) fn letters(&self) -> impl Iterator<Item = u8> + '_ {
        self.letters.iter().copied().take(usize::from(self.count))
    }

    fn flag(&self, letter: u8) -> Option<Flag> {
        Some(match letter {
            b'b' => Flag::Base64Key,
            b'c' => Flag::ReturnCas,
            b'C' => Flag::CompareCas(self.compare_cas),
            b'D' => Flag::Delta(self.delta),
            b'E' => Flag::NewCas(self.new_cas),
            b'F' => Flag::ClientFlags(self.client_flags),
            b'f' => Flag::ReturnClientFlags,
            b'h' => Flag::ReturnHit,
            b'I' => Flag::Invalidate,
            b'J' => Flag::Initial(self.initial),
            b'k' => Flag::ReturnKey,
            b'l' => Flag::ReturnIdle,
            b'M' => match self.mode {
                Mode::Store(mode) => Flag::Store(mode),
                Mode::Count(direction) => Flag::Count(direction),
                Mode::Unsaid => return None,
            },
            b'N' => Flag::Vivify(self.vivify),
            b'O' => Flag::Opaque(self.opaque),
            b'q' => Flag::Quiet,
            b'R' => Flag::Recache(self.recache),
            b's' => Flag::ReturnSize,
            b'T' => Flag::Lifetime(self.lifetime),
            b't' => Flag::ReturnLifetime,
            b'u' => Flag::NoBump,
            b'v' => Flag::ReturnValue,
            b'x' => Flag::RemoveValue,
            _ => return None,
        })
    }

    const fn has(&self, letter: u8) -> bool {
        self.set & bit(letter) != 0
    }

    /// What a flag says, if it is there.
    fn value<T>(&self, letter: u8, value: T) -> Option<T> {
        self.has(letter).then_some(value)
    }

    /// `b`: whether the key is sent as base64.
    #[must_use]
    pub const fn is_base64_key(&self) -> bool {
        self.has(b'b')
    }

    /// `q`: whether nothing is sent if the common thing happens.
    #[must_use]
    pub const fn is_quiet(&self) -> bool {
        self.has(b'q')
    }

    /// `I`: whether the item is made stale.
    #[must_use]
    pub const fn invalidates(&self) -> bool {
        self.has(b'I')
    }

    /// `u`: whether this is no use of the item.
    #[must_use]
    pub const fn is_no_bump(&self) -> bool {
        self.has(b'u')
    }

    /// `v`: whether the value is to be told.
    #[must_use]
    pub const fn returns_value(&self) -> bool {
        self.has(b'v')
    }

    /// `x`: whether the value is taken away.
    #[must_use]
    pub const fn removes_value(&self) -> bool {
        self.has(b'x')
    }

    /// `C`: the version that is expected.
    #[must_use]
    pub fn compare_cas(&self) -> Option<u64> {
        self.value(b'C', self.compare_cas)
    }

    /// `E`: the version that the item gets.
    #[must_use]
    pub fn new_cas(&self) -> Option<u64> {
        self.value(b'E', self.new_cas)
    }

    /// `D`: by how much to count; 1, where nothing is said.
    #[must_use]
    pub fn delta(&self) -> u64 {
        self.value(b'D', self.delta).unwrap_or(1)
    }

    /// `J`: with what a counter begins; 0, where nothing is said.
    #[must_use]
    pub const fn initial(&self) -> u64 {
        self.initial
    }

    /// `F`: what the client makes of the value; 0, where nothing is said.
    #[must_use]
    pub const fn client_flags(&self) -> u32 {
        self.client_flags
    }

    /// `N`: how long an item is kept that was not there, if one is to be made.
    #[must_use]
    pub fn vivify(&self) -> Option<Expiration> {
        self.value(b'N', self.vivify)
    }

    /// `R`: how much longer an item must be kept for nobody to make it anew.
    #[must_use]
    pub fn recache(&self) -> Option<Expiration> {
        self.value(b'R', self.recache)
    }

    /// `T`: how long the item is kept.
    #[must_use]
    pub fn lifetime(&self) -> Option<Expiration> {
        self.value(b'T', self.lifetime)
    }

    /// `O`: what the reply repeats.
    #[must_use]
    pub fn opaque(&self) -> Option<Opaque> {
        self.value(b'O', self.opaque)
    }

    /// `M` of `ms`: how the value is stored; nothing, if it is the mode of another command.
    #[must_use]
    pub const fn store_mode(&self) -> Option<StoreMode> {
        match self.mode {
            Mode::Unsaid => Some(StoreMode::Set),
            Mode::Store(mode) => Some(mode),
            Mode::Count(_) => None,
        }
    }

    /// `M` of `ma`: which way to count; nothing, if it is the mode of another command.
    #[must_use]
    pub const fn direction(&self) -> Option<Direction> {
        match self.mode {
            Mode::Unsaid => Some(Direction::Increment),
            Mode::Count(direction) => Some(direction),
            Mode::Store(_) => None,
        }
    }
}

/// Letters, upper and lower case, have a bit each.
const fn bit(letter: u8) -> u64 {
    1 << (letter.wrapping_sub(b'A') & 63)
}

impl fmt::Debug for Flags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}
