//! The table of methods.

use std::collections::{BTreeMap, BTreeSet};

use charioteer_proto::tikv::kvrpcpb::{RawGetRequest, RawGetResponse};
use charioteer_proto::tikv::rpc::{Batched, Call, Command, Kind, KvPessimisticRollback, Method, RawGet, RawPut};
use charioteer_proto::tikv::tikvpb::BatchCommandsEmptyRequest;
use charioteer_proto::tikv::tikvpb::batch_commands_request::Request;
use prost::Message as _;

use super::vectors;

#[test]
fn every_method_is_found_by_its_path_and_no_path_is_there_twice() {
    for &call in Call::ALL {
        assert_eq!(Call::from_path(call.path()), Some(call));
    }
    let paths: BTreeSet<_> = Call::ALL.iter().map(|call| call.path()).collect();
    assert_eq!(paths.len(), Call::ALL.len());
    assert_eq!(Call::from_path("/tikvpb.Tikv/rawget"), None);
    assert_eq!(Call::from_path(""), None);
}

#[test]
fn the_one_method_that_is_spelt_otherwise_keeps_its_spelling() {
    assert_eq!(KvPessimisticRollback::PATH, "/tikvpb.Tikv/KVPessimisticRollback");
}

#[test]
fn commands_have_the_numbers_of_the_batch_they_travel_in() {
    for direction in ["tikvpb.BatchCommandsRequest.Request", "tikvpb.BatchCommandsResponse.Response"] {
        let vector = vectors::all().into_iter().find(|vector| vector.name == direction).expect("recorded");
        let table: BTreeMap<_, _> = Call::ALL.iter().filter_map(|call| Some((call.command()?, call))).collect();
        let numbers: BTreeSet<_> = table.keys().copied().chain([255]).collect();
        assert_eq!(numbers, vector.fields.keys().copied().collect());
        for (number, call) in table {
            let method = call.path().rsplit('/').next().expect("a path").to_lowercase();
            let command = vector.fields[&number].to_lowercase();
            // `KvGet` is the command `Get`, `RawGet` keeps its name.
            assert!(method == command || method == format!("kv{command}"), "{call:?} is {command}");
        }
    }
}

#[test]
fn streams_are_known_as_such() {
    let of = |kind| Call::ALL.iter().copied().filter(move |call| call.kind() == kind).collect::<Vec<_>>();
    assert_eq!(of(Kind::Stream), [Call::Tso, Call::QueryRegion, Call::BatchCommands]);
    assert_eq!(
        of(Kind::Watch),
        [Call::WatchGlobalConfig, Call::WatchKeyspaces, Call::CoprocessorStream, Call::HealthWatch]
    );
}

#[test]
fn a_command_travels_under_its_number() {
    let command = RawGet::into_command(RawGetRequest { key: "k".into(), ..RawGetRequest::default() });
    let wire = Request { cmd: Some(command) }.encode_to_vec();
    assert_eq!(wire, [13 << 3 | 2, 3, 2 << 3 | 2, 1, b'k']);
    let command = Request::decode(&wire[..]).unwrap().cmd.unwrap();
    assert_eq!(Call::of_command(&command), Some(Call::RawGet));
    assert_eq!(&RawGet::from_command(command).unwrap().key[..], b"k");
}

#[test]
fn an_answer_of_another_method_is_given_back() {
    let answer = RawGet::into_answer(RawGetResponse { not_found: true, ..RawGetResponse::default() });
    assert_eq!(Call::of_answer(&answer), Some(Call::RawGet));
    assert_eq!(RawPut::from_answer(answer.clone()), Err(answer.clone()));
    assert!(RawGet::from_answer(answer).unwrap().not_found);
}

#[test]
fn the_empty_command_and_one_of_an_unknown_number_are_no_method() {
    let empty = Command::Empty(BatchCommandsEmptyRequest { test_id: 1, delay_time: 2 }.into());
    assert_eq!(Call::of_command(&empty), None);
    // 5 is Import.
    assert_eq!(Request::decode(&[5 << 3 | 2, 0][..]).unwrap().cmd, None);
}
