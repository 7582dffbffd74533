"""The token ids of a large text, in many files which are opened only to read them."""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from common.errors import InputError, RunError
from data.shards import Tokens, own_file

AT_ONCE = 1 << 24  # ids in memory, where all are read


def shard_name(number: int) -> str:
    return f"{number:05d}"


class ShardedIds:
    """The ids of consecutive files as one array, of which slices and windows are read. No file stays open."""

    def __init__(self, paths: Sequence[Path], counts: Sequence[int], dtype: str) -> None:
        """counts: how many ids each file has."""
        self.dtype = np.dtype(dtype)
        self._paths, self._ends = paths, np.cumsum(np.array(counts, np.int64))

    def __len__(self) -> int:
        return int(self._ends[-1]) if len(self._ends) else 0

    def __getitem__(self, places: np.ndarray | slice) -> np.ndarray:
        """places: a slice, or (n, length), each row consecutive. Raises RunError for a file that was cut off."""
        if isinstance(places, slice):
            start, stop, _ = places.indices(len(self))
            return self._read(start, max(start, stop))
        rows = [self._read(start, stop) for start, stop in (places[:, [0, -1]] + [0, 1]).tolist()]
        return np.stack(rows)

    def _read(self, start: int, stop: int) -> np.ndarray:
        file, parts = int(np.searchsorted(self._ends, start, side="right")), []
        while start < stop:
            count = min(stop, int(self._ends[file])) - start
            before = int(self._ends[file - 1]) if file else 0
            parts.append(
                np.fromfile(self._paths[file], self.dtype, count, offset=(start - before) * self.dtype.itemsize)
            )
            if len(parts[-1]) < count:
                raise RunError(f"{self._paths[file]}: was cut off since it was opened; prepare.py makes it again")
            start, file = start + count, file + 1
        return parts[0] if len(parts) == 1 else np.concatenate([*parts, np.empty(0, self.dtype)])


class ShardedTokens(Tokens):
    """A stream of ids as training reads it, of many documents: [end of text] document 0 [end of text] document 1 ..."""

    sharded, several_documents = True, True

    def __init__(self, folder: Path, part: str, manifest: dict) -> None:
        """manifest: that of all shards. Raises InputError where a file is missing or has another size, or is a link.

        A file is verified by its checksum only when it is prepared: that takes a second per gigabyte.
        """
        self.folder, shards = folder, [shard[part] for shard in manifest["shards"]]
        paths = [own_file(own_file(folder, shard_name(number)), f"{part}.bin") for number in range(len(shards))]
        counts = [shard["count"] for shard in shards]
        self.ids: Any = ShardedIds(paths, counts, manifest["dtype"])
        for path, count in zip(paths, counts, strict=True):
            if (size := path.stat().st_size) != count * self.ids.dtype.itemsize:
                raise InputError(f"{path}: damaged: {size} bytes, not {count} x {self.ids.dtype.itemsize}")
        self.n_bytes = sum(shard["n_bytes"] for shard in shards)
        self.n_documents = sum(shard["n_documents"] for shard in shards)
        self.sha256, self.tokenizer_hash = manifest["checksums"][part], manifest["tokenizer_hash"]
        self._end_of_text = manifest["end_of_text"]

    @cached_property
    def document_starts(self) -> np.ndarray:  # type: ignore[override]
        """Found by the end of text before each, since no text can spell that. It takes the time to read all ids."""
        places = range(0, len(self), AT_ONCE)
        found = [start + np.flatnonzero(self.ids[start : start + AT_ONCE] == self._end_of_text) for start in places]
        return np.concatenate([*found, np.empty(0, np.int64)]) + 1
