//! Replies that are late, missing, cut, or not what they should be; and what is left of a deadline.

use std::time::{Duration, Instant};

use charioteer::pegasus::{Check, CheckOptions, Mutation, Table};
use charioteer::{ErrorKind, Outcome};
use charioteer_server::testing::{Action, Call, ErrorCode, Fault, TestServer};
use futures_util::future::join_all;

use super::support::{LONG, connect, temp};

const SHORT: Duration = Duration::from_millis(60);

#[tokio::test]
async fn a_late_reply_is_waited_for_as_long_as_there_is_time() {
    let (server, table) = temp().await;
    let _late = server.pegasus().inject(Fault::new(Action::DelayReply(SHORT)).data());
    let table = table.with_timeout(LONG);
    table.set("h", "s", "v").await.unwrap();
    assert_eq!(table.get("h", "s").await.unwrap().unwrap(), "v");
}

#[tokio::test]
async fn no_reply_in_time_is_an_error_that_says_what_may_have_happened() {
    for action in [Action::Drop, Action::DropReply, Action::Hold, Action::HoldReply] {
        let (server, table) = temp().await;
        let text = format!("{action:?}");
        let _silent = server.pegasus().inject(Fault::new(action).data());
        let table = table.with_timeout(SHORT);
        let started = Instant::now();
        let read = table.get("h", "s").await.unwrap_err();
        let write = table.set("h", "s", "v").await.unwrap_err();
        let count = table.incr("h", "n", 1).await.unwrap_err();
        assert!(started.elapsed() >= 3 * SHORT && started.elapsed() < LONG);
        for (error, outcome) in [(read, Outcome::NotApplied), (write, Outcome::Unknown), (count, Outcome::Unknown)] {
            assert_eq!(
                (error.kind(), error.outcome(), error.is_retryable()),
                (ErrorKind::Timeout, outcome, true),
                "{text}"
            );
            assert!(error.elapsed() >= SHORT && error.peer().is_some());
        }
    }
}

#[tokio::test]
async fn a_reply_that_comes_too_late_is_never_anybody_elses() {
    let (server, table) = temp().await;
    table.set("h", "late", "late").await.unwrap();
    table.set("h", "s", "v").await.unwrap();
    let held = server.pegasus().inject(Fault::new(Action::HoldReply).on(Call::Get).times(20));
    let impatient = table.clone().with_timeout(SHORT);
    let given_up = join_all((0..20).map(|_| impatient.get("h", "late"))).await;
    assert!(given_up.iter().all(Result::is_err));
    let reading = join_all((0..100).map(|_| table.get("h", "s")));
    held.release();
    assert!(reading.await.into_iter().all(|found| found.unwrap().unwrap() == "v"));
}

#[tokio::test]
async fn a_cut_connection_is_no_matter_for_what_may_be_carried_out_twice() {
    for action in
        [Action::Cut, Action::CutReply { after_bytes: 0 }, Action::CutReply { after_bytes: 9 }, Action::Garble]
    {
        let (server, table) = temp().await;
        let text = format!("{action:?}");
        let fault = || Fault::new(action.clone());
        let cut = server.pegasus().inject(fault().on(Call::Put).times(1));
        table.set("h", "s", "v").await.unwrap();
        assert_eq!((cut.hits(), server.pegasus().requests(Call::Put)), (1, 2), "{text}");
        let cut = server.pegasus().inject(fault().on(Call::Get).times(1));
        assert_eq!(table.get("h", "s").await.unwrap().unwrap(), "v", "{text}");
        assert_eq!(cut.hits(), 1);
        let cut = server.pegasus().inject(fault().on(Call::MultiRemove).times(1));
        table.multi_del("h", ["s"]).await.unwrap();
        assert_eq!(cut.hits(), 1);
    }
}

async fn each_change(table: &Table) -> [charioteer::Error; 3] {
    let mutations = [Mutation::set("mutated", "v")];
    [
        table.incr("h", "n", 1).await.unwrap_err(),
        table.check_and_set("h", "x", Check::NotExist, "set", "v").await.unwrap_err(),
        table.check_and_mutate("h", "x", Check::NotExist, mutations, CheckOptions::default()).await.unwrap_err(),
    ]
}

#[tokio::test]
async fn what_must_not_be_carried_out_twice_is_not_and_its_outcome_is_unknown() {
    for action in [Action::CutReply { after_bytes: 9 }, Action::Garble, Action::Misnumber(77)] {
        let (server, table) = temp().await;
        let text = format!("{action:?}");
        let cut = server.pegasus().inject(Fault::new(action).writes());
        for error in each_change(&table).await {
            assert_eq!((error.outcome(), error.attempts()), (Outcome::Unknown, 1), "{text}: {error}");
            assert!(error.to_string().ends_with("it may have been applied"), "{error}");
        }
        assert_eq!(cut.hits(), 3);
        drop(cut);
        assert_eq!(table.get("h", "n").await.unwrap().unwrap(), "1", "it was, once");
        assert!(table.exist("h", "set").await.unwrap() && table.exist("h", "mutated").await.unwrap());
    }
}

#[tokio::test]
async fn what_must_not_be_carried_out_twice_is_tried_again_while_nothing_has_happened() {
    let (server, table) = temp().await;
    for code in [ErrorCode::BUSY, ErrorCode::INVALID_STATE, ErrorCode::OBJECT_NOT_FOUND, ErrorCode::NOT_ENOUGH_MEMBER] {
        let fault = server.pegasus().inject(Fault::new(Action::Answer(code)).on(Call::Incr).times(2));
        table.incr("h", "n", 1).await.unwrap();
        assert_eq!(fault.hits(), 2);
    }
    assert_eq!(table.get("h", "n").await.unwrap().unwrap(), "4");
}

#[tokio::test]
async fn a_set_whose_reply_is_cut_is_unknown_only_if_it_is_not_tried_again() {
    let (server, table) = temp().await;
    let once = table.clone().with_attempts(1);
    let _cut = server.pegasus().inject(Fault::new(Action::CutReply { after_bytes: 4 }).on(Call::Put).times(1));
    let error = once.set("h", "s", "v").await.unwrap_err();
    assert_eq!((error.kind(), error.outcome(), error.attempts()), (ErrorKind::Unavailable, Outcome::Unknown, 1));
    assert_eq!(table.get("h", "s").await.unwrap().unwrap(), "v");
}

#[tokio::test]
async fn once_unknown_stays_unknown_though_later_attempts_did_nothing() {
    let (server, table) = temp().await;
    let pegasus = server.pegasus();
    let _busy = pegasus.inject(Fault::new(Action::Answer(ErrorCode::BUSY)).on(Call::Put).skip(1));
    let _cut = pegasus.inject(Fault::new(Action::CutReply { after_bytes: 4 }).on(Call::Put).times(1));
    let error = table.with_attempts(3).set("h", "s", "v").await.unwrap_err();
    assert_eq!((error.kind(), error.outcome(), error.attempts()), (ErrorKind::Busy, Outcome::Unknown, 3));
}

#[tokio::test]
async fn replies_with_wrong_numbers_or_sent_twice_are_never_mixed_up() {
    for action in [Action::Misnumber(-1), Action::Misnumber(1 << 20), Action::Duplicate] {
        let (server, table) = temp().await;
        let text = format!("{action:?}");
        for number in 0..50 {
            table.set("h", format!("s{number}"), format!("v{number}")).await.unwrap();
        }
        let fault = server.pegasus().inject(Fault::new(action).on(Call::Get).one_in(5, 1));
        let table = table.with_timeout(LONG);
        let found = join_all((0..50).map(|number| table.get("h", format!("s{number}")))).await;
        for (number, found) in found.into_iter().enumerate() {
            assert_eq!(found.unwrap().unwrap(), format!("v{number}"), "{text}");
        }
        assert!(fault.hits() > 0);
    }
}

#[tokio::test]
async fn hardly_any_time_is_an_error_or_an_answer_and_never_a_wait() {
    let (_server, table) = temp().await;
    for nanos in [0, 1, 1000, 100_000, 1_000_000] {
        let table = table.clone().with_timeout(Duration::from_nanos(nanos));
        let results = [
            table.get("h", "s").await.map(|_| ()),
            table.set("h", "s", "v").await,
            table.incr("h", "n", 1).await.map(|_| ()),
            table.get_sort_keys("h").await.map(|_| ()),
        ];
        for error in results.into_iter().filter_map(Result::err) {
            assert_eq!(error.kind(), ErrorKind::Timeout, "{error:?}");
        }
    }
    table.with_timeout(Duration::MAX).set("h", "s", "v").await.unwrap();
}

#[tokio::test]
async fn the_server_is_told_how_much_time_is_left_and_where_the_row_is() {
    let (server, table) = temp().await;
    let pegasus = server.pegasus();
    let id = connect(&server).await.admin().list_tables().await.unwrap()[0].id;
    let busy = pegasus.inject(Fault::new(Action::Answer(ErrorCode::BUSY)).on(Call::Get).times(3));
    table.with_timeout(Duration::from_secs(20)).get("hk", "s").await.unwrap();
    assert_eq!(busy.hits(), 3);
    let headers: Vec<_> = pegasus.arrivals().into_iter().filter(|arrival| arrival.call == Call::Get).collect();
    let left: Vec<_> = headers.iter().map(|arrival| arrival.header.client_timeout_ms).collect();
    assert!(left[0] <= 20_000 && left[0] > 10_000, "{left:?}");
    assert!(left.windows(2).all(|pair| pair[1] < pair[0]), "each attempt has less: {left:?}");
    for arrival in headers {
        assert_eq!((arrival.header.table_id, arrival.header.partition_index), (id, 3));
        assert_eq!(arrival.header.partition_hash, 0x5d9a_d5b5_1c9a_4ab3);
        assert_eq!(arrival.header.version, 0);
    }
}

#[tokio::test]
async fn a_call_that_is_dropped_before_it_was_sent_never_is_and_harms_nobody() {
    let server = TestServer::start().await;
    let table = connect(&server).await.open_table("temp").await.unwrap();
    for number in 0..100 {
        let dropped = table.set("h", "dropped", "v");
        let kept = table.set("h", format!("kept {number}"), "v");
        tokio::select! {
            biased;
            kept = kept => kept.unwrap(),
            () = std::future::ready(()), if number % 2 == 0 => {}
        }
        drop(dropped);
    }
    assert!(!table.exist("h", "dropped").await.unwrap());
    assert!(table.sort_key_count("h").await.unwrap() >= 50);
}
