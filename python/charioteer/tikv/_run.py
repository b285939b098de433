"""Having a function try again, on behalf of `TxnClient.run` and `AsyncTxnClient.run`.

What is tried again, when, and for how long is the core's matter; the function is carried out here, where it was given.
"""

from __future__ import annotations

from typing import Any, Awaitable, Callable

from charioteer.errors import Error


def run(attempts: Any, work: Callable[[Any], Any]) -> Any:
    """Calls the function until its transaction is committed, or there is no point in calling it again."""
    result, raised = None, None
    while True:
        try:
            txn = attempts.next()
        except Error as end:
            if raised is None:
                raise
            raise end from raised
        if txn is None:
            return result
        try:
            result, raised = work(txn), None
        except BaseException as error:
            if not attempts.failed(txn, error):
                raise
            raised = error
        else:
            attempts.worked(txn)


async def run_async(attempts: Any, work: Callable[[Any], Awaitable[Any]]) -> Any:
    """The same for a coroutine function."""
    result, raised = None, None
    while True:
        try:
            txn = await attempts.next()
        except Error as end:
            if raised is None:
                raise
            raise end from raised
        if txn is None:
            return result
        try:
            result, raised = await work(txn), None
        except BaseException as error:
            if not attempts.failed(txn, error):
                raise
            raised = error
        else:
            attempts.worked(txn)
