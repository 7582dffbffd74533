"""The network: nothing is waited for longer than its limit."""

import socket
import threading

import pytest

from common.network import Background, reachable


def test_what_a_call_in_the_background_returns_or_raises_is_handed_on():
    assert Background(lambda: 3).result(60) == 3
    with pytest.raises(ZeroDivisionError):
        Background(lambda: 1 / 0).result(60)


def test_a_call_that_does_not_end_in_time_is_left_behind():
    end = threading.Event()
    call = Background(lambda: end.wait(60))
    with pytest.raises(TimeoutError, match=r"no answer in 0\.01 s"):
        call.result(0.01)
    end.set()
    assert call.result(60) is True  # the control: the same, once it has ended


def test_a_host_is_reachable_where_something_answers(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}"

        def answer():
            connection, _ = server.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        assert reachable(url, 60)
        thread.join(60)
        assert not reachable(url, 0.2)  # it accepts, and answers nothing
    assert not reachable(url, 60)
