//! Calls that are given up at every moment of their lives.

use super::*;

/// Given up after so many polls.
async fn after_polls<T>(polls: u32, future: impl Future<Output = T>) -> Option<T> {
    let mut future = std::pin::pin!(future);
    let mut left = polls;
    std::future::poll_fn(|cx| match future.as_mut().poll(cx) {
        std::task::Poll::Ready(done) => std::task::Poll::Ready(Some(done)),
        std::task::Poll::Pending if left == 0 => std::task::Poll::Ready(None),
        std::task::Poll::Pending => {
            left -= 1;
            // Looked at again soon, whether or not anything has happened.
            cx.waker().wake_by_ref();
            std::task::Poll::Pending
        }
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_calls_are_given_up_those_that_are_not_get_their_own_answers() {
    let server = one_region().await;
    let subject = std::sync::Arc::new(Subject::new(&server).await);
    for number in 0..200 {
        subject.put(format!("key {number}"), format!("value of {number}")).await.unwrap();
    }
    let callers = (0..32_u64).map(|caller| {
        let subject = std::sync::Arc::clone(&subject);
        tokio::spawn(async move {
            let mut dice = fastrand::Rng::with_seed(caller);
            let mut answered = 0;
            for _ in 0..600 {
                let number = dice.u32(..200);
                let get = subject.get(format!("key {number}"));
                let got = match dice.u32(..4) {
                    0 => Some(get.await),
                    1 => after_polls(0, get).await,
                    2 => after_polls(dice.u32(..6), get).await,
                    _ => tokio::time::timeout(Duration::from_micros(dice.u64(..300)), get).await.ok(),
                };
                if let Some(got) = got {
                    assert_eq!(got.unwrap().unwrap(), format!("value of {number}"));
                    answered += 1;
                }
            }
            answered
        })
    });
    let mut answered = 0;
    for caller in callers.collect::<Vec<_>>() {
        answered += caller.await.unwrap();
    }
    let stats = subject.stats();
    assert!(answered > 32 * 100, "{answered} {stats:?}");
    assert!(stats.cut_before_send > 0 && stats.cut_in_flight > 0, "{stats:?}");
    assert_eq!((stats.unasked_replies, stats.connections_lost), (0, 0), "{stats:?}");
    assert_eq!(subject.get("key 7").await.unwrap().unwrap(), "value of 7");
}
