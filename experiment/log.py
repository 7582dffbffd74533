"""What a run reports as it goes: the progress bar, the screen, metrics.jsonl, samples.txt and, when asked, wandb."""

import json
import math
from pathlib import Path

from torch import Tensor
from tqdm import tqdm

from common.errors import RunError
from common.files import in_use, read_json_lines, replacing, write_whole
from common.terminal import say, warn
from config import Config
from experiment.wandb_log import WandbLog
from lens.record import Recorder
from training.progress import Progress
from training.report import evaluation_text
from training.stories import StoryScore


class Log:
    """Reports on the run in `folder`.

    metrics.jsonl begins anew, or keeps its lines up to the step that `progress` has reached, so that a resumed run
    neither repeats nor skips any. Raises RunError when it cannot be written.
    """

    def __init__(self, folder: Path, config: Config, progress: Progress) -> None:
        self.samples_path, self.metrics_path = folder / "samples.txt", folder / "metrics.jsonl"
        try:
            if progress.step >= 0:
                keep_until(self.metrics_path, progress.step)
            mode = "w" if progress.step < 0 else "a"
            self.metrics_file = self.metrics_path.open(mode, encoding="utf-8", newline="\n")
        except OSError as error:
            raise RunError(f"{self.metrics_path}: cannot be written: {error.strerror}") from None
        self.wandb = WandbLog(folder, config)
        # disable=None: no bar where stderr is no terminal
        self.bar = tqdm(
            total=config.train.steps, initial=max(0, progress.step), unit="step", disable=None, dynamic_ncols=True
        )

    def __enter__(self) -> "Log":
        return self

    def __exit__(self, *error: object) -> None:
        self.bar.close()  # so that the message of an error starts on a line of its own

    def advance(self, last: int) -> None:
        """A step was taken, on the way to step `last`."""
        self.bar.total = last
        self.bar.update()

    def evaluation(self, step: int, metrics: dict, score: StoryScore | None, samples: dict[str, str]) -> None:
        """Shows an evaluation and its sample. `samples`, those of all evaluations by their step, go to samples.txt."""
        sample = samples[str(step)]
        say(evaluation_text(step, metrics, score, sample))
        self.wandb.text("sample", sample, step)
        try:
            write_whole(self.samples_path, "".join(f"step {step}\n{text}\n\n" for step, text in samples.items()))
        except PermissionError as error:
            if not in_use(error):
                raise
            warn(f"{self.samples_path}: another program has it open; close that, and the next evaluation writes it")

    def attention(self, step: int, recorder: Recorder, tensors: dict[str, Tensor]) -> None:
        """Shows in wandb what the recorder has just recorded."""
        self.wandb.attention(recorder, tensors, step)

    def metrics(self, line: dict[str, float]) -> None:
        """Adds a line to metrics.jsonl: "step" and numbers.

        JSON has no NaN and no infinity: such a value is written as null and named in "non_finite", for example
        {"step": 7, "train_loss": null, "non_finite": {"train_loss": "nan"}}.
        """
        if "train_loss" in line:
            skipped = f", {line['skipped_steps']} steps skipped" if line["skipped_steps"] else ""
            self.bar.set_postfix_str(
                f"loss {line['train_loss']:.3f}, {line['tokens_per_second']:,.0f} tokens/s{skipped}"
            )
        self.wandb.log(line)
        non_finite = {
            name: str(value) for name, value in line.items() if isinstance(value, float) and not math.isfinite(value)
        }
        written: dict[str, object] = dict(line)
        if non_finite:
            written |= dict.fromkeys(non_finite) | {"non_finite": non_finite}
        try:
            self.metrics_file.write(json.dumps(written, allow_nan=False) + "\n")
            self.metrics_file.flush()
        except OSError as error:
            raise RunError(
                f"{self.metrics_path}: cannot be written: {error.strerror}; the checkpoints so far are whole"
            ) from None

    def finish(self, page: Path | None = None) -> None:
        """Closes what is open; shows the explorer's page in wandb and waits at most a minute for it."""
        self.bar.close()
        if page:
            self.wandb.page("attention", page)
        self.metrics_file.close()
        self.wandb.finish()


def keep_until(path: Path, step: int) -> None:
    """Leaves the lines of a metrics.jsonl up to `step`."""
    kept = [line for line in read_json_lines(path) if line["step"] <= step] if path.exists() else []
    with replacing(path) as temporary:
        temporary.write_bytes("".join(json.dumps(line) + "\n" for line in kept).encode())
