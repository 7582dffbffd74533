"""What a run reports: metrics.jsonl always, Weights & Biases (wandb) when asked.

wandb is imported only then, is told nothing but what is logged here, and may fail at any time without harm to the run.
"""

import contextlib
import html
import json
import math
import os
import secrets
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import numpy as np

from common.errors import InputError, RunError
from common.files import replacing
from config import WandbConfig


class Tracker:
    """Writes metrics.jsonl in the folder `run` and, unless `wandb_config.mode` is disabled, logs to wandb.

    `config` (the configuration, a dataclass) is shown by wandb beside the run. `resume_step` None begins metrics.jsonl
    anew; a step keeps its lines up to that one, so that a resumed run neither repeats nor skips any. wandb's own record
    cannot be cut: there the steps between are drawn twice, one upon the other. Without wandb, `wandb` is None.
    Raises RunError when metrics.jsonl cannot be written.
    """

    def __init__(self, run: Path, wandb_config: WandbConfig, config: object, resume_step: int | None = None):
        self.path = run / "metrics.jsonl"
        self.wandb = None
        try:
            if resume_step is not None:
                keep_until(self.path, resume_step)
            self.file = self.path.open("w" if resume_step is None else "a", encoding="utf-8", newline="\n")
        except OSError as error:
            raise RunError(f"{self.path}: cannot be written: {error.strerror}") from None
        if wandb_config.mode != "disabled":
            self.safely(lambda: self.start_wandb(run, wandb_config, config))

    def log(self, metrics: dict[str, object]):
        """Adds a line: `metrics` holds "step" and numbers, texts or None.

        JSON has no NaN and no infinity: such a value is written as null and named in "non_finite", for example
        {"step": 7, "train_loss": null, "non_finite": {"train_loss": "nan"}}.
        """
        line = {name: value.item() if hasattr(value, "item") else value for name, value in metrics.items()}
        self.send(line)
        odd = {
            name: str(value) for name, value in line.items() if isinstance(value, float) and not math.isfinite(value)
        }
        if odd:
            line = line | dict.fromkeys(odd) | {"non_finite": odd}
        try:
            self.file.write(json.dumps(line, allow_nan=False) + "\n")
            self.file.flush()
        except OSError as error:
            raise RunError(
                f"{self.path}: cannot be written: {error.strerror}; the checkpoints so far are whole"
            ) from None

    def image(self, name: str, pixels: np.ndarray, step: int):
        """Shows `pixels`, uint8 (height, width, 3), in wandb."""
        self.send({"step": step}, {name: lambda wandb: wandb.Image(pixels)})

    def text(self, name: str, text: str, step: int):
        """Shows a text, such as a sample, in wandb, its line breaks kept."""
        page = f"<pre style='white-space: pre-wrap'>{html.escape(text)}</pre>"
        self.send({"step": step}, {name: lambda wandb: wandb.Html(page, inject=False)})

    def table(self, name: str, columns: list[str], rows: list[list], step: int):
        """Shows a table in wandb, `rows` of numbers and texts."""
        self.send({"step": step}, {name: lambda wandb: wandb.Table(columns=columns, data=rows)})

    def html(self, name: str, path: Path):
        """Shows the self-contained page at `path` in wandb."""
        self.send({}, {name: lambda wandb: wandb.Html(path.read_text(encoding="utf-8"), inject=False)})

    def finish(self):
        """Closes metrics.jsonl and ends wandb's run, waiting a minute at most for what it still has to send."""
        self.file.close()
        if self.wandb:
            self.safely(lambda: self.wandb.finish())
        if self.wandb:
            self.leave_wandb()

    # ---- wandb, which may fail

    def start_wandb(self, run: Path, wandb_config: WandbConfig, config: object):
        folder = run / "wandb"
        folder.mkdir(exist_ok=True)
        identity = folder / "id.txt"  # a resumed run goes on under the same name
        if not identity.exists():
            identity.write_text(secrets.token_hex(4), encoding="utf-8")
        os.environ["WANDB_ERROR_REPORTING"] = "false"
        for name in ("WANDB_DATA_DIR", "WANDB_CACHE_DIR"):  # what it stages, out of the home folder
            os.environ.setdefault(name, str(folder.resolve()))
        import wandb

        self.wandb = wandb.init(
            project=wandb_config.project,
            mode=wandb_config.mode,
            dir=run,
            name=run.name,
            id=identity.read_text(encoding="utf-8").strip(),
            resume="allow",
            config=asdict(config),
            # No console, code, git, packages, machine or host: only what is logged. No waiting without a network.
            settings=wandb.Settings(
                silent=True,
                console="off",
                save_code=False,
                disable_code=True,
                disable_git=True,
                disable_job_creation=True,
                host="",
                x_disable_machine_info=True,
                x_disable_meta=True,
                x_disable_stats=True,
                x_save_requirements=False,
                init_timeout=10,
                login_timeout=15,
                finish_timeout=60,
                finish_timeout_raises=True,
            ),
        )
        self.wandb.define_metric("*", step_metric="step")

    def send(self, values: dict, made: dict[str, Callable] | None = None):
        """Logs `values` and what the functions in `made` make of the module wandb."""
        if self.wandb:
            module = sys.modules["wandb"]
            self.safely(lambda: self.wandb.log(values | {name: make(module) for name, make in (made or {}).items()}))

    def safely(self, act: Callable[[], None]):
        try:
            act()
        except Exception as error:  # whatever it is, the run matters more
            why = " ".join(str(error).split()) or type(error).__name__
            print(f"warning: wandb failed ({why}); the run goes on without it", file=sys.stderr)
            self.leave_wandb()

    def leave_wandb(self):
        """Ends wandb's own process now: left to the end of ours it prints a traceback if it has died."""
        self.wandb = None
        if sys.modules.get("wandb"):
            with contextlib.suppress(Exception, SystemExit):
                sys.modules["wandb"].teardown()


# ---- metrics.jsonl


def read_metrics(path: Path) -> list[dict]:
    """The lines of a metrics.jsonl, in order, but for one that was cut short. Raises InputError if it can't be read."""
    try:
        lines = path.read_bytes().split(b"\n")
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    return [line for line in map(parsed, lines) if line is not None]


def parsed(line: bytes) -> dict | None:
    try:
        values = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return values if isinstance(values, dict) and type(values.get("step")) is int else None


def keep_until(path: Path, step: int):
    """Leaves the lines of a metrics.jsonl up to `step`, as they are; tells of damaged ones, but for a torn last one."""
    lines = path.read_bytes().split(b"\n") if path.exists() else []
    known = [parsed(line) for line in lines]
    damaged = [str(number) for number, values in enumerate(known[:-1], 1) if values is None]
    if damaged:
        print(f"warning: {path}: line {', '.join(damaged[:5])} cannot be read and is left out", file=sys.stderr)
    kept = [line for line, values in zip(lines, known, strict=True) if values and values["step"] <= step]
    with replacing(path) as beside:
        beside.write_bytes(b"".join(line + b"\n" for line in kept))
