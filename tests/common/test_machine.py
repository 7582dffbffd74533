"""What is free of memory: within the limits that the system sets this process."""

import os

import psutil
import pytest

from common.machine import free_memory


@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="needs /proc")
@pytest.mark.parametrize(("limit", "name"), [("RLIMIT_AS", "vms"), ("RLIMIT_DATA", "data")])
def test_what_is_free_is_what_the_process_may_still_take(limit, name):
    import resource

    unlimited = free_memory("cpu")
    assert 0 < unlimited < os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    limit = getattr(resource, limit)
    before = resource.getrlimit(limit)
    resource.setrlimit(limit, (getattr(psutil.Process().memory_info(), name) + 100_000_000, before[1]))
    try:
        assert 90e6 < free_memory("cpu") < 110e6
    finally:
        resource.setrlimit(limit, before)


def test_where_the_system_does_not_tell_there_is_no_figure(monkeypatch):
    def not_there():
        raise FileNotFoundError("/proc/meminfo")

    monkeypatch.setattr("psutil.virtual_memory", not_there)
    assert free_memory("cpu") is None
