"""train.py, ended without warning before its n-th change of the disk: `python -m tests.helpers.at_stage N WHERE ...`.

Changes are counted within the save of the checkpoint of step WHERE or, where WHERE is `run`, from the start on. They
are what Python reports of files opened for writing, folders made, names changed and removed (its audit events), every
flush and every file that safetensors writes: once before it is written and once when half of it is.
"""

import os
import signal
import sys

import safetensors.torch

import train
from common.errors import run_script
from experiment import start

CHANGES = {"os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.link", "os.symlink", "os.truncate"}


class Stages:
    """Counts the changes, and ends the process before the one that is its last."""

    def __init__(self, last: int, counting: bool):
        self.last, self.counting, self.number = last, counting, 0

    def next(self, name: str, subject: object = "", act=lambda: None):
        if self.counting:
            self.number += 1
            if self.number == self.last:
                self.counting = False
                act()
                os.write(1, f"\nkilled at {self.number}: {name} {subject}\n".encode())
                os.kill(os.getpid(), signal.SIGKILL)

    def heard(self, event: str, arguments: tuple):
        if event in CHANGES or (event == "open" and arguments[2] & (os.O_WRONLY | os.O_RDWR)):
            self.next(event, arguments[0])


def main():
    last, where, *arguments = sys.argv[1:]
    sys.argv = ["train.py", *arguments]
    stages = Stages(int(last), where == "run")
    flush, write, save = os.fsync, safetensors.torch.serialize_file, start.save_checkpoint

    def fsync(descriptor):
        stages.next("fsync")
        flush(descriptor)

    def serialize_file(tensors, path, *rest, **options):
        stages.next("safetensors", path)
        write(tensors, path, *rest, **options)
        stages.next("half of", path, lambda: os.truncate(path, os.path.getsize(path) // 2))

    def save_checkpoint(run, step, **everything):
        stages.counting = stages.counting or where == str(step)
        save(run, step, **everything)
        stages.counting = where == "run"

    os.fsync, safetensors.torch.serialize_file, start.save_checkpoint = fsync, serialize_file, save_checkpoint
    sys.addaudithook(stages.heard)
    return train.main()


if __name__ == "__main__":
    run_script(main)
