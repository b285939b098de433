//! How long a caller waits for a call, and how it goes away.

use std::future::Future;
use std::pin::{Pin, pin};
use std::time::Duration;

/// How a caller behaves who may go away.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Patience {
    /// It waits for the answer.
    Whole,
    /// It gives the call this time by its terms.
    Timeout(Duration),
    /// It looks for the answer again and again while others run so many times, and drops the call.
    Attentive(u32),
    /// It looks once, is busy with something else while others run so many times, and drops the call, answered or not.
    Absent(u32),
}

impl Patience {
    /// One for a caller who goes away half of the time.
    pub(crate) fn any(dice: &mut fastrand::Rng) -> Self {
        // Mostly few: an answer is there after some.
        let doublings = dice.u32(..7);
        let turns = if dice.u32(..3) == 0 { 0 } else { dice.u32(..1 << doublings) };
        match dice.u32(..10) {
            0 => Self::Attentive(turns),
            1..=3 => Self::Absent(turns),
            4 => Self::Timeout(Duration::from_micros(dice.u64(..3000))),
            _ => Self::Whole,
        }
    }

    /// What a call gives to such a caller, `None` when it was dropped.
    pub(crate) async fn wait<T>(self, call: impl Future<Output = T>) -> Option<T> {
        match self {
            Self::Whole | Self::Timeout(_) => Some(call.await),
            Self::Attentive(turns) => tokio::select! {
                biased;
                result = call => Some(result),
                () = others_run(turns) => None,
            },
            Self::Absent(turns) => {
                let mut call = pin!(call);
                let seen = look_once(call.as_mut()).await;
                if seen.is_none() {
                    others_run(turns).await;
                }
                seen
            }
        }
    }
}

async fn look_once<T>(call: Pin<&mut impl Future<Output = T>>) -> Option<T> {
    tokio::select! {
        biased;
        result = call => Some(result),
        () = std::future::ready(()) => None,
    }
}

async fn others_run(turns: u32) {
    for _ in 0..turns {
        tokio::task::yield_now().await;
    }
}
