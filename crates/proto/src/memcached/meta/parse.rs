//! The lines of meta commands become requests.

use super::{Flag, Flags, Opaque, Request, Verb};
use crate::memcached::line::{Span, WordSpans};
use crate::memcached::text::{self, Parsed, Refusal};
use crate::memcached::{Direction, Expiration, StoreMode, key, number};

const INVALID_FLAG: Refusal = Refusal::line("CLIENT_ERROR invalid flag");
const DUPLICATE_FLAG: Refusal = Refusal::line("CLIENT_ERROR duplicate flag");
/// What `ma` says of both, and of all else that is wrong with flags.
const INVALID_OR_DUPLICATE: Refusal = Refusal::line("CLIENT_ERROR invalid or duplicate flag");
const TOO_MANY_FLAGS: Refusal = Refusal::line("CLIENT_ERROR options flags are too long");
const BAD_TOKEN: Refusal = Refusal::line("CLIENT_ERROR bad token in command line format");
const BAD_INITIAL: Refusal = Refusal::line("CLIENT_ERROR invalid numeric initial value");
const BAD_DELTA: Refusal = Refusal::line("CLIENT_ERROR invalid numeric delta value");
const BAD_KEY: Refusal = Refusal::line("CLIENT_ERROR error decoding key");
const BAD_STORE_MODE: Refusal = Refusal::line("CLIENT_ERROR invalid mode for ms M token");
const BAD_COUNT_MODE: Refusal = Refusal::line("CLIENT_ERROR invalid mode for ma M token");
const OPAQUE_TOO_LONG: Refusal = Refusal::line("CLIENT_ERROR opaque token too long");

/// A line has no more words than this, the command and the key among them.
const MAX_WORDS: usize = 20;

/// Parses what follows the command. Whenever the length of a value can be read, the value is taken for one, so that it is passed over
/// and not taken for commands if there is anything wrong with the line.
pub(in crate::memcached) fn parse(verb: Verb, mut words: WordSpans<'_>) -> Parsed {
    let Some(key) = words.next() else {
        return Parsed::refused(Refusal::BAD_FORMAT);
    };
    let data = if verb == Verb::Set { words.word().and_then(text::value_length) } else { None };
    if (verb == Verb::Set && data.is_none()) || !are_flags(&words) {
        return Parsed::refused(Refusal::BAD_FORMAT);
    }
    let request = match flags(verb, words.text(&key), words) {
        Ok(flags) => text::Request::Meta(Request { verb, key, flags, value: 0..0 }),
        Err(refusal) => text::Request::Refused(refusal),
    };
    Parsed { request, data }
}

/// Whether all words begin as flags could.
fn are_flags(words: &WordSpans<'_>) -> bool {
    words.clone().all(|word| matches!(words.text(&word).first(), Some(b'0'..=b'9' | b'A'..=b'z')))
}

/// Parses the key of `me`, and whether it is base64.
pub(in crate::memcached) fn parse_debug(mut words: WordSpans<'_>) -> text::Request<Span> {
    let key = match text::key_word(&mut words) {
        Ok(key) if are_flags(&words) => key,
        _ => return text::Request::Refused(Refusal::BAD_FORMAT),
    };
    let base64 = words.word() == Some(b"b");
    if base64 && key::read_base64(words.text(&key)).is_none() {
        return text::Request::Refused(Refusal::BAD_FORMAT);
    }
    text::Request::MetaDebug { key, base64 }
}

/// Reads the flags, and checks the key as they say.
fn flags(verb: Verb, key: &[u8], words: WordSpans<'_>) -> Result<Flags, Refusal> {
    let before_flags = if verb == Verb::Set { 3 } else { 2 };
    let read = if key.len() > key::MAX_BYTES {
        Err(Refusal::BAD_FORMAT)
    } else if words.clone().count() + before_flags > MAX_WORDS {
        Err(TOO_MANY_FLAGS)
    } else {
        Reading::of(verb, key, words)
    };
    // `ma` says the same of whatever is wrong with its flags.
    let reading = read.map_err(|refusal| if verb == Verb::Arithmetic { INVALID_OR_DUPLICATE } else { refusal })?;
    match reading {
        Reading { bad_mode: Some(refusal), .. } => Err(refusal),
        Reading { opaque_is_too_long: true, .. } => Err(OPAQUE_TOO_LONG),
        Reading { flags, .. } => Ok(flags),
    }
}

/// Flags that are being read.
struct Reading {
    verb: Verb,
    flags: Flags,
    /// A bit for each letter that there was, also for those that mean nothing to a server.
    seen: u128,
    /// What is wrong, unless something worse comes.
    wrong: Option<Refusal>,
    /// What is wrong, unless it is something of the above.
    bad_mode: Option<Refusal>,
    /// And unless it is something of the above.
    opaque_is_too_long: bool,
}

impl Reading {
    /// Reads on behind what a flag says being wrong, as another flag may be wrong in itself, and memcached then speaks of that.
    fn of(verb: Verb, key: &[u8], words: WordSpans<'_>) -> Result<Self, Refusal> {
        let flags = Flags::new();
        let mut reading = Self { verb, flags, seen: 0, wrong: None, bad_mode: None, opaque_is_too_long: false };
        for span in words.clone() {
            if let Some((&letter, argument)) = words.text(&span).split_first() {
                reading.see(letter)?;
                reading.read(letter, argument, key)?;
            }
        }
        reading.wrong.map_or(Ok(reading), Err)
    }

    fn see(&mut self, letter: u8) -> Result<(), Refusal> {
        let bit = 1u128 << (letter & 0x7f);
        if self.seen & bit != 0 {
            return Err(DUPLICATE_FLAG);
        }
        self.seen |= bit;
        Ok(())
    }

    fn read(&mut self, letter: u8, argument: &[u8], key: &[u8]) -> Result<(), Refusal> {
        let expiration =
            || number::signed_32(argument).map(|number| Expiration::from_wire(number.into())).ok_or(BAD_TOKEN);
        let number = |wrong| number::unsigned(argument).ok_or(wrong);
        let flag = match letter {
            b'b' => key::read_base64(key).map(|_| Flag::Base64Key).ok_or(BAD_KEY),
            b'c' => Ok(Flag::ReturnCas),
            b'C' => number(BAD_TOKEN).map(Flag::CompareCas),
            b'D' => number(BAD_DELTA).map(Flag::Delta),
            b'E' => number(BAD_TOKEN).map(Flag::NewCas),
            b'F' => number::unsigned_32(argument)
                .map(Flag::ClientFlags)
                .ok_or_else(|| self.wrong.unwrap_or(Refusal::BAD_FORMAT)),
            b'f' => Ok(Flag::ReturnClientFlags),
            b'h' => Ok(Flag::ReturnHit),
            b'I' => Ok(Flag::Invalidate),
            b'J' => number(BAD_INITIAL).map(Flag::Initial),
            b'k' => Ok(Flag::ReturnKey),
            b'l' => Ok(Flag::ReturnIdle),
            b'N' => expiration().map(Flag::Vivify),
            b'q' => Ok(Flag::Quiet),
            b'R' => expiration().map(Flag::Recache),
            b's' => Ok(Flag::ReturnSize),
            b'T' => expiration().map(Flag::Lifetime),
            b't' => Ok(Flag::ReturnLifetime),
            b'u' => Ok(Flag::NoBump),
            b'v' => Ok(Flag::ReturnValue),
            b'x' => Ok(Flag::RemoveValue),
            b'M' | b'O' | b'P' | b'L' => {
                self.read_word(letter, argument);
                return Ok(());
            }
            _ => return Err(INVALID_FLAG),
        };
        match flag {
            Ok(flag) => self.push(flag),
            Err(wrong) => self.wrong = Some(wrong),
        }
        Ok(())
    }

    /// Flags whose argument is looked at when nothing else is wrong. `P` and `L` are hints to proxies, and mean nothing to a server.
    fn read_word(&mut self, letter: u8, argument: &[u8]) {
        match letter {
            b'M' => self.read_mode(argument.first().copied().unwrap_or_default()),
            b'O' => match Opaque::of_any(argument) {
                Some(opaque) => self.push(Flag::Opaque(opaque)),
                None => self.opaque_is_too_long = true,
            },
            _ => {}
        }
    }

    /// That there is room, and no letter comes twice, has been seen.
    fn push(&mut self, flag: Flag) {
        self.flags = self.flags.with(flag);
    }

    /// `M` means one thing to `ms`, another to `ma`, and nothing to the others. Its first letter counts.
    fn read_mode(&mut self, letter: u8) {
        let flag = match (self.verb, letter) {
            (Verb::Set, b'E') => Flag::Store(StoreMode::Add),
            (Verb::Set, b'A') => Flag::Store(StoreMode::Append),
            (Verb::Set, b'P') => Flag::Store(StoreMode::Prepend),
            (Verb::Set, b'R') => Flag::Store(StoreMode::Replace),
            (Verb::Set, b'S') => Flag::Store(StoreMode::Set),
            (Verb::Arithmetic, b'I' | b'+') => Flag::Count(Direction::Increment),
            (Verb::Arithmetic, b'D' | b'-') => Flag::Count(Direction::Decrement),
            (Verb::Set, _) => return self.bad_mode = Some(BAD_STORE_MODE),
            (Verb::Arithmetic, _) => return self.bad_mode = Some(BAD_COUNT_MODE),
            (Verb::Get | Verb::Delete, _) => return,
        };
        self.push(flag);
    }
}
