"""Models of the Hugging Face Hub: hub:OWNER/NAME or hub:OWNER/NAME@REVISION, without anything that is pickled."""

import re
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from common.errors import InputError, reason
from config import DataConfig
from data.datasets_library import provide_home
from data.hub import NoAnswer, ask_hub
from exchange.reading import ADAPTER, WEIGHTS, an_adapter, no_weights

if TYPE_CHECKING:
    from huggingface_hub.hf_api import ModelInfo

# Beside the weights: what says how to read them, and the tokenizer's files.
WANTED = (
    "config.json",
    "generation_config.json",
    "model.safetensors.index.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "merges.txt",
)


def download(source: str) -> Path:
    """The folder with the files of a model, in the cache of Hugging Face's libraries; those it lacks are fetched.

    Raises InputError for a name or a revision that does not exist, a model without safetensors, a disk without room,
    and where the Hub does not answer and it is not known that all of it is there.
    """
    name = re.fullmatch(r"(hub:([\w.-]+/[\w.-]+))(?:@([\w.-]+(?:/[\w.-]+)*))?", source)
    if not name:
        raise InputError(f"{source}: expected hub:OWNER/NAME or hub:OWNER/NAME@REVISION")
    where, repository, revision = name.groups()
    provide_home(DataConfig.cache)
    from huggingface_hub import snapshot_download, try_to_load_from_cache
    from huggingface_hub.utils import disable_progress_bars

    if not sys.stderr.isatty():
        disable_progress_bars()
    try:
        info = ask_hub(
            where,
            "model",
            lambda api, seconds: api.model_info(repository, revision=revision, files_metadata=True, timeout=seconds),
            f"{source}: no such branch, tag or commit",
            "Without a network use a folder; what was downloaded is found with hub:OWNER/NAME@COMMIT",
        )
    except NoAnswer:
        there = try_to_load_from_cache(repository, "config.json", revision=revision)
        if not isinstance(there, str):
            raise
        return Path(there).parent
    sizes = wanted_files(source, info)
    missing = [
        file for file in sizes if not isinstance(try_to_load_from_cache(repository, file, revision=info.sha), str)
    ]
    check_room(source, sum(sizes[file] for file in missing))
    try:
        return Path(snapshot_download(repository, revision=info.sha, allow_patterns=list(sizes)))
    except Exception as error:  # of the network or of the disk: it has many kinds of them
        raise InputError(f"{source}: the download failed ({type(error).__name__}: {reason(error)})") from None


def wanted_files(source: str, info: "ModelInfo") -> dict[str, int]:
    """The files of a model that are read, and their bytes."""
    sizes = {file.rfilename: file.size or 0 for file in info.siblings or []}
    weights = [WEIGHTS] if WEIGHTS in sizes else [file for file in sizes if re.fullmatch(r"[\w.-]+\.safetensors", file)]
    if ADAPTER in sizes:
        raise an_adapter(source)
    if "config.json" not in sizes:
        raise InputError(f"{source}: no config.json in it; a model in Hugging Face format expected")
    if not weights:
        raise no_weights(source, list(sizes))
    return {file: size for file, size in sizes.items() if file in (*WANTED, *weights)}


def check_room(source: str, needed: int) -> None:
    """Raises InputError where the disk of the cache has not that many bytes free."""
    from huggingface_hub.constants import HF_HUB_CACHE

    cache = Path(HF_HUB_CACHE).absolute()
    there = next(folder for folder in (cache, *cache.parents) if folder.exists())
    if (free := shutil.disk_usage(there).free) < needed:
        raise InputError(
            f"{source}: {needed / 1e6:,.0f} MB to download, {free / 1e6:,.0f} MB free at {cache}; free some, or set "
            "HF_HOME to a folder on another disk"
        )
