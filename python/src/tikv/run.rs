//! Having a program's function try again: Python's function is carried out where it was called, while the attempts are Rust's.

use std::sync::Arc;

use charioteer::Error;
use charioteer::tikv::{self, TxnClient, TxnOptions};
use parking_lot::Mutex;
use pyo3::prelude::*;
use tokio::sync::{Mutex as AsyncMutex, mpsc, oneshot};
use tokio::task::AbortHandle;

use super::shared::{Slot, taken};
use super::transaction::{Begun, TransactionBase};
use crate::bridge::{Line, Own, told};

/// The transaction of an attempt, when the function is through with it.
type Worked = Result<tikv::Transaction, Error>;

/// What happens to those who have a function try again.
enum Step {
    /// It is to be carried out in this transaction.
    Work(Box<tikv::Transaction>, oneshot::Sender<Worked>),
    /// There is nothing left to do.
    Done(Result<(), Error>),
}

/// Has the attempts end when nobody waits for them any more; nothing of the last one happens then.
struct Task(AbortHandle);

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Has somebody else work in a transaction. Where they never come back, whatever waits for this is aborted.
async fn attempt(works: mpsc::Sender<Step>, txn: tikv::Transaction) -> Result<(tikv::Transaction, ()), Error> {
    let (tell, worked) = oneshot::channel();
    if works.send(Step::Work(Box::new(txn), tell)).await.is_err() {
        return std::future::pending().await;
    }
    match worked.await {
        Ok(worked) => worked.map(|txn| (txn, ())),
        Err(_) => std::future::pending().await,
    }
}

/// Attempts, from the side of Python's function.
#[pyclass(frozen, name = "_Attempts", module = "charioteer.tikv")]
pub(crate) struct Attempts {
    line: Line,
    steps: Own<Arc<AsyncMutex<mpsc::Receiver<Step>>>>,
    /// Where it is told what has come of the attempt that is under way.
    answer: Arc<Mutex<Option<oneshot::Sender<Worked>>>>,
    _task: Own<Task>,
}

/// Begins, on the runtime of the client's calls.
pub(super) fn begin<'py>(
    py: Python<'py>,
    line: &Line,
    client: TxnClient,
    options: TxnOptions,
) -> PyResult<Bound<'py, Attempts>> {
    let (tell, steps) = mpsc::channel(1);
    let _entered = line.enter();
    let task = tokio::spawn(async move {
        let works = tell.clone();
        let done = client.run(&options, move |txn| attempt(works.clone(), txn)).await;
        // Nobody may be left to hear it.
        let _ = tell.send(Step::Done(done)).await;
    });
    let task = Own::new(Task(task.abort_handle()));
    let steps = Own::new(Arc::new(AsyncMutex::new(steps)));
    Bound::new(py, Attempts { line: line.clone(), steps, answer: Arc::default(), _task: task })
}

impl Attempts {
    /// Takes the transaction from Python, and tells what has come of it.
    fn answer(&self, slot: Slot<tikv::Transaction>, worked: impl FnOnce(tikv::Transaction) -> Worked + Send + 'static) {
        let Some(answer) = self.answer.lock().take() else { return };
        let _entered = self.line.enter();
        tokio::spawn(async move {
            if let Some(txn) = taken(slot).await {
                // Where the attempts have ended by themselves, that is told next.
                let _ = answer.send(worked(txn));
            }
        });
    }
}

#[pymethods]
impl Attempts {
    /// The transaction of the next attempt; `None` when one was committed.
    fn next<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let (line, steps, answer) = (self.line.clone(), Arc::clone(self.steps.get()?), Arc::clone(&self.answer));
        self.line.carry(py, async move {
            match steps.lock().await.recv().await {
                Some(Step::Work(txn, worked)) => {
                    *answer.lock() = Some(worked);
                    Ok(Some(Begun(line, *txn)))
                }
                Some(Step::Done(done)) => done.map(|()| None),
                None => Ok(None),
            }
        })
    }

    /// The function is through: the transaction is to be committed.
    fn worked(&self, txn: &Bound<'_, TransactionBase>) -> PyResult<()> {
        self.answer(txn.get().shared()?.end()?, Ok);
        Ok(())
    }

    /// The function has raised this. Says whether it is told next whether that was the end; nothing of the transaction happens.
    fn failed(&self, txn: &Bound<'_, TransactionBase>, error: &Bound<'_, PyAny>) -> PyResult<bool> {
        let told = told(error)?;
        let is_ours = told.is_some();
        match (txn.get().shared()?.end(), told) {
            (Ok(slot), Some(error)) => self.answer(slot, |_| Err(error)),
            (Ok(slot), None) => {
                let _entered = self.line.enter();
                tokio::spawn(async move { drop(taken(slot).await) });
            }
            // It has ended it by itself, and may well have written.
            (Err(_), _) => return Ok(false),
        }
        Ok(is_ours)
    }
}
