//! The beginning of a call, on the thread that makes it: as a rule its request is on its way then, and nobody has to be woken for that.
//! What is left of it runs in the background, once there is something to go on with.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Wake, Waker};

use parking_lot::Mutex;
use tokio::runtime::Handle;

/// A call is carried out here up to where it has to wait.
const HERE: u8 = 0;
/// It waits.
const WAITING: u8 = 1;
/// It was woken: it goes on in the background, or is about to.
const WOKEN: u8 = 2;

type Rest = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A call that was begun.
struct Begun {
    stage: AtomicU8,
    /// While it waits.
    rest: Mutex<Option<Rest>>,
    background: Handle,
}

/// Begins a call.
pub(super) fn begin(background: &Handle, call: impl Future<Output = ()> + Send + 'static) {
    let begun = Arc::new(Begun { stage: AtomicU8::new(HERE), rest: Mutex::new(None), background: background.clone() });
    let waker = Waker::from(Arc::clone(&begun));
    let mut call = Box::pin(call);
    let polled = {
        let _entered = background.enter();
        call.as_mut().poll(&mut Context::from_waker(&waker))
    };
    if polled.is_ready() {
        return;
    }
    *begun.rest.lock() = Some(call);
    if begun.stage.compare_exchange(HERE, WAITING, Ordering::AcqRel, Ordering::Acquire).is_err() {
        begun.go_on();
    }
}

impl Begun {
    fn go_on(&self) {
        if let Some(rest) = self.rest.lock().take() {
            self.background.spawn(rest);
        }
    }
}

impl Wake for Begun {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if self.stage.swap(WOKEN, Ordering::AcqRel) == WAITING {
            self.go_on();
        }
    }
}
