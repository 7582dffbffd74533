"""Weights & Biases (wandb), when asked: it is sent only what is logged here, and may fail without harm."""

import contextlib
import html
import os
import secrets
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from common.terminal import warn
from config import Config
from lens.explorer.images import head_image
from lens.record import Recorder


class WandbLog:
    """A run on wandb, from `config.wandb.mode`: nothing at all where that is disabled, or once wandb has failed.

    wandb's own record cannot be cut: where a run is resumed from an earlier step, the steps between are drawn twice.
    """

    def __init__(self, folder: Path, config: Config) -> None:
        self.run: Any = None
        if config.wandb.mode != "disabled":
            self._safely(lambda: self._start(folder, config))

    def log(self, values: dict, make: dict[str, Callable] | None = None) -> None:
        """Logs `values`, and what the functions of `make` return for the module wandb."""
        if self.run:
            wandb = sys.modules["wandb"]
            self._safely(lambda: self.run.log(values | {name: f(wandb) for name, f in (make or {}).items()}))

    def text(self, name: str, text: str, step: int) -> None:
        """Shows a text, such as a sample, its line breaks kept."""
        page = f"<pre style='white-space: pre-wrap'>{html.escape(text)}</pre>"
        self.log({"step": step}, {name: lambda wandb: wandb.Html(page, inject=False)})

    def page(self, name: str, path: Path) -> None:
        """Shows the self-contained page at `path`."""
        self.log({}, {name: lambda wandb: wandb.Html(path.read_text(encoding="utf-8"), inject=False)})

    def attention(self, recorder: Recorder, tensors: dict, step: int) -> None:
        """Shows what was recorded: one picture a prompt, layers down and heads across, and the table of measures."""
        if not self.run:
            return
        for number, prompt in enumerate(recorder.prompts):
            self.image(f"attention/{prompt.name}", head_image(recorder.maps(tensors, number).numpy()), step)
        rows = [row for row in recorder.rows if row["step"] == step]
        columns = list(rows[0])
        data = [[row[column] for column in columns] for row in rows]
        self.log({"step": step}, {"heads": lambda wandb: wandb.Table(columns=columns, data=data)})

    def image(self, name: str, pixels: np.ndarray, step: int) -> None:
        """Shows `pixels`, uint8 (height, width, 3)."""
        self.log({"step": step}, {name: lambda wandb: wandb.Image(pixels)})

    def finish(self) -> None:
        """Ends wandb's run, waiting at most a minute for what it still has to send."""
        if self.run:
            self._safely(lambda: self.run.finish())
        if self.run:
            self._leave()

    def _start(self, folder: Path, config: Config) -> None:
        directory = folder / "wandb"
        directory.mkdir(exist_ok=True)
        identity = directory / "id.txt"  # a resumed run goes on under the same name
        if not identity.exists():
            identity.write_text(secrets.token_hex(4), encoding="utf-8", newline="\n")
        os.environ["WANDB_ERROR_REPORTING"] = "false"
        for name in ("WANDB_DATA_DIR", "WANDB_CACHE_DIR"):  # what it stages, out of the home folder
            os.environ.setdefault(name, str(directory.resolve()))
        import wandb

        self.run = wandb.init(
            project=config.wandb.project,
            mode=config.wandb.mode,
            dir=folder,
            name=folder.name,
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
        self.run.define_metric("*", step_metric="step")

    def _safely(self, act: Callable[[], None]) -> None:
        try:
            act()
        except Exception as error:  # whatever it is, the training run matters more
            why = " ".join(str(error).split()) or type(error).__name__
            warn(f"wandb failed ({why}); the run goes on without it")
            self._leave()

    def _leave(self) -> None:
        """Ends wandb's own process now: left to the end of ours it prints a traceback if it has died."""
        self.run = None
        if sys.modules.get("wandb"):
            with contextlib.suppress(Exception, SystemExit):
                sys.modules["wandb"].teardown()
