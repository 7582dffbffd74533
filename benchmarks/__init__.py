"""Benchmarks of processes and of what is in them. They measure by what Linux and macOS have and Windows has not."""

import sys

if sys.platform == "win32":
    sys.exit("error: the benchmarks need Linux or macOS: they measure processes by wait4 and getrusage")
