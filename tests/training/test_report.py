"""What a run says to the person who started it."""

import errno
from pathlib import Path

import torch
from safetensors import SafetensorError

from common.errors import RunError
from config import Config, TrainConfig
from training.report import could_not_go_on

FULL = OSError(errno.ENOSPC, "No space left on device", "runs/a/samples.txt")


def test_what_the_machine_did_not_have_is_said_with_what_is_safe_and_what_to_do():
    run, config = Path("runs/a"), Config(train=TrainConfig(device="cuda", micro_batch_size=8, compile=True))
    for error in (FULL, SafetensorError("Error while serializing: I/O error: full (os error 28)")):
        said = could_not_go_on(error, run, config, None)
        assert "the disk is full" in said and "What runs/a has saved is whole" in said
        assert said.endswith("python train.py --resume runs/a")
    assert "lower train.micro_batch_size (now 8)" in could_not_go_on(torch.OutOfMemoryError("full"), run, config, None)
    no_compiler = torch._dynamo.exc.TorchDynamoException("InvalidCxxCompiler: none found\n\nSet TORCH_LOGS")
    assert "none found); --train.compile false" in could_not_go_on(no_compiler, run, config, None)
    for other in (BrokenPipeError(), RunError("said already"), RuntimeError("a defect")):
        assert could_not_go_on(other, run, config, None) is None
