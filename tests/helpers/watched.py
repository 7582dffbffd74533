"""Processes that watch themselves by Python's audit hooks: for what they unpickle, and whom they talk to.

`python -c PREAMBLE + code`; what was seen comes back in the order in which it happened.
"""

import json
import re
from dataclasses import dataclass

from tests.helpers.scripts import Done, run_python

# Each thing seen is raised there and then, and noted, since a library may swallow what is raised.
PREAMBLE = """
import json, os, sys
seen, service = [], False  # service: whether wandb may talk to its own process on this machine

def note(*what):
    if what not in seen:
        seen.append(what)
    raise PermissionError(f"not here: {what}")

def hook(event, args):
    if event == "pickle.find_class":
        note(event, *map(str, args))
    elif event in ("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr"):
        note(event, str(args[0]))
    elif event in ("socket.connect", "socket.sendto", "socket.sendmsg"):
        address = args[1]
        here = isinstance(address, (str, bytes)) or address[0] in ("127.0.0.1", "::1")
        if not (here and service):
            note(event, str(address))

import _pickle, pickle
class Unpickler(pickle.Unpickler):
    def __init__(self, *args, **options):
        note("Unpickler")
for module in (pickle, _pickle):
    module.load = lambda *args, **options: note("load")
    module.loads = lambda *args, **options: note("loads")
    module.Unpickler = Unpickler
pickle._Unpickler.load = lambda self: note("_Unpickler.load")  # the one in Python
sys.addaudithook(hook)

def run_typed(script, *words):
    import runpy
    sys.argv = [script, *map(str, words)]
    try:
        runpy.run_path(script, run_name="__main__")
    except SystemExit as end:
        print(f"EXIT {script} {end.code}")
"""
END = '\nprint("SEEN" + json.dumps(seen))\n'


@dataclass
class Watched(Done):
    seen: list[tuple]
    exits: list[str]


def watch(code: str, *arguments, environment=None, isolated=False) -> Watched:
    """Runs `code` after PREAMBLE in the project's folder; `isolated`: in a network namespace with nothing in it."""
    environment = {"MPLBACKEND": "agg"} | (environment or {})
    prefix = ["unshare", "-rn"] if isolated else []
    done = run_python("-c", PREAMBLE + code + END, *arguments, environment=environment, prefix=prefix)
    seen = re.findall("^SEEN(.*)$", done.out, re.MULTILINE)
    assert len(seen) == 1, done
    exits = re.findall("^EXIT (.*)$", done.out, re.MULTILINE)
    return Watched(done.code, done.out, done.err, [tuple(what) for what in json.loads(seen[0])], exits)
