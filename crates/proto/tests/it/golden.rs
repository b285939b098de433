//! The golden vectors say what their `debug` says, and are written again byte for byte.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use bytes::{Bytes, BytesMut};
use charioteer_proto::pegasus::frame::{read_reply, read_request, write_error, write_reply, write_request};
use charioteer_proto::pegasus::rpc::{Call, Rpc};

use super::table::{CallVisitor, Message, visit_call};
use super::vectors::{self, Vector};

/// What a frame says, and how the codec writes it.
struct Reading {
    debug: String,
    written: Bytes,
}

struct Read<'a>(&'a Vector);

impl CallVisitor for Read<'_> {
    type Out = Result<Reading, String>;

    fn visit<R: Rpc<Request: Message, Reply: Message>>(self) -> Self::Out {
        let mut input = BytesMut::from(&self.0.bytes[..]);
        let reading = if self.0.is_request { read_request_of::<R>(&mut input) } else { read_reply_of::<R>(&mut input) };
        if input.is_empty() { reading } else { Err(format!("{} bytes behind the frame", input.len())) }
    }
}

fn read_request_of<R: Rpc<Request: Message>>(input: &mut BytesMut) -> Result<Reading, String> {
    let request = read_request(input, 1 << 20).map_err(|error| error.to_string())?.ok_or("not whole")?;
    if request.name != R::NAME.as_bytes() {
        return Err(format!("the name is {:?}", request.name));
    }
    let (header, number) = (request.header, request.sequence_id);
    let argument = request.argument::<R::Request>().map_err(|error| error.to_string())?;
    let mut written = BytesMut::new();
    write_request(&mut written, &header, R::NAME, number, &argument);
    Ok(Reading { debug: format!("{header:?} seqid={number} {argument:?}"), written: written.freeze() })
}

fn read_reply_of<R: Rpc<Reply: Message>>(input: &mut BytesMut) -> Result<Reading, String> {
    let reply = read_reply(input, 1 << 20).map_err(|error| error.to_string())?.ok_or("not whole")?;
    if reply.name.strip_suffix(b"_ACK") != Some(R::NAME.as_bytes()) {
        return Err(format!("the name is {:?}", reply.name));
    }
    let (error, number) = (reply.error.clone(), reply.sequence_id);
    let mut written = BytesMut::new();
    let mut debug = format!("{error:?} seqid={number}");
    if error.is_ok() {
        let result = reply.result::<R::Reply>().map_err(|error| error.to_string())?;
        write_reply(&mut written, R::NAME.as_bytes(), number, &result);
        debug += &format!(" {result:?}");
    } else if reply.results.is_empty() {
        write_error(&mut written, R::NAME.as_bytes(), number, &error);
    } else {
        return Err(format!("an error with results {:?}", reply.results));
    }
    Ok(Reading { debug, written: written.freeze() })
}

fn read(vector: &Vector) -> Result<Reading, String> {
    let call = Call::from_name(vector.rpc.as_bytes()).ok_or_else(|| format!("no call {}", vector.rpc))?;
    visit_call(call, Read(vector)).ok_or("the call is not listed")?
}

/// Puts what the frames say into the files.
fn update(file: &Path, vectors: &[Vector]) {
    let text = fs::read_to_string(file).expect("readable");
    let updated = vectors::blocks(&text).enumerate().map(|(index, block)| {
        let of_block = vectors.iter().find(|vector| vector.file == file && vector.block == index);
        match of_block.and_then(|vector| read(vector).ok()) {
            Some(reading) => {
                let kept = block.trim().lines().filter(|line| !line.starts_with("debug:"));
                let kept: Vec<_> = kept.collect();
                format!("{}\ndebug: {}\n", kept.join("\n"), reading.debug)
            }
            None => format!("{}\n", block.trim()),
        }
    });
    fs::write(file, updated.collect::<Vec<_>>().join("\n")).expect("writable");
}

#[test]
fn golden_vectors_say_what_they_should_and_are_written_again_byte_for_byte() {
    let mut vectors = vectors::all();
    if std::env::var_os("UPDATE").is_some() {
        vectors::files().iter().for_each(|file| update(file, &vectors));
        vectors = vectors::all();
    }
    let mut wrong = Vec::new();
    for vector in &vectors {
        let problem = match read(vector) {
            Err(error) => error,
            Ok(reading) if reading.debug != vector.debug => format!("it says\n  {}", reading.debug),
            Ok(reading) if (reading.written == vector.bytes) != vector.reencodes => {
                format!("reencode is {}, but it is written\n  {:?}", vector.reencodes, reading.written)
            }
            Ok(_) => continue,
        };
        wrong.push(format!("{}, {}: {problem}", vector.file.display(), vector.name));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn golden_vectors_have_names_of_their_own_and_an_origin() {
    let vectors = vectors::all();
    let names: BTreeSet<_> = vectors.iter().map(|vector| &vector.name).collect();
    assert_eq!(names.len(), vectors.len());
    assert!(vectors.iter().all(|vector| vector.origin.len() > 10));
}

#[test]
fn every_call_is_in_the_tests_table() {
    struct Name;
    impl CallVisitor for Name {
        type Out = &'static str;
        fn visit<R: Rpc>(self) -> &'static str {
            R::NAME
        }
    }
    for &call in Call::ALL {
        assert_eq!(visit_call(call, Name), Some(call.name()));
        assert_eq!(Call::from_name(call.name().as_bytes()), Some(call));
    }
}
