//! What a request is about, as far as a fault can choose by it.

use bytes::Bytes;
use charioteer_proto::memcached::{binary, text};

use crate::memcached::Call;
use crate::memcached::session::Request;

/// A request, with what a fault can choose by.
pub(crate) struct Asked<'a> {
    pub(super) call: Call,
    pub(super) is_binary: bool,
    request: &'a Request,
}

impl<'a> Asked<'a> {
    pub(super) const fn new(call: Call, request: &'a Request) -> Self {
        Self { call, is_binary: matches!(request, Request::Binary(_)), request }
    }

    /// Whether it is about an item of such a key.
    pub(super) fn is_about(&self, mut wanted: impl FnMut(&[u8]) -> bool) -> bool {
        match self.request {
            Request::Text(text::Request::Get { keys, .. }) => keys.iter().any(wanted),
            Request::Text(request) => key_of_line(request).is_some_and(|key| wanted(key)),
            Request::Binary(request) => key_of_packet(&request.command).is_some_and(|key| wanted(key)),
            Request::Credentials(_) => false,
        }
    }
}

const fn key_of_packet(command: &binary::Command) -> Option<&Bytes> {
    use binary::Command;
    match command {
        Command::Get { key, .. }
        | Command::GetAndTouch { key, .. }
        | Command::Touch { key, .. }
        | Command::Store { key, .. }
        | Command::Delete { key }
        | Command::Count { key, .. }
        | Command::TooLarge { key, .. } => Some(key),
        _ => None,
    }
}

const fn key_of_line(request: &text::Request) -> Option<&Bytes> {
    use text::Request;
    match request {
        Request::Store { key, .. }
        | Request::Delete { key, .. }
        | Request::Count { key, .. }
        | Request::Touch { key, .. }
        | Request::MetaDebug { key, .. }
        | Request::TooLarge { key, .. } => Some(key),
        Request::Meta(request) => Some(&request.key),
        _ => None,
    }
}
