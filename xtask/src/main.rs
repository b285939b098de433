//! `codegen` makes the messages of TiKV's protocol from our own .proto files, without `protoc` and without a build script.
//!
//! ```text
//! cargo run --manifest-path xtask/Cargo.toml -- codegen            writes crates/proto/src/tikv/messages
//! cargo run --manifest-path xtask/Cargo.toml -- codegen --check    fails where that would change a file
//! ```
//!
//! It is a workspace of its own: it takes 40 seconds of processor time to build, which nobody should wait for who runs the tests.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use protox::prost_reflect::prost_types::field_descriptor_proto::{Label, Type};
use protox::prost_reflect::prost_types::{FieldDescriptorProto, FileDescriptorProto};

type Done = Result<(), Box<dyn Error>>;

/// Messages that lie behind a pointer wherever they are a field. They are rare and large, and would make every answer and every pair
/// of a scan as large.
const BOXED: &[&str] = &[".errorpb.Error", ".kvrpcpb.KeyError", ".kvrpcpb.LockInfo", ".kvrpcpb.ResourceControlContext"];

/// A message whose every message lies behind a pointer: it is one of fourteen reasons, and the others are empty.
const BOXED_WITHIN: &str = "KeyError";

/// The alternatives that lie behind pointers: the commands of a batch, so that those that wait are cheap to hand on, and a batch of
/// empty ones takes little.
const BOXED_ALTERNATIVES: &str = ".tikvpb.BatchCommandsRequest.Request.cmd";

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let done = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["codegen"] => codegen(write),
        ["codegen", "--check"] => codegen(compare),
        _ => Err("usage: xtask codegen [--check]".into()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Messages that are written by hand, in a module of the crate, and stand where they would have been generated.
const BY_HAND: [(&str, &str, &str); 3] = [
    ("kvrpcpb", "RawBatchGetResponse", "pairs"),
    ("kvrpcpb", "RawBatchScanResponse", "pairs"),
    ("kvrpcpb", "RawScanResponse", "pairs"),
];

/// Generates every file, and does `each` with its place and its text.
fn codegen(each: fn(&Path, &str) -> Done) -> Done {
    let proto = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/proto");
    let folder = proto.join("proto/tikv");
    let mut sources =
        fs::read_dir(&folder)?.map(|entry| Ok(entry?.path())).collect::<Result<Vec<PathBuf>, Box<dyn Error>>>()?;
    sources.sort();
    let descriptors = protox::compile(&sources, [&folder])?;
    let mut config = config(&descriptors.file);
    let requests = descriptors.file.into_iter().map(|file| {
        let module = prost_build::Module::from_protobuf_package_name(file.package());
        (module, file)
    });
    for (module, mut text) in config.generate(requests.collect())? {
        for (_, message, place) in BY_HAND.iter().filter(|(package, ..)| module.parts().eq([*package])) {
            text.push_str(&format!("pub use super::super::{place}::{message};\n"));
        }
        each(&proto.join("src/tikv/messages").join(module.to_file_name_or("_")), &text)?;
    }
    Ok(())
}

fn config(files: &[FileDescriptorProto]) -> prost_build::Config {
    let mut config = prost_build::Config::new();
    config.bytes(["."]).btree_map(["."]).boxed(BOXED_ALTERNATIVES).format(true);
    for (package, message, place) in BY_HAND {
        config.extern_path(format!(".{package}.{message}"), format!("crate::tikv::{place}::{message}"));
    }
    for file in files {
        for message in &file.message_type {
            for field in message.field.iter().filter(|field| is_boxed(message.name(), field)) {
                config.boxed(format!(".{}.{}.{}", file.package(), message.name(), field.name()));
            }
        }
    }
    config
}

fn is_boxed(message: &str, field: &FieldDescriptorProto) -> bool {
    let is_one_message = field.r#type() == Type::Message && field.label() != Label::Repeated;
    is_one_message && (message == BOXED_WITHIN || BOXED.contains(&field.type_name()))
}

fn write(place: &Path, text: &str) -> Done {
    Ok(fs::write(place, text)?)
}

fn compare(place: &Path, text: &str) -> Done {
    if fs::read_to_string(place).is_ok_and(|committed| committed == text) {
        return Ok(());
    }
    Err(format!("{} is not what its .proto file says; run `xtask codegen`", place.display()).into())
}
