"""The benchmarks end with a message on Windows, at once."""

import sys

collect_ignore_glob = ["test_*.py"] if sys.platform == "win32" else []
