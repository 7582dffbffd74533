"""A process that turns units of a large source into blocks of ids: `python -m data.worker`, started by data/workers.py.

It reads lines of JSON: the data section of a configuration with the path of a tokenizer, then [unit, blocks to skip],
until there are no more. It writes each block as a line of JSON and the ids of both parts. It imports no torch and ends
when the process that started it does, however that ends.
"""

import json
import os
import signal
import sys
from types import SimpleNamespace
from typing import Any, BinaryIO

from common.errors import Problem, RunError
from data.blocks import Block, read_blocks
from data.tokenizer import Tokenizer
from data.units import Reader


def main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # on Windows, where it has no session of its own
    answers, sys.stdout = sys.stdout.buffer, sys.stderr  # what a library prints must not come between
    job = json.loads(sys.stdin.readline())
    tokenizer = Tokenizer.load(job["tokenizer"])
    config: Any = SimpleNamespace(**job["config"])
    reader = Reader(config)
    try:
        for line in sys.stdin:
            unit, skip = json.loads(line)
            try:
                for block in read_blocks(reader, unit, tokenizer, skip):
                    if block:
                        write_block(answers, block)
            except Problem as problem:
                write_problem(answers, problem)
            except MemoryError:
                why = "out of memory while a text was read; what is done is kept (prepare.py --workers 1 takes least)"
                write_problem(answers, RunError(why))
    except BrokenPipeError:  # nobody reads the answers any more
        os._exit(0)


def write_problem(file: BinaryIO, problem: Problem) -> None:
    write_line(file, {"problem": str(problem), "exit_code": problem.exit_code})


def write_line(file: BinaryIO, value: dict) -> None:
    file.write(json.dumps(value).encode() + b"\n")
    file.flush()


def write_block(file: BinaryIO, block: Block) -> None:
    header = {"n_documents": block.n_documents, "n_bytes": block.n_bytes, "lasts": block.lasts, "said": block.said}
    file.write(json.dumps(header | {"n_ids": [len(ids) for ids in block.ids]}).encode() + b"\n")
    for ids in block.ids:
        file.write(ids.tobytes())
    file.flush()


if __name__ == "__main__":
    main()
