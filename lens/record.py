"""Attention as it forms: at chosen steps the model reads a few fixed prompts, and everything it computes is kept.

Recording reads the model and draws nothing at random, so a run's losses are the same with it and without.
"""

import json
import time
from dataclasses import asdict
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from common.files import remove, replacing, seal, step_name, step_of, write_json_lines, write_whole
from lens.effects import effects
from lens.patterns import head_scores
from lens.prompts import Prompt
from lens.snapshots import ATTENTION, FORMAT, RECORDED, WEIGHTS, read_rows
from model import GPT
from model.generation import eval_mode


def read(model: GPT, ids: list[int], ablate: bool = True) -> dict[str, Tensor]:
    """Everything that is recorded of a model reading `ids`: what `trace` and `effects` return, on the CPU.

    Raises ValueError for more ids than block_size.
    """
    return trace(model, ids) | effects(model, ids, ablate)


def trace(model: GPT, ids: list[int]) -> dict[str, Tensor]:
    """Reads `ids` on the explicit path. Returns, for each layer and in float32, every step of its attention:

    l0.x (T, C), what enters qkv, after the norm; l0.q and l0.k (H, T, K), as they enter the dot product, after norm and
    rotation; l0.v (H, T, D); l0.weights (H, T, T); and l0.out (T, C), what proj makes of the concatenated heads.
    """
    device = next(model.parameters()).device
    layers: list[dict[str, Tensor]] = []
    with eval_mode(model):
        model(torch.tensor([ids], device=device), record=layers)
    return {
        f"l{layer}.{name}": record[name][0].float().cpu().contiguous()
        for layer, record in enumerate(layers)
        for name in (*ATTENTION, "weights")
    }


class Recorder:
    """Writes snapshots/: prompts.json, heads.jsonl, and a folder for each recorded step.

    `seconds` is the time that recording has taken. Snapshots of steps after `resumed_step` are removed: a resumed run
    records them again, or, where it now ends elsewhere, at other steps.
    """

    def __init__(
        self,
        run: Path,
        prompts: list[Prompt],
        keep_mb: int,
        resumed_step: int = -1,
        seconds: float = 0.0,
    ) -> None:
        self.folder = run / "snapshots"
        self.prompts = prompts
        self.keep_bytes = keep_mb * 1_000_000
        self.seconds = seconds
        self.folder.mkdir(exist_ok=True)
        for path in self.folder.glob("step-*"):
            step = step_of(path.name)
            if step is not None and step > resumed_step:
                remove(path)
        rows = read_heads(run)
        self.rows = [row for row in rows if row["step"] <= resumed_step]
        if len(self.rows) < len(rows):
            self.write_rows()
        write_whole(self.folder / "prompts.json", json.dumps([asdict(prompt) for prompt in prompts], indent=1))

    def record(self, model: GPT, step: int, is_last: bool = False) -> dict[str, Tensor]:
        """Records `model` as it is after `step` steps, the run's last ones where `is_last`.

        Returns p0.l0.q, p0.loss, … as they were written.
        """
        started = time.perf_counter()
        tensors = {}
        for number, prompt in enumerate(self.prompts):
            for name, tensor in read(model, prompt.ids).items():
                tensors[f"p{number}.{name}"] = tensor
        with replacing(self.folder / step_name(step)) as folder:
            folder.mkdir()
            save_file(tensors, folder / RECORDED)
            if self.may_keep_weights(model, step, is_last):
                weights = {name: p.detach().cpu().contiguous() for name, p in model.named_parameters()}
                save_file(weights, folder / WEIGHTS)
            seal(folder, {"format": FORMAT, "step": step})
        self.rows += self.measure(tensors, step)
        self.write_rows()
        self.seconds += time.perf_counter() - started
        return tensors

    def write_rows(self) -> None:
        write_json_lines(self.folder / "heads.jsonl", self.rows)

    def maps(self, tensors: dict[str, Tensor], number: int) -> Tensor:
        """The maps of prompt `number` in what `record` returned: (layers, H, T, T)."""
        start, end = f"p{number}.", ".weights"
        return torch.stack([t for name, t in tensors.items() if name.startswith(start) and name.endswith(end)])

    def may_keep_weights(self, model: GPT, step: int, is_last: bool) -> bool:
        """Whether the weights of this step fit within the limit, in which those of the last step have their place."""
        size = sum(p.numel() * p.element_size() for p in model.parameters())
        others = (path for path in self.folder.glob(f"step-*/{WEIGHTS}") if path.parent.name != step_name(step))
        used = sum(path.stat().st_size for path in others)
        return used + size * (1 if is_last else 2) <= self.keep_bytes

    def measure(self, tensors: dict[str, Tensor], step: int) -> list[dict]:
        """One row for each prompt, layer and head: its metrics, by the definitions in patterns.py."""
        rows = []
        for number, prompt in enumerate(self.prompts):
            repeat = (prompt.period, prompt.offset, prompt.length) if prompt.period else ()
            for layer, weights in enumerate(self.maps(tensors, number)):
                for head, scores in enumerate(head_scores(weights, *repeat)):
                    rows.append({"step": step, "prompt": number, "layer": layer, "head": head, **scores})
        return rows


def read_heads(run: Path) -> list[dict]:
    """The rows of snapshots/heads.jsonl; none where it is absent. Raises InputError where it is damaged."""
    path = run / "snapshots" / "heads.jsonl"
    return read_rows(path) if path.exists() else []


def snapshot_steps(snapshots: int, steps: int) -> list[int]:
    """At most `snapshots` steps, evenly spaced in log(step): 0 (untrained) and `steps` (trained) always among them.

    Early steps lie close together, since that is when heads form. 0 snapshots gives none, 1 only the last.
    """
    if snapshots < 2:
        return [steps] * snapshots
    return sorted({0, steps, *(round(steps ** (i / (snapshots - 1))) for i in range(1, snapshots - 1))})
