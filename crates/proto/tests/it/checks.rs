//! What must hold for any bytes whatsoever. The fuzz targets and the tests run the same functions.

use bytes::{Bytes, BytesMut};
use charioteer_proto::pegasus::frame::{
    FrameError, Reply, Request, read_reply, read_request, write_error, write_reply, write_request,
};
use charioteer_proto::pegasus::rpc::{Call, Rpc};
use charioteer_proto::pegasus::thrift;

use super::table::{CallVisitor, Entropy, Message, StructVisitor, structs, visit_call};

/// Longer messages are refused; the second limit is one that many of the tried ones exceed.
const LIMITS: [usize; 2] = [1 << 20, 40];

/// Bytes of a connection that a server reads: it makes no difference how they arrive, and what can be read can be written.
pub(crate) fn request(wire: &[u8]) {
    for limit in LIMITS {
        let read = |input: &mut BytesMut| read_request(input, limit);
        let (requests, failed) = frames(wire, wire.len(), read);
        assert_eq!(frames(wire, 1 + wire.len() % 7, read), (requests.clone(), failed));
        for request in requests {
            if let Some(call) = Call::from_name(&request.name) {
                visit_call(call, RewriteRequest(request)).expect("listed");
            }
        }
    }
}

/// Bytes of a connection that a client reads.
pub(crate) fn reply(wire: &[u8]) {
    for limit in LIMITS {
        let read = |input: &mut BytesMut| read_reply(input, limit);
        let (replies, failed) = frames(wire, wire.len(), read);
        assert_eq!(frames(wire, 1 + wire.len() % 7, read), (replies.clone(), failed));
        for reply in replies {
            if let Some(call) = reply.name.strip_suffix(b"_ACK").and_then(Call::from_name) {
                visit_call(call, RewriteReply(reply)).expect("listed");
            }
        }
    }
}

/// Bytes of a struct, which the first byte chooses: what can be read can be written, and then reads the same.
pub(crate) fn message(data: &[u8]) {
    with_struct(data, |wire, index| structs::<Rewrite<'_>>()[index](Rewrite(wire)));
}

/// Bytes of which a value is made, whose struct the first byte chooses: what is written reads the same.
pub(crate) fn value(data: &[u8]) {
    with_struct(data, |entropy, index| structs::<Write<'_>>()[index](Write(entropy)));
}

fn with_struct(data: &[u8], run: impl FnOnce(&[u8], usize)) {
    if let Some((&chosen, rest)) = data.split_first() {
        run(rest, usize::from(chosen) % structs::<Rewrite<'_>>().len());
    }
}

/// Takes all frames out of bytes that arrive in steps; also says whether there was an error.
pub(crate) fn frames<T>(
    wire: &[u8],
    step: usize,
    read: impl Fn(&mut BytesMut) -> Result<Option<T>, FrameError>,
) -> (Vec<T>, bool) {
    let mut input = BytesMut::new();
    let mut taken = Vec::new();
    for arrived in wire.chunks(step.max(1)) {
        input.extend_from_slice(arrived);
        loop {
            match read(&mut input) {
                Ok(Some(frame)) => taken.push(frame),
                Ok(None) => break,
                Err(error) => {
                    assert!(!error.to_string().is_empty());
                    return (taken, true);
                }
            }
        }
    }
    (taken, false)
}

struct RewriteRequest(Request);

impl CallVisitor for RewriteRequest {
    type Out = ();

    fn visit<R: Rpc<Request: Message, Reply: Message>>(self) {
        let Self(request) = self;
        let (header, sequence_id) = (request.header, request.sequence_id);
        let Ok(argument) = request.argument::<R::Request>() else { return };
        let mut wire = BytesMut::new();
        write_request(&mut wire, &header, R::NAME, sequence_id, &argument);
        let again = read_request(&mut wire, usize::MAX).expect("a request").expect("a whole one");
        assert!(wire.is_empty());
        assert_eq!((again.header, &again.name[..], again.sequence_id), (header, R::NAME.as_bytes(), sequence_id));
        assert_eq!(again.argument::<R::Request>(), Ok(argument));
    }
}

struct RewriteReply(Reply);

impl CallVisitor for RewriteReply {
    type Out = ();

    fn visit<R: Rpc<Request: Message, Reply: Message>>(self) {
        let Self(reply) = self;
        let (error, sequence_id) = (reply.error.clone(), reply.sequence_id);
        let mut wire = BytesMut::new();
        let result = if error.is_ok() {
            let Ok(result) = reply.result::<R::Reply>() else { return };
            write_reply(&mut wire, R::NAME.as_bytes(), sequence_id, &result);
            Some(result)
        } else {
            write_error(&mut wire, R::NAME.as_bytes(), sequence_id, &error);
            None
        };
        let again = read_reply(&mut wire, usize::MAX).expect("a reply").expect("a whole one");
        assert!(wire.is_empty());
        assert_eq!((&again.error, again.sequence_id), (&error, sequence_id));
        assert_eq!(again.result::<R::Reply>().ok(), result);
    }
}

struct Rewrite<'a>(&'a [u8]);

impl StructVisitor for Rewrite<'_> {
    type Out = ();

    fn visit<T: Message>(self) {
        match thrift::decode::<T>(Bytes::copy_from_slice(self.0)) {
            Ok(value) => reads_the_same(&value),
            Err(error) => {
                assert!(error.offset <= self.0.len(), "{error}");
                assert!(!error.to_string().is_empty());
            }
        }
    }
}

struct Write<'a>(&'a [u8]);

impl StructVisitor for Write<'_> {
    type Out = ();

    fn visit<T: Message>(self) {
        reads_the_same(&T::sample(&mut Entropy::new(self.0)));
    }
}

pub(crate) fn reads_the_same<T: Message>(value: &T) {
    let mut wire = BytesMut::new();
    thrift::encode(value, &mut wire);
    let again = thrift::decode::<T>(wire.clone().freeze());
    assert_eq!(again.as_ref(), Ok(value), "{wire:?}");
}
