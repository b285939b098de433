//! Messages of batches that are written and read command by command, against those that are written and read whole.

use bytes::{Bytes, BytesMut};
use charioteer_proto::tikv::Message;
use charioteer_proto::tikv::batch::{Answers, Packable};
use charioteer_proto::tikv::kvrpcpb::{
    Context, HealthFeedback, RawGetRequest, RawGetResponse, RawPutRequest, RawPutResponse,
};
use charioteer_proto::tikv::rpc::{Batched, GetHealthFeedback, RawGet, RawPut};
use charioteer_proto::tikv::tikvpb::batch_commands_response::Response;
use charioteer_proto::tikv::tikvpb::{BatchCommandsRequest, BatchCommandsResponse};

fn appended<M: Batched>(message: &mut BytesMut, id: u64, request: &M::Request) {
    let (packable, before) = (Packable::<M>::new(request), message.len());
    packable.append(message, id);
    assert!(message.len() - before <= packable.max_len());
}

#[test]
fn requests_appended_one_by_one_are_read_as_one_message() {
    let context = Some(Context { region_id: 2, ..Context::default() });
    let get = RawGetRequest { context: context.clone(), key: "k".into(), ..RawGetRequest::default() };
    let put = RawPutRequest { context, key: "k".into(), value: vec![7; 70_000].into(), ..RawPutRequest::default() };
    let mut message = BytesMut::new();
    appended::<RawGet>(&mut message, 1, &get);
    appended::<RawPut>(&mut message, u64::MAX, &put);
    appended::<GetHealthFeedback>(&mut message, 300, &Default::default());
    let read = BatchCommandsRequest::decode(message.freeze()).unwrap();
    assert_eq!(read.request_ids, [1, u64::MAX, 300]);
    let commands: Vec<_> = read.requests.into_iter().map(|request| request.cmd.unwrap()).collect();
    let written =
        [RawGet::into_command(get), RawPut::into_command(put), GetHealthFeedback::into_command(Default::default())];
    assert_eq!(commands, written);
}

fn reply() -> BatchCommandsResponse {
    let get = RawGetResponse { value: vec![1; 300].into(), ..RawGetResponse::default() };
    let put = RawPutResponse { error: "no".into(), ..RawPutResponse::default() };
    BatchCommandsResponse {
        responses: vec![
            Response { cmd: Some(RawGet::into_answer(get)) },
            Response { cmd: None },
            Response { cmd: Some(RawPut::into_answer(put)) },
        ],
        request_ids: vec![7, u64::MAX, 1 << 33],
        transport_layer_load: 9,
        health_feedback: Some(HealthFeedback { store_id: 1, feedback_seq_no: 2, slow_score: 3 }),
        tikv_send_time_ns: 4,
    }
}

#[test]
fn answers_are_found_where_they_are_in_the_message() {
    let (reply, mut answers) = (reply(), Answers::default());
    let message = reply.encode_to_vec();
    answers.read(&message).unwrap();
    let read: Vec<_> = answers.iter().collect();
    assert_eq!(
        read.iter().map(|(id, answer)| (*id, answer.command)).collect::<Vec<_>>(),
        [(7, Some(RawGet::COMMAND)), (u64::MAX, None), (1 << 33, Some(RawPut::COMMAND)),]
    );
    let get = RawGetResponse::decode(&message[read[0].1.bytes.clone()]).unwrap();
    assert_eq!(get.value, vec![1; 300]);
    assert_eq!(RawPutResponse::decode(&message[read[2].1.bytes.clone()]).unwrap().error, "no");
    assert_eq!((answers.load, answers.health), (9, reply.health_feedback));
}

#[test]
fn whatever_comes_is_read_as_it_would_be_whole_or_refused() {
    let message = reply().encode_to_vec();
    let mut answers = Answers::default();
    let mut dice = 7_u64;
    for turn in 0..200_000 {
        let mut wrong = message.clone();
        if turn < message.len() {
            wrong.truncate(turn);
        } else {
            for _ in 0..1 + turn % 3 {
                dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                let (at, [.., byte, _, _]) = ((dice >> 33) as usize % wrong.len(), dice.to_be_bytes());
                wrong[at] = byte;
            }
        }
        let read = answers.read(&wrong);
        let (found, whole) = (answers.iter().count(), BatchCommandsResponse::decode(Bytes::from(wrong)));
        match (read, whole) {
            (Ok(()), Ok(whole)) => {
                assert_eq!(found, whole.request_ids.len());
                let ids: Vec<_> = answers.iter().map(|(id, _)| id).collect();
                assert_eq!(ids, whole.request_ids);
            }
            (Err(_), Ok(whole)) => assert_ne!(whole.request_ids.len(), whole.responses.len(), "turn {turn}"),
            // An answer itself is left to whoever has asked for it.
            (_, Err(_)) => {}
        }
    }
}
