//! The golden vectors say what their `asks` and `tells` say, and are written again byte for byte.

use std::collections::{BTreeSet, VecDeque};
use std::fmt::Debug;
use std::fs;
use std::path::Path;

use bytes::{Bytes, BytesMut};
use charioteer_proto::memcached::meta::{Flag, Flags, ItemFacts, Status, Verb};
use charioteer_proto::memcached::text::{self, Admin, Awaited};
use charioteer_proto::memcached::{Intake, Limits, auth, binary, meta};

use super::vectors::{self, Vector};
use crate::vectors::blocks;

/// What some bytes say, and how the codec writes it.
#[derive(Default)]
struct Reading {
    says: Vec<String>,
    written: BytesMut,
}

impl Reading {
    fn push(&mut self, message: impl Debug, write: impl FnOnce(&mut BytesMut)) {
        self.says.push(format!("{message:?}"));
        write(&mut self.written);
    }

    fn says(&self) -> String {
        self.says.join(" | ")
    }
}

fn request(vector: &Vector) -> Result<Reading, String> {
    let (mut input, mut reading) = (BytesMut::from(&vector.request[..]), Reading::default());
    let (limits, mut intake) = (Limits::default(), Intake::default());
    while !input.is_empty() {
        if vector.is_binary {
            let request = binary::read_request(&mut input, &limits, &mut intake).map_err(|error| error.to_string())?;
            let request = request.ok_or("not whole")?;
            reading.push(&request, |out| binary::write_request(out, &request));
        } else if vector.name.starts_with("auth_") && vector.name != "auth_06_get" {
            let attempt =
                auth::read_credentials(&mut input, &limits, &mut intake).map_err(|error| error.to_string())?;
            match attempt.ok_or("not whole")? {
                auth::Attempt::Credentials { user, password } => reading
                    .push(("credentials", &user, &password), |out| auth::write_credentials(out, &user, &password)),
                refused => reading.push(refused, |_| {}),
            }
        } else {
            match text::read_request(&mut input, &limits, &mut intake) {
                Ok(Some(request)) => reading.push(&request, |out| text::write_request(out, &request)),
                // What was passed over.
                Ok(None) if input.is_empty() => {}
                Ok(None) => return Err("not whole".to_owned()),
                Err(error) => {
                    reading.push(error, |_| {});
                    break;
                }
            }
        }
    }
    Ok(reading)
}

fn reply(vector: &Vector) -> Result<Reading, String> {
    let (mut input, mut reading) = (BytesMut::from(&vector.reply[..]), Reading::default());
    let (limits, mut awaited) = (Limits::default(), awaited(vector));
    while !input.is_empty() {
        if vector.is_binary {
            let reply =
                binary::read_reply(&mut input, &limits).map_err(|error| error.to_string())?.ok_or("not whole")?;
            reading.push(&reply, |out| binary::write_reply(out, &reply));
        } else if is_meta(&input) && awaited.front() != Some(&Awaited::Lines) {
            let line = input.clone().freeze();
            let reply = meta::read_reply(&mut input, &limits).map_err(|error| error.to_string())?.ok_or("not whole")?;
            reading.push(&reply, |out| write_meta(out, &line, &reply));
        } else {
            let front = awaited.front().copied().unwrap_or(Awaited::Ok);
            let reply = text::read_reply(&mut input, front, &limits).map_err(|error| error.to_string())?;
            let reply = reply.ok_or("not whole")?;
            if reply.is_last(front) {
                awaited.pop_front();
            }
            reading.push(&reply, |out| text::write_reply(out, &reply));
        }
    }
    Ok(reading)
}

fn is_meta(input: &[u8]) -> bool {
    let codes = [b"HD", b"VA", b"EN", b"NF", b"NS", b"EX", b"MN", b"ME"];
    codes.iter().any(|code| input.starts_with(*code)) && matches!(input.get(2), Some(b' ' | b'\r'))
}

/// What the client awaits that sent these requests. Nothing comes for some; replies of meta commands tell what they are.
fn awaited(vector: &Vector) -> VecDeque<Awaited> {
    use text::Request as R;
    let (mut input, mut awaited) = (BytesMut::from(&vector.request[..]), VecDeque::new());
    let mut intake = Intake::default();
    while let Ok(Some(request)) = text::read_request(&mut input, &Limits::default(), &mut intake) {
        awaited.extend(match request {
            R::Store { noreply: false, .. } => Some(Awaited::Stored),
            R::Get { .. } => Some(Awaited::Values),
            R::Delete { noreply: false, .. } => Some(Awaited::Deleted),
            R::Count { noreply: false, .. } => Some(Awaited::Number),
            R::Touch { noreply: false, .. } => Some(Awaited::Touched),
            R::Version => Some(Awaited::Version),
            R::Stats { .. } => Some(Awaited::Stats),
            R::ConfigGet { .. } => Some(Awaited::Config),
            R::Admin { command: Admin::Metadump { .. } | Admin::Mgdump { .. }, .. } => Some(Awaited::Lines),
            R::FlushAll { noreply: false, .. } | R::Verbosity { noreply: false, .. } => Some(Awaited::Ok),
            R::Admin { .. } | R::Refused(_) => Some(Awaited::Ok),
            _ => None,
        });
    }
    awaited
}

/// Writes a reply as the server that sent it: in answer to a request whose flags ask for what the reply tells.
fn write_meta(out: &mut BytesMut, line: &[u8], reply: &meta::Reply) {
    let item = match reply {
        meta::Reply::Item(item) => item,
        meta::Reply::Noop => return meta::write_noop_reply(out),
        meta::Reply::Debug { key, facts } => return meta::write_debug_reply(out, key, false, Some(facts)),
        meta::Reply::Error(_) => unreachable!("errors are no replies of meta commands alone"),
    };
    let line = line.split(|&byte| byte == b'\n').next().unwrap_or_default().trim_ascii_end();
    let mut flags = Flags::new();
    for word in line.split(|&byte| byte == b' ').skip(if item.value.is_some() { 2 } else { 1 }) {
        let flag = match word[0] {
            b'b' => Flag::Base64Key,
            b'c' => Flag::ReturnCas,
            b'f' => Flag::ReturnClientFlags,
            b'h' => Flag::ReturnHit,
            b'k' => Flag::ReturnKey,
            b'l' => Flag::ReturnIdle,
            b's' => Flag::ReturnSize,
            b't' => Flag::ReturnLifetime,
            b'O' => Flag::Opaque(item.opaque.expect("read")),
            _ => continue,
        };
        flags.push(flag).expect("each once");
    }
    let verb = if matches!(item.status, Status::Done | Status::Missing) { Verb::Get } else { Verb::Set };
    let request = meta::Request { verb, key: item.key.clone().unwrap_or_default(), flags, value: Bytes::new() };
    let facts = ItemFacts {
        cas: item.cas.unwrap_or_default(),
        client_flags: item.client_flags.unwrap_or_default(),
        hit: item.hit.unwrap_or_default(),
        idle_seconds: item.idle_seconds.unwrap_or_default(),
        size: item.size.unwrap_or_default(),
        remaining: item.remaining.unwrap_or_default(),
        won: item.won,
        stale: item.stale,
        already_won: item.already_won,
        base64_key: item.base64,
    };
    meta::write_reply(out, &request, item.status, &facts, item.value.as_deref());
}

/// Puts what requests and replies say into the files.
fn update(file: &Path, vectors: &[Vector]) {
    let text = fs::read_to_string(file).expect("readable");
    let updated = blocks(&text).enumerate().map(|(index, block)| {
        let vector = vectors.iter().find(|vector| vector.file == file && vector.block == index).expect("read");
        let kept = block.trim().lines().filter(|line| !line.starts_with("asks:") && !line.starts_with("tells:"));
        let mut lines: Vec<_> = kept.map(str::to_owned).collect();
        lines.extend(request(vector).ok().map(|reading| format!("asks: {}", reading.says())));
        lines.extend(reply(vector).ok().map(|reading| format!("tells: {}", reading.says())));
        lines.join("\n") + "\n"
    });
    fs::write(file, updated.collect::<Vec<_>>().join("\n")).expect("writable");
}

/// What is wrong with one direction of a vector.
fn problem(reading: Result<Reading, String>, says: &str, wire: &[u8], rewrites: bool) -> Option<String> {
    match reading {
        Err(error) => Some(error),
        Ok(reading) if reading.says() != says => Some(format!("it says\n  {}", reading.says())),
        Ok(reading) if (reading.written == wire) != rewrites => {
            Some(format!("whether it is rewritten should be {rewrites}, but it is written\n  {:?}", reading.written))
        }
        Ok(_) => None,
    }
}

#[test]
fn golden_vectors_say_what_they_should_and_are_written_again_byte_for_byte() {
    let mut vectors = vectors::all();
    if std::env::var_os("UPDATE").is_some() {
        vectors::files().iter().for_each(|file| update(file, &vectors));
        vectors = vectors::all();
    }
    let problems = vectors.iter().flat_map(|vector| {
        let asks = problem(request(vector), &vector.asks, &vector.request, vector.rewrites.0);
        let tells = problem(reply(vector), &vector.tells, &vector.reply, vector.rewrites.1);
        let named = |kind: &'static str| move |problem| format!("{}, {kind}: {problem}", vector.name);
        [asks.map(named("request")), tells.map(named("reply"))].into_iter().flatten()
    });
    let problems: Vec<_> = problems.collect();
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[test]
fn golden_vectors_have_names_of_their_own_and_an_origin() {
    let vectors = vectors::all();
    let names: BTreeSet<_> = vectors.iter().map(|vector| &vector.name).collect();
    assert_eq!(names.len(), vectors.len());
    assert!(vectors.iter().all(|vector| vector.origin.len() > 10));
}

#[test]
fn what_is_refused_is_refused_in_the_words_of_memcached_1_6_45() {
    let mut refused = 0;
    for vector in vectors::all().iter().filter(|vector| !vector.is_binary && vector.origin.contains("1.6.45")) {
        let (mut input, mut out) = (BytesMut::from(&vector.request[..]), BytesMut::new());
        let mut intake = Intake::default();
        while let Ok(Some(request)) = text::read_request(&mut input, &Limits::default(), &mut intake) {
            match request {
                text::Request::Refused(refusal) => refusal.write(&mut out),
                _ => out.extend_from_slice(b"carried out"),
            }
        }
        if !out.is_empty() && !out.starts_with(b"carried out") && !vector.name.starts_with("auth_") {
            assert_eq!(out, vector.reply, "{}", vector.name);
            refused += 1;
        }
    }
    assert!(refused > 15, "{refused}");
}
