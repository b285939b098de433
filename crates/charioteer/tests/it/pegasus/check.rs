//! Writes that depend on what is there.

use std::time::Duration;

use bytes::Bytes;
use charioteer::pegasus::{Check, CheckOptions, CheckResult, CompareExchangeResult, Mutation, SetOptions, Table, Ttl};
use charioteer::{ErrorKind, Outcome};

use super::support::temp;

/// Whether a check passes on a row with this value, or on none; and that the write is carried out then, and not otherwise.
async fn passes(table: &Table, value: Option<&str>, check: Check) -> bool {
    match value {
        Some(value) => table.set("h", "checked", value.to_owned()).await.unwrap(),
        None => table.del("h", "checked").await.unwrap(),
    }
    table.del("h", "written").await.unwrap();
    let result = table.check_and_set("h", "checked", check, "written", "done").await.unwrap();
    assert_eq!(result.check_value, None, "it was not asked for");
    assert_eq!(table.exist("h", "written").await.unwrap(), result.applied);
    result.applied
}

#[tokio::test]
async fn checks_of_being_there() {
    let (_server, table) = temp().await;
    let on = [None, Some(""), Some("x")];
    for (check, expected) in [
        (Check::Always, [true, true, true]),
        (Check::NotExist, [true, false, false]),
        (Check::NotExistOrEmpty, [true, true, false]),
        (Check::Exist, [false, true, true]),
        (Check::NotEmpty, [false, false, true]),
    ] {
        for (value, expected) in on.into_iter().zip(expected) {
            assert_eq!(passes(&table, value, check.clone()).await, expected, "{check:?} on {value:?}");
        }
    }
}

#[tokio::test]
async fn checks_of_what_a_value_contains() {
    let (_server, table) = temp().await;
    let on = [None, Some("abc"), Some("xabc"), Some("abcx"), Some("xabcx"), Some("ab")];
    for (check, expected) in [
        (Check::MatchAnywhere("abc".into()), [false, true, true, true, true, false]),
        (Check::MatchPrefix("abc".into()), [false, true, false, true, false, false]),
        (Check::MatchPostfix("abc".into()), [false, true, true, false, false, false]),
        (Check::MatchAnywhere(Bytes::new()), [false, true, true, true, true, true]),
    ] {
        for (value, expected) in on.into_iter().zip(expected) {
            assert_eq!(passes(&table, value, check.clone()).await, expected, "{check:?} on {value:?}");
        }
    }
}

#[tokio::test]
async fn checks_of_bytes_compare_one_by_one() {
    let (_server, table) = temp().await;
    // The third of each is less than the operand, the fourth the same, the others greater.
    let on = [None, Some(""), Some("10"), Some("2"), Some("20"), Some("3")];
    let operand = || Bytes::from("2");
    for (check, expected) in [
        (Check::BytesLess(operand()), [false, true, true, false, false, false]),
        (Check::BytesLessOrEqual(operand()), [false, true, true, true, false, false]),
        (Check::BytesEqual(operand()), [false, false, false, true, false, false]),
        (Check::BytesGreaterOrEqual(operand()), [false, false, false, true, true, true]),
        (Check::BytesGreater(operand()), [false, false, false, false, true, true]),
    ] {
        for (value, expected) in on.into_iter().zip(expected) {
            assert_eq!(passes(&table, value, check.clone()).await, expected, "{check:?} on {value:?}");
        }
    }
}

#[tokio::test]
async fn checks_of_integers_compare_integers() {
    let (_server, table) = temp().await;
    assert!(!passes(&table, Some("9"), Check::IntGreater(10)).await, "9 > 10, though the text is greater");
    assert!(passes(&table, Some("10"), Check::IntGreater(9)).await);
    let on = [None, Some("-11"), Some("9"), Some("10"), Some("0x0a"), Some("11"), Some("100")];
    for (check, expected) in [
        (Check::IntLess(10), [false, true, true, false, false, false, false]),
        (Check::IntLessOrEqual(10), [false, true, true, true, true, false, false]),
        (Check::IntEqual(10), [false, false, false, true, true, false, false]),
        (Check::IntGreaterOrEqual(10), [false, false, false, true, true, true, true]),
        (Check::IntGreater(10), [false, false, false, false, false, true, true]),
        (Check::IntGreater(i64::MIN), [false, true, true, true, true, true, true]),
        (Check::IntLess(i64::MAX), [false, true, true, true, true, true, true]),
    ] {
        for (value, expected) in on.into_iter().zip(expected) {
            assert_eq!(passes(&table, value, check.clone()).await, expected, "{check:?} on {value:?}");
        }
    }
}

#[tokio::test]
async fn comparing_an_integer_with_what_is_none_is_an_error_that_changes_nothing() {
    let (_server, table) = temp().await;
    for value in ["", "ten", "1 ", "99999999999999999999"] {
        table.set("h", "s", value.to_owned()).await.unwrap();
        let error = table.check_and_set("h", "s", Check::IntEqual(1), "s", "2").await.unwrap_err();
        assert_eq!(
            (error.kind(), error.outcome(), error.attempts()),
            (ErrorKind::InvalidArgument, Outcome::NotApplied, 1)
        );
        let mutation = [Mutation::del("s")];
        let error = table.check_and_mutate("h", "s", Check::IntLess(1), mutation, CheckOptions::default()).await;
        assert_eq!(error.unwrap_err().kind(), ErrorKind::InvalidArgument);
        assert_eq!(table.get("h", "s").await.unwrap().unwrap(), value);
    }
}

#[tokio::test]
async fn the_value_that_was_checked_comes_back_where_it_is_asked_for() {
    let (_server, table) = temp().await;
    let mut options = CheckOptions::default();
    options.return_check_value = true;
    for (value, check, applied) in [
        (None, Check::NotExist, true),
        (None, Check::Exist, false),
        (Some(""), Check::Exist, true),
        (Some("v"), Check::NotExist, false),
        (Some("v"), Check::NotEmpty, true),
    ] {
        match value {
            Some(value) => table.set("h", "s", value).await.unwrap(),
            None => table.del("h", "s").await.unwrap(),
        }
        let expected = CheckResult { applied, check_value: Some(value.map(Bytes::from)) };
        let mutations = [Mutation::set("other", "w")];
        let mutated = table.check_and_mutate("h", "s", check.clone(), mutations, options).await.unwrap();
        assert_eq!(mutated, expected);
        assert_eq!(table.check_and_set_with("h", "s", check, "s", "w", options).await.unwrap(), expected);
    }
}

#[tokio::test]
async fn a_checked_set_has_a_time_to_live_or_ends_the_one_before() {
    let (_server, table) = temp().await;
    table.set_with("h", "s", "v", SetOptions::ttl(Duration::from_secs(100))).await.unwrap();
    table.check_and_set("h", "s", Check::Exist, "s", "w").await.unwrap();
    assert_eq!(table.ttl("h", "s").await.unwrap(), Some(Ttl::Forever));
    let mut options = CheckOptions::default();
    options.ttl = Some(Duration::from_secs(50));
    table.check_and_set_with("h", "s", Check::Exist, "other", "w", options).await.unwrap();
    assert_eq!(table.ttl("h", "s").await.unwrap(), Some(Ttl::Forever));
    assert!(table.ttl("h", "other").await.unwrap().unwrap().remaining().is_some());
    options.ttl = Some(Duration::ZERO);
    let error = table.check_and_set_with("h", "s", Check::Exist, "s", "w", options).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument);
}

#[tokio::test]
async fn mutations_are_carried_out_in_order_and_all_or_none() {
    let (_server, table) = temp().await;
    table.multi_set("h", [("a", "1"), ("b", "2")]).await.unwrap();
    let mutations = || {
        [
            Mutation::del("a"),
            Mutation::set("b", "x"),
            Mutation::set_ttl("b", "y", Duration::from_secs(100)),
            Mutation::set("c", "z"),
        ]
    };
    let options = CheckOptions::default();
    let refused = table.check_and_mutate("h", "a", Check::NotExist, mutations(), options).await.unwrap();
    assert!(!refused.applied);
    assert_eq!(table.get("h", "b").await.unwrap().unwrap(), "2");
    assert!(table.check_and_mutate("h", "a", Check::Exist, mutations(), options).await.unwrap().applied);
    assert!(!table.exist("h", "a").await.unwrap());
    assert_eq!(table.get("h", "b").await.unwrap().unwrap(), "y");
    assert!(table.ttl("h", "b").await.unwrap().unwrap().remaining().is_some());
    assert_eq!(table.ttl("h", "c").await.unwrap(), Some(Ttl::Forever));
}

#[tokio::test]
async fn mutations_that_make_no_sense_are_refused() {
    let (_server, table) = temp().await;
    let mut with_ttl = CheckOptions::default();
    with_ttl.ttl = Some(Duration::from_secs(1));
    let none = table.check_and_mutate("h", "s", Check::Always, [], CheckOptions::default()).await;
    let ttl = table.check_and_mutate("h", "s", Check::Always, [Mutation::del("s")], with_ttl).await;
    let empty = table.check_and_mutate("", "s", Check::Always, [Mutation::del("s")], CheckOptions::default()).await;
    let nothing = [Mutation::set_ttl("s", "v", Duration::ZERO)];
    let nothing = table.check_and_mutate("h", "s", Check::Always, nothing, CheckOptions::default()).await;
    for result in [none, ttl, empty, nothing] {
        assert_eq!(result.unwrap_err().kind(), ErrorKind::InvalidArgument);
    }
}

#[tokio::test]
async fn a_row_is_exchanged_if_it_is_what_is_expected() {
    let (_server, table) = temp().await;
    let exchange = async |expected: Option<&str>, desired: &str| {
        let (expected, desired) = (expected.map(str::to_owned), desired.to_owned());
        table.compare_exchange("h", "s", expected, desired, None).await.unwrap()
    };
    let result = |exchanged, actual: Option<&str>| CompareExchangeResult {
        exchanged,
        actual: actual.map(|actual| Bytes::from(actual.to_owned())),
    };
    assert_eq!(exchange(Some("1"), "2").await, result(false, None));
    assert_eq!(exchange(Some(""), "2").await, result(false, None), "an empty value is not a missing one");
    assert_eq!(exchange(None, "1").await, result(true, None));
    assert_eq!(exchange(None, "2").await, result(false, Some("1")));
    assert_eq!(exchange(Some("2"), "3").await, result(false, Some("1")));
    assert_eq!(exchange(Some("1"), "").await, result(true, Some("1")));
    assert_eq!(exchange(Some(""), "x").await, result(true, Some("")));
    let expected = Some("x");
    table.compare_exchange("h", "s", expected, "y", Some(Duration::from_secs(10))).await.unwrap();
    assert!(table.ttl("h", "s").await.unwrap().unwrap().remaining().is_some());
}

#[tokio::test]
async fn of_many_who_exchange_together_one_succeeds() {
    let (_server, table) = temp().await;
    table.set("h", "s", "0").await.unwrap();
    let all = (0..100).map(|number| table.compare_exchange("h", "s", Some("0"), format!("n{number}"), None));
    let results = futures_util::future::join_all(all).await;
    let winners: Vec<_> = results.iter().enumerate().filter(|(_, result)| result.as_ref().unwrap().exchanged).collect();
    assert_eq!(winners.len(), 1);
    assert_eq!(table.get("h", "s").await.unwrap().unwrap(), format!("n{}", winners[0].0));
}
