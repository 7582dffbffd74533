"""The network, with a limit on how long it may keep a person waiting."""

import threading
from collections.abc import Callable
from typing import Any


class Background:
    """Runs `call` in a thread that may be left behind: a look-up on a dead network cannot be interrupted."""

    def __init__(self, call: Callable[[], Any]) -> None:
        self._call = call
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        self._value = self._error = None
        try:
            self._value = self._call()
        except BaseException as error:
            self._error = error

    def result(self, seconds: float) -> Any:
        """What `call` returned. Raises what it raised, and TimeoutError when it is not done within `seconds`."""
        self._thread.join(seconds)
        if self._thread.is_alive():
            raise TimeoutError(f"no answer in {seconds:g} s")
        if self._error:
            raise self._error
        return self._value


def reachable(url: str, seconds: float) -> bool:
    """Whether the host of `url` answers at all, through the proxies of the environment, within `seconds`."""
    import requests

    try:
        Background(lambda: requests.head(url, timeout=seconds)).result(seconds)
    except Exception:
        return False
    return True
