"""Data sets of the Hugging Face Hub: hub:OWNER/NAME or hub:OWNER/NAME/CONFIG, pinned to one commit."""

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from common.errors import InputError
from common.network import Background
from data.datasets_library import import_datasets, provide_home
from data.sources import Source, refuse_empty
from data.survey import Documents, Survey, clean
from data.tables import READ_ROWS, Rows, arrow_rows, texts

if TYPE_CHECKING:
    from datasets import Dataset, DatasetBuilder, IterableDataset
    from huggingface_hub import HfApi

    from config import DataConfig

# The formats that text comes in, and no others: one of them (webdataset) unpickles what it finds in an archive, though
# within torch's limits.
KINDS = ("parquet", "json", "csv", "text", "arrow")

ROW_GROUPS = 16  # of a Parquet file, at a time: about 16,000 rows, where its writer chose nothing else

# Longer than a Hub that can be reached takes to answer; with the start of Python it stays under ten seconds.
ANSWER_SECONDS = 7


class NoAnswer(InputError):
    """The Hub cannot be reached; the message says what to do without it."""


def open_hub(config: "DataConfig") -> Source:
    """The split config.split of the data set that config.source names, at the commit config.revision stands for now.

    With a full commit hash as the revision the Hub is not asked, so tokens in the cache need no network.
    Raises InputError for a name, revision, split or column that does not exist, and when the Hub does not answer.
    """
    commit, survey = resolve(config), Survey()

    def rows() -> Rows:
        builder = open_builder(config, commit)
        if not config.streaming:
            builder.download_and_prepare()
        yield from _rows(builder.as_streaming_dataset if config.streaming else builder.as_dataset, config)

    def documents() -> Documents:
        return refuse_empty(_documents(rows(), config, survey), config.source, survey)

    identity = f"{config.source}@{commit} {config.split} {config.text_column} {config.encoding_errors}"
    return Source(documents, lambda: identity, commit, survey)


def open_builder(config: "DataConfig", commit: str) -> "DatasetBuilder":
    """What reads the data set at a commit. Raises InputError where there is none, or none that is read here."""
    repository, subset = _names(config)
    where, datasets = f"data.source {config.source}", import_datasets(config.cache)
    # The defaults are 20 tries, 5 seconds apart.
    datasets.config.STREAMING_OPEN_MAX_RETRIES = datasets.config.STREAMING_READ_MAX_RETRIES = 4
    datasets.config.STREAMING_OPEN_RETRY_INTERVAL = datasets.config.STREAMING_READ_RETRY_INTERVAL = 2
    _resolve(repository, commit)
    if Path(repository).exists():  # `datasets` would read it instead of the Hub's
        raise InputError(
            f"{where}: a folder {repository} is in the way: run from another folder, or read it with "
            f"--data.source {repository}"
        )
    builder = datasets.load_dataset_builder(repository, subset, revision=commit)
    kind = type(builder).__module__.split(".")[-1]
    if kind not in KINDS:
        raise InputError(f"{where}: made of {kind} files; {', '.join(KINDS)} expected")
    return builder


def resolve(config: "DataConfig") -> str:
    """The commit that config.revision stands for now; of a full hash the Hub is not asked. Raises InputError."""
    repository, _ = _names(config)
    provide_home(config.cache)
    if config.revision and re.fullmatch("[0-9a-f]{40}", config.revision):
        return config.revision
    return _resolve(repository, config.revision)


def _names(config: "DataConfig") -> tuple[str, str | None]:
    """OWNER/NAME, and CONFIG where it is given."""
    name = re.fullmatch(r"hub:([\w.-]+/[\w.-]+)(?:/([\w.-]+))?", config.source)
    if not name:
        raise InputError(f"data.source {config.source}: expected hub:OWNER/NAME or hub:OWNER/NAME/CONFIG")
    return name[1], name[2]


def hub_units(config: "DataConfig", commit: str) -> list[list[int]]:
    """What read_hub reads one by one: [files, file, parts, part], of a Parquet file ROW_GROUPS of them."""
    try:
        whole = open_builder(config, commit).as_streaming_dataset(config.split)
        files = range(whole.num_shards)
        with ThreadPoolExecutor(16) as pool:  # each asks the Hub for the end of a file
            groups = pool.map(lambda file: whole.shard(len(files), file).reshard().num_shards, files)
            parts = [-(-n // ROW_GROUPS) for n in groups]
    except InputError:
        raise
    except Exception as error:
        raise InputError(
            f"data.source {config.source}: cannot be read: {str(error) or type(error).__name__}"
        ) from error
    return [[len(files), file, parts[file], part] for file in files for part in range(parts[file])]


def read_hub(builder: "DatasetBuilder", unit: list[int], config: "DataConfig", survey: Survey) -> Documents:
    """The documents of one of the hub_units, read as they come."""
    n_files, file, n_parts, part = unit

    def open_part(split: str) -> "IterableDataset":
        return builder.as_streaming_dataset(split).shard(n_files, file).reshard().shard(n_parts, part)

    return _documents(_rows(open_part, config), config, survey)


def _rows(open_split: Callable[[str], "Dataset | IterableDataset"], config: "DataConfig") -> Rows:
    tables = open_split(config.split).with_format("arrow").iter(READ_ROWS)
    yield from arrow_rows(tables, config, f"data.source {config.source}")


def _documents(rows: Rows, config: "DataConfig", survey: Survey) -> Documents:
    return clean(texts(rows, config, f"data.source {config.source}", survey), survey, _names(config)[0])


def _resolve(repository: str, revision: str | None) -> str:
    """The commit (40 hex digits) that a branch or tag stands for; None is the main branch."""
    return ask_hub(
        f"data.source hub:{repository}",
        "data set",
        lambda api, seconds: api.dataset_info(repository, revision=revision, timeout=seconds),
        f"data.revision {revision}: hub:{repository} has no such branch, tag or commit",
        "Without a network use a file or tales; tokens in the cache are found with --data.revision COMMIT",
    ).sha


def ask_hub(where: str, what: str, question: Callable[["HfApi", float], Any], no_revision: str, offline: str) -> Any:
    """The answer to a question about `what` is named `where`, given the Hub's API and for how many seconds to wait.

    Raises InputError where there is no such thing, no such revision (then the text `no_revision`), or no answer: then
    `offline` says what to do without a network.
    """
    from huggingface_hub import HfApi, errors

    api = HfApi()
    ask = Background(lambda: question(api, ANSWER_SECONDS))
    try:
        return ask.result(ANSWER_SECONDS + 0.5)
    except errors.GatedRepoError as error:
        raise InputError(f"{where}: ask for access to it on the Hub, then `hf auth login`") from error
    except errors.RepositoryNotFoundError as error:
        raise InputError(f"{where}: the Hub has no such {what}; a private one needs `hf auth login`") from error
    except errors.HFValidationError as error:
        raise InputError(f"{where}: not a name that the Hub allows") from error
    except errors.RevisionNotFoundError as error:
        raise InputError(no_revision) from error
    except errors.OfflineModeIsEnabled as error:
        raise NoAnswer(f"{where}: HF_HUB_OFFLINE is set, which allows no connection; unset it. {offline}") from error
    except Exception as error:
        raise NoAnswer(
            f"{where}: the Hub does not answer at {api.endpoint} ({type(error).__name__}). {offline}"
        ) from error
