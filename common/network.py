"""The network, with a limit on how long it may keep a person waiting."""

import threading
from collections.abc import Callable
from concurrent.futures import Future, wait
from typing import Any


class Background:
    """Runs `call` in a thread that may be left behind: a look-up on a dead network cannot be interrupted."""

    def __init__(self, call: Callable[[], Any]) -> None:
        self._future: Future = Future()
        threading.Thread(target=self._run, args=(call,), daemon=True).start()

    def _run(self, call: Callable[[], Any]) -> None:
        try:
            self._future.set_result(call())
        except BaseException as error:
            self._future.set_exception(error)

    def result(self, seconds: float) -> Any:
        """What `call` returned. Raises what it raised, and TimeoutError when it is not done within `seconds`."""
        if not wait([self._future], seconds).done:
            raise TimeoutError(f"no answer in {seconds:g} s")
        return self._future.result()


def reachable(url: str, seconds: float) -> bool:
    """Whether the host of `url` answers at all, through the proxies of the environment, within `seconds`."""
    import requests

    try:
        Background(lambda: requests.head(url, timeout=seconds)).result(seconds)
    except Exception:
        return False
    return True
