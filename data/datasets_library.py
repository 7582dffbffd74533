"""The `datasets` library, for the Hub and for what it saved: quiet, and able to do without a home folder."""

import os
import sys
import tempfile
from pathlib import Path
from types import ModuleType


def import_datasets(cache: str) -> ModuleType:
    """The package, without progress bars where stderr is not a terminal. It takes seconds to import.

    cache: data.cache, in which it keeps its files where there is no home folder that can be written.
    """
    provide_home(cache)
    import datasets

    if not sys.stderr.isatty():
        datasets.disable_progress_bars()
    datasets.logging.set_verbosity(datasets.logging.CRITICAL)  # `texts` reports errors, once
    datasets.config.HF_UPDATE_DOWNLOAD_COUNTS = False  # or it reports each file to a server, also local ones
    datasets.config.TORCH_AVAILABLE = False  # we need no tensors, and torch takes even longer to import
    return datasets


def provide_home(cache: str) -> None:
    """Before Hugging Face's libraries are imported: where they could not write, they keep their files below `cache`."""
    if "HF_HOME" in os.environ:
        return
    home = Path(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "huggingface").absolute()
    there = next(folder for folder in (home, *home.parents) if os.path.exists(folder))
    try:
        if "~" in home.parts:  # whose home, nobody knows
            raise OSError
        tempfile.TemporaryFile(dir=there).close()
    except OSError:
        os.environ["HF_HOME"] = str(Path(cache, "huggingface").absolute())
