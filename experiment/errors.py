"""One family of errors for what a person can mend, caught once in each script.

This module imports nothing of the project, so every part of it may raise these.
"""

import sys


class Problem(Exception):
    """Something a person can mend; its text is all that they are shown."""

    exit_code = 1


class InputError(Problem):
    """The input was wrong: an option, a configuration, a file. The text names it, its value and what was expected."""

    exit_code = 2


class RunError(Problem):
    """The run could not go on: disk full, folder in use, losses not finite. Says what is safe and what to do."""


def run_script(main):
    """Calls `main()` and ends the process: a Problem becomes its message on stderr and its exit code, no traceback.

    Ctrl-C outside of training ends with 130. A closed pipe (`| head`) ends quietly with 0.
    """
    try:
        code = main() or 0
        sys.stdout.flush()
    except Problem as problem:
        print(f"error: {problem}", file=sys.stderr)
        code = problem.exit_code
    except KeyboardInterrupt:
        code = 130
    except BrokenPipeError:
        sys.stdout = None  # what is left in its buffer has nowhere to go
        code = 0
    sys.exit(code)
