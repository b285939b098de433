//! Answers in lines, read in the order of the questions.

use std::collections::VecDeque;

use bytes::{Buf, BytesMut};
use charioteer_proto::memcached::binary::{Opcode, Reply, Status};
use charioteer_proto::memcached::text::Awaited;
use charioteer_proto::memcached::{Excerpt, Limits, ReplyError, meta, text};

use super::answer::{Answer, Parts, Won};
use super::text::bare;
use super::{Expected, Form, refusal};
use crate::memcached::item::{Cas, Item};
use crate::net::Taken;

/// Reads answers by what is expected.
///
/// After some refusals nothing more can be read: a server that refuses a line may take the value behind it for commands, and one that
/// does not know who asks refuses all the rest.
#[derive(Clone, Debug)]
pub(super) struct Lines {
    limits: Limits,
    /// What was sent, and is not answered.
    order: VecDeque<(u32, Expected)>,
    /// What has come of the first answer in that order.
    parts: Parts,
    /// How many replies of it have come.
    replies: usize,
    /// Whether it has been handed out already, so that what is left of it is nobody's.
    handed_out: bool,
    /// How much of what comes next belongs to a value that is too long to be kept.
    passing_over: usize,
    /// Why nothing more is read.
    over: Option<String>,
}

const OTHER_COMMAND: &str = "the server answered another command than the next";

/// What has been taken off the stream.
enum Step {
    /// A part of an answer, and more is to come.
    Part,
    /// Of a value that is too long to be kept.
    TooLong,
    /// The end of an answer.
    Last(Answer),
}

type Stepped = Result<Option<Step>, String>;

impl Lines {
    pub(super) fn new(max_value_bytes: usize) -> Self {
        Self {
            limits: Limits { value_bytes: max_value_bytes, ..Limits::default() },
            order: VecDeque::new(),
            parts: Parts::new(max_value_bytes),
            replies: 0,
            handed_out: false,
            passing_over: 0,
            over: None,
        }
    }

    pub(super) fn expect(&mut self, id: u32, expected: Expected) {
        self.order.push_back((id, expected));
    }

    /// Takes an answer off the front, or keeps the parts of it that have come.
    pub(super) fn next_answer(&mut self, input: &mut BytesMut) -> Result<Option<Taken<Answer>>, String> {
        loop {
            let here = self.passing_over.min(input.len());
            input.advance(here);
            self.passing_over -= here;
            if let Some(reason) = self.over.take() {
                return Err(reason);
            }
            let Some(&(id, expected)) = self.order.front() else {
                return if input.is_empty() { Ok(None) } else { Err(unasked(input)) };
            };
            let reply = match self.step(input, id, expected)? {
                None => return Ok(None),
                Some(Step::Part) => continue,
                // What is behind the value may take long to come, and says nothing more.
                Some(Step::TooLong) if self.handed_out => continue,
                Some(Step::TooLong) => {
                    self.handed_out = true;
                    self.parts.complete(bare(expected.opcode, Status::OK))
                }
                Some(Step::Last(answer)) => {
                    self.order.pop_front();
                    self.replies = 0;
                    if std::mem::take(&mut self.handed_out) {
                        continue;
                    }
                    answer
                }
            };
            return Ok(Some(Taken { id, reply, passed_over: 0 }));
        }
    }

    fn step(&mut self, input: &mut BytesMut, id: u32, expected: Expected) -> Stepped {
        match expected.form {
            Form::Text(awaited, _) => self.text(input, expected, awaited),
            _ => self.meta(input, id, expected),
        }
    }

    fn text(&mut self, input: &mut BytesMut, expected: Expected, awaited: Awaited) -> Stepped {
        let line = loop {
            let line = match text::find_reply(input, awaited, &self.limits) {
                Ok(Some(line)) => line,
                Ok(None) => return Ok(None),
                Err(ReplyError::TooLarge { bytes, .. }) => {
                    self.pass_over(input, bytes);
                    return Ok(Some(Step::TooLong));
                }
                Err(error) => return Err(error.to_string()),
            };
            let (&text::Reply::Value { ref key, flags, cas, ref value }, Opcode::NOOP) = (&line.reply, expected.opcode)
            else {
                break line;
            };
            let keeps = self.parts.has_room_for_item(&input[key.clone()], value.len());
            let value = value.clone();
            let value = line.take_part(input, value);
            if keeps {
                self.parts.keep_item(Item::of_parts(value, flags, Cas::new(cas.unwrap_or(0))));
            }
        };
        let line = line.take(input);
        let (is_last, is_refusal) = (line.is_last(awaited), matches!(line, text::Reply::Error(_)));
        let opcode = if awaited == Awaited::Values { part_of(expected.opcode) } else { expected.opcode };
        let reply = super::text::reply(opcode, line);
        Ok(Some(if is_refusal {
            self.refused(expected, reply)
        } else if !is_last {
            self.parts.keep(reply);
            Step::Part
        } else if awaited == Awaited::Values {
            Step::Last(self.items(expected.opcode)?)
        } else {
            self.reply_of(expected, reply)
        }))
    }

    /// Items that have all come: the answer to a call for one of them, or for many.
    fn items(&mut self, opcode: Opcode) -> Result<Answer, String> {
        let last = match opcode {
            Opcode::NOOP => bare(opcode, Status::OK),
            _ => self.parts.take_only()?.unwrap_or_else(|| bare(opcode, Status::NOT_FOUND)),
        };
        Ok(self.parts.complete(last))
    }

    fn meta(&mut self, input: &mut BytesMut, id: u32, expected: Expected) -> Stepped {
        let Some((line, is_too_long)) = self.meta_line(input)? else {
            return Ok(None);
        };
        let Expected { opcode, form } = expected;
        let (item, place) = match line {
            meta::Reply::Error(error) => {
                let (status, words) = refusal::status(error);
                return Ok(Some(self.refused(expected, Reply { value: words, ..bare(opcode, status) })));
            }
            meta::Reply::Noop if is_quiet(form) => {
                return Ok(Some(Step::Last(self.parts.complete(bare(opcode, Status::OK)))));
            }
            line if form == Form::Debug && is_debug(&line) => return Ok(Some(self.told(opcode, line))),
            meta::Reply::Item(item) => match place(&item, id, form) {
                Some(place) => (item, place),
                None => return Err("the server answered another call than the next".to_owned()),
            },
            _ => return Err(OTHER_COMMAND.to_owned()),
        };
        match form {
            Form::Quiet(_) if is_too_long => Ok(Some(Step::TooLong)),
            _ if is_too_long => Ok(Some(Step::Last(self.parts.complete(bare(opcode, Status::OK))))),
            Form::Told => Ok(Some(self.told(opcode, meta::Reply::Item(item)))),
            _ => self.item(expected, place, item).map(Some),
        }
    }

    fn item(&mut self, expected: Expected, place: usize, item: meta::Returned) -> Result<Step, String> {
        let won = item.won.then(|| Won { place, cas: item.cas.unwrap_or(0) });
        let reply = super::meta::reply(part_of(expected.opcode), item).ok_or(OTHER_COMMAND)?;
        if is_quiet(expected.form) && self.replies + 1 == expected.form.replies() {
            return Err("the server answered with more items than it was asked for".to_owned());
        }
        won.into_iter().for_each(|won| self.parts.keep_won(won));
        if is_quiet(expected.form) && reply.status == Status::OK {
            self.replies += 1;
            self.parts.keep_placed(place, Item::of(reply));
            return Ok(Step::Part);
        }
        Ok(self.reply_of(expected, reply))
    }

    fn told(&mut self, opcode: Opcode, line: meta::Reply) -> Step {
        Step::Last(self.parts.complete(bare(opcode, Status::OK)).telling(line))
    }

    /// Takes a reply off the front. Of a value that is too long only what stands before it is taken, and it is passed over.
    fn meta_line(&mut self, input: &mut BytesMut) -> Result<Option<(meta::Reply, bool)>, String> {
        match meta::read_reply(input, &self.limits) {
            Ok(line) => Ok(line.map(|line| (line, false))),
            Err(ReplyError::TooLarge { bytes, .. }) => {
                let mut line = without_value(&self.pass_over(input, bytes));
                let line = meta::read_reply(&mut line, &self.limits).map_err(|error| error.to_string())?;
                Ok(line.map(|line| (line, true)))
            }
            Err(error) => Err(error.to_string()),
        }
    }

    /// Takes a line, and sees to it that the value behind it is passed over.
    fn pass_over(&mut self, input: &mut BytesMut, bytes: u64) -> BytesMut {
        self.parts.passed_over(bytes);
        self.passing_over = usize::try_from(bytes).unwrap_or(usize::MAX).saturating_add(2);
        let line = input.iter().position(|&byte| byte == b'\n').map_or(input.len(), |at| at + 1);
        input.split_to(line)
    }

    /// One of so many replies as are expected.
    fn reply_of(&mut self, expected: Expected, reply: Reply) -> Step {
        self.replies += 1;
        if self.replies < expected.form.replies() {
            self.parts.keep(Reply { opcode: part_of(expected.opcode), ..reply });
            return Step::Part;
        }
        Step::Last(self.parts.complete(Reply { opcode: expected.opcode, ..reply }))
    }

    fn refused(&mut self, expected: Expected, refusal: Reply) -> Step {
        let is_servers = matches!(
            refusal.status,
            Status::TOO_LARGE | Status::OUT_OF_MEMORY | Status::INTERNAL | Status::TEMPORARY_FAILURE
        );
        let is_deaf = refusal.status.is_auth_failure() || refusal.status == Status::BUSY;
        let is_out_of_step = !is_servers && (is_store(expected.opcode) || is_quiet(expected.form));
        if is_deaf || is_out_of_step {
            let words = refusal.value.escape_ascii();
            self.over = Some(format!("the server refused what was said: {words} ({})", refusal.status));
            let rest = if is_deaf { refusal.status } else { Status::INTERNAL };
            return Step::Last(self.cut_short(expected, refusal, rest));
        }
        self.reply_of(expected, refusal)
    }

    /// Ends an answer at a refusal. Nobody will learn what becomes of the rest.
    fn cut_short(&mut self, expected: Expected, refusal: Reply, rest: Status) -> Answer {
        let mut last = Reply { opcode: expected.opcode, ..refusal };
        let left = if is_quiet(expected.form) { 0..0 } else { self.replies + 1..expected.form.replies() };
        for _ in left {
            self.parts.keep(std::mem::replace(&mut last, bare(expected.opcode, rest)));
        }
        self.parts.complete(last)
    }
}

/// What is wrong with a server that says something by itself.
fn unasked(input: &[u8]) -> String {
    let line = input.split(|&byte| byte == b'\r' || byte == b'\n').next().unwrap_or_default();
    format!("the server said {} though nothing was asked", Excerpt::of(line))
}

/// Which of a call's questions a reply answers, if one of them.
fn place(item: &meta::Returned, id: u32, form: Form) -> Option<usize> {
    let count = match form {
        Form::Quiet(count) => count,
        _ => 1,
    };
    super::meta::place_of_number(id, count, item.opaque?.number()?)
}

const fn is_quiet(form: Form) -> bool {
    matches!(form, Form::Quiet(_))
}

/// The command of an answer's parts: those of a no-op are the items that were asked for before it.
fn part_of(opcode: Opcode) -> Opcode {
    if opcode == Opcode::NOOP { Opcode::GET_WITH_KEY } else { opcode }
}

const fn is_store(opcode: Opcode) -> bool {
    matches!(opcode, Opcode::SET | Opcode::ADD | Opcode::REPLACE | Opcode::APPEND | Opcode::PREPEND)
}

/// Whether a line can tell what is known of an item, or that there is none. It carries no number.
const fn is_debug(line: &meta::Reply) -> bool {
    match line {
        meta::Reply::Debug { .. } => true,
        meta::Reply::Item(item) => matches!(item.status, meta::Status::Missing) && item.opaque.is_none(),
        _ => false,
    }
}

/// A line that announces a value, as one that announces none.
fn without_value(line: &[u8]) -> BytesMut {
    let flags = line.splitn(3, |&byte| byte == b' ').nth(2);
    [b"HD ", flags.unwrap_or(b"\r\n")].concat().as_slice().into()
}

#[cfg(test)]
mod tests;
