//! Answers that come in pieces, put together.

use charioteer_proto::memcached::binary::Reply;
use charioteer_proto::memcached::meta;

use crate::error::Failure;
use crate::memcached::failure;

/// What a part takes beside its key and value, so that many empty ones count too.
const PART_BYTES: usize = size_of::<Reply>();

/// How many times the longest value the parts of an answer may have together.
const LONGEST_VALUES: usize = 4;

/// An answer, whole.
#[derive(Debug)]
pub(in crate::memcached) struct Answer {
    /// What came before the last piece.
    pub(in crate::memcached) parts: Vec<Reply>,
    pub(in crate::memcached) last: Reply,
    /// What only the meta protocol can tell, where it was asked for.
    pub(in crate::memcached) told: Option<Box<meta::Reply>>,
    /// The length, if it was more than was kept.
    pub(in crate::memcached) too_long: Option<u64>,
}

impl Answer {
    /// What the meta protocol told, or why it told nothing.
    pub(in crate::memcached) fn told(self) -> Result<meta::Reply, Failure> {
        match self.told {
            Some(told) => Ok(*told),
            None => Err(failure::status(self.last.status)),
        }
    }
}

/// The parts of an answer that have come.
#[derive(Clone, Debug)]
pub(super) struct Parts {
    replies: Vec<Reply>,
    bytes: usize,
    too_long: Option<u64>,
    max_bytes: usize,
}

impl Parts {
    pub(super) fn new(max_value_bytes: usize) -> Self {
        let max_bytes = max_value_bytes.saturating_mul(LONGEST_VALUES);
        Self { replies: Vec::new(), bytes: 0, too_long: None, max_bytes }
    }

    pub(super) fn keep(&mut self, part: Reply) {
        self.bytes += PART_BYTES + part.key.len() + part.value.len();
        if self.bytes > self.max_bytes {
            self.too_long = Some(self.bytes as u64);
            // One stays, to say whose they were.
            self.replies.truncate(1);
        } else {
            self.replies.push(part);
        }
    }

    /// Takes note of a part that is too long to be kept.
    pub(super) fn passed_over(&mut self, bytes: u64) {
        self.too_long = Some(bytes);
    }

    pub(super) fn first(&self) -> Option<&Reply> {
        self.replies.first()
    }

    /// The only part there is, or `None` when there is none; an error when there are more.
    pub(super) fn take_only(&mut self) -> Result<Option<Reply>, String> {
        let only = self.replies.pop();
        if self.replies.is_empty() { Ok(only) } else { Err("the server answered twice".to_owned()) }
    }

    /// The answer that ends with this.
    pub(super) fn complete(&mut self, last: Reply) -> Answer {
        self.bytes = 0;
        Answer { parts: std::mem::take(&mut self.replies), last, told: None, too_long: self.too_long.take() }
    }

    #[cfg(test)]
    pub(super) fn bytes_kept(&self) -> usize {
        self.replies.iter().map(|part| PART_BYTES + part.key.len() + part.value.len()).sum()
    }
}
