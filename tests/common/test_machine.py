"""What is free of memory and of cores: within the limits that the system sets this process; the processor's name."""

import os
from types import SimpleNamespace

import psutil
import pytest

from common import machine
from common.machine import available_cores, format_bytes, free_memory, processor


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


@pytest.fixture
def cgroups(tmp_path, monkeypatch):
    """Imitates the memory limits of a container: the lines of /proc/self/cgroup, and files below /sys/fs/cgroup."""

    def imitate(lines: str, files: dict[str, str]):
        for name, text in files.items():
            (tmp_path / "groups" / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "groups" / name).write_text(text + "\n", encoding="utf-8")
        (tmp_path / "own").write_text(lines + "\n", encoding="utf-8")
        monkeypatch.setattr(machine, "OWN_CGROUPS", tmp_path / "own")
        monkeypatch.setattr(machine, "CGROUPS", tmp_path / "groups")

    return imitate


def version_2(limit, used, copies=0, folder=""):
    stat = f"anon 7\ninactive_file {copies}\nactive_file 9"
    return {f"{folder}memory.max": str(limit), f"{folder}memory.current": str(used), f"{folder}memory.stat": stat}


def version_1(limit, used, copies=0, folder="memory/"):
    stat = f"cache 7\ninactive_file 8\ntotal_inactive_file {copies}"
    files = {"memory.limit_in_bytes": limit, "memory.usage_in_bytes": used, "memory.stat": stat}
    return {folder + name: str(text) for name, text in files.items()}


UNLIMITED = 9223372036854771712  # how version 1 says it


@pytest.mark.parametrize(
    ("lines", "files", "left"),
    [
        ("0::/", version_2(50_000_000, 20_000_000), 30_000_000),  # in a container
        ("0::/", version_2(50_000_000, 20_000_000, 5_000_000), 35_000_000),  # copies of files give way
        ("0::/", version_2(50_000_000, 60_000_000), 0),
        # the narrowest of the groups around it, on a system without containers
        ("0::/a/b.scope", version_2("max", 5, folder="a/b.scope/") | version_2(9_000_000, 10, folder="a/"), 8_999_990),
        ("0::/a/b", version_2(5_000, 0, folder="a/b/") | version_2(9_000_000, 10, folder="a/"), 5_000),
        # a container that is told its name outside of it
        ("0::/docker/8f", version_2(50_000_000, 20_000_000), 30_000_000),
        ("5:devices:/\n4:memory:/docker/8f\n0::/", version_1(50_000_000, 20_000_000, 1_000), 30_001_000),
        ("4:cpu,memory:/a", version_1(UNLIMITED, 3) | version_1(700, 30, 1, "memory/a/"), 671),
    ],
)
def test_a_container_s_limit_counts(cgroups, lines, files, left):
    cgroups(lines, files)
    assert free_memory("cpu") == left


@pytest.mark.parametrize(
    ("lines", "files"),
    [
        ("0::/", {}),
        ("0::/", version_2("max", 20_000_000)),
        ("4:memory:/", version_1(UNLIMITED, 20_000_000)),
        ("5:devices:/a", version_1(1_000, 1)),  # of another kind
        ("4:cpu,memory:/a:b", {}),
    ],
)
def test_without_a_limit_what_is_free_is_the_machine_s(cgroups, monkeypatch, lines, files):
    cgroups(lines, files)
    monkeypatch.setattr("psutil.virtual_memory", lambda: type("Memory", (), {"available": 10**9}))
    assert free_memory("cpu") == 10**9


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="needs affinities")
def test_a_core_that_this_process_may_not_use_is_not_counted():
    before = os.sched_getaffinity(0)
    assert available_cores() == len(before)
    os.sched_setaffinity(0, {min(before)})
    try:
        assert available_cores() == 1
    finally:
        os.sched_setaffinity(0, before)


@pytest.mark.parametrize(("count", "cores"), [(6, 6), (None, 1)])
def test_where_a_system_has_no_affinities_all_its_cores_count(monkeypatch, count, cores):
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: count)
    assert available_cores() == cores


def test_bytes_are_said_in_the_unit_that_suits_them():
    assert [format_bytes(n) for n in (1_500_000, 999_000_000, 10**9, 34_560_000_000)] == [
        *("1.5 MB", "999 MB", "1 GB", "34.6 GB")
    ]


def test_the_processor_of_a_mac_has_the_name_that_sysctl_gives_it(monkeypatch):
    def run(command, **options):
        assert command == ["sysctl", "-n", "machdep.cpu.brand_string"]
        return SimpleNamespace(stdout="Apple M4\n")

    monkeypatch.setattr("common.machine.Path.exists", lambda path: False)
    monkeypatch.setattr("common.machine.subprocess.run", run)
    monkeypatch.setattr("sys.platform", "darwin")
    assert processor() == "Apple M4"


def test_the_processor_has_the_name_that_the_system_gives_it(monkeypatch):
    if os.path.exists("/proc/cpuinfo"):
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            assert f": {processor()}\n" in file.read()
    monkeypatch.setattr("common.machine.Path.exists", lambda path: False)
    monkeypatch.setattr("common.machine.platform.processor", lambda: "a processor")
    monkeypatch.setattr("sys.platform", "win32")
    assert processor() == "a processor"
    monkeypatch.setattr("sys.platform", "darwin")
    monkeypatch.setenv("PATH", "")  # as under cron, which has no /usr/sbin
    assert processor() == "a processor"
    monkeypatch.setattr("common.machine.platform.processor", lambda: "")
    assert processor()  # the architecture, at least
