"""What every room uses. Each script imports this before all else, so here it is found out what cannot run it.

Up to here everything is written so that Python 3.8 can read it.
"""

import sys

if sys.version_info < (3, 11):  # noqa: UP036
    print(
        f"error: this is Python {sys.version_info[0]}.{sys.version_info[1]} ({sys.executable}), 3.11 or more expected; "
        "make an environment with one, such as `python3.13 -m venv .venv`, and install requirements.txt there",
        file=sys.stderr,
    )
    sys.exit(2)

from common.installation import explain

sys.excepthook = explain
