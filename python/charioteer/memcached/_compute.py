"""A value that is computed by one when it is not there, on behalf of `get_or_compute`.

Who computes is the core's matter; the function is called here, where it was given.
"""

from __future__ import annotations

import inspect
from typing import Any, Callable

from charioteer._charioteer.memcached import AsyncLease, Lease


def get_or_compute(found: Any, compute: Callable[[], Any]) -> Any:
    """The value that was found, or the one that the function gives for the lease."""
    if not isinstance(found, Lease):
        return found
    try:
        return found.keep(compute())
    except BaseException:
        found.give_up()
        raise


async def get_or_compute_async(finding: Any, compute: Callable[[], Any]) -> Any:
    """The same for a coroutine function, or one that waits for nothing."""
    found = await finding
    if not isinstance(found, AsyncLease):
        return found
    try:
        value = compute()
        if inspect.isawaitable(value):
            value = await value
        return await found.keep(value)
    except BaseException:
        found.give_up()
        raise
