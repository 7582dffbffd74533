"""Uploads an export to the Hugging Face Hub, with the login that `hf auth login` keeps: no token is seen here."""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from common.errors import InputError, RunError
from common.network import Background

ANSWER_SECONDS = 10  # longer than a Hub that can be reached takes to answer a question; an upload may take any time

T = TypeVar("T")


def check_name(repository: str) -> None:
    """Raises InputError for what is not OWNER/NAME as the Hub allows it."""
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils import validate_repo_id

    try:
        validate_repo_id(repository)
    except HFValidationError:
        fits = False
    else:
        fits = re.fullmatch(r"[^/]+/[^/]+", repository) is not None
    if not fits:
        raise InputError(
            f"--push {repository}: OWNER/NAME expected, of letters, digits, -, _ and . (none of them at the beginning "
            "or the end, no .git there, no two - or . in a row, 96 characters at most)"
        )


def push(repository: str, files: Mapping[str, Path | bytes], message: str) -> str:
    """Uploads `files`, by their names there, in one commit; returns the address of what is there now.

    A repository that does not exist is made, private; one that does keeps its other files and its history.
    Raises RunError, which says what to do, where the Hub cannot be reached or refuses.
    """
    from huggingface_hub import CommitOperationAdd, HfApi

    api = HfApi()
    ask(repository, api, lambda: api.whoami())  # without a login it fails before anything is made
    exists = ask(repository, api, lambda: api.repo_exists(repository))
    if not exists:
        ask(repository, api, lambda: api.create_repo(repository, private=True, exist_ok=True))
    operations = [
        CommitOperationAdd(name, content if isinstance(content, bytes) else str(content))
        for name, content in files.items()
    ]
    answered(repository, api, lambda: api.create_commit(repository, operations, commit_message=message))
    private = "" if exists else " (private: its settings there make it public)"
    return f"{api.endpoint}/{repository}{private}"


def ask(repository: str, api: Any, question: Callable[[], T]) -> T:
    return answered(repository, api, lambda: Background(question).result(ANSWER_SECONDS))


def answered(repository: str, api: Any, call: Callable[[], T]) -> T:
    """What `call` returns; an error becomes a RunError of one line that quotes nothing of the request."""
    from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, LocalTokenNotFoundError, OfflineModeIsEnabled

    try:
        return call()
    except LocalTokenNotFoundError:
        why = "there is no login to the Hub here: `hf auth login`, with a token that may write"
    except OfflineModeIsEnabled:
        why = "HF_HUB_OFFLINE is set, which allows no connection: unset it"
    except GatedRepoError:
        why = "it is gated: ask for access to it on the Hub"
    except HfHubHTTPError as error:
        why = refusal(repository.partition("/")[0], error.response.status_code)
    except Exception as error:
        why = f"the Hub does not answer at {api.endpoint} ({type(error).__name__})"
    raise RunError(f"--push {repository}: {why}") from None


def refusal(owner: str, status: int) -> str:
    """What an HTTP status means here, and what to do."""
    if status == 401:
        return "the Hub does not take this login: `hf auth login` once more, with a token that may write"
    if status in (403, 404):
        return f"this login may not write there: name an OWNER that it may (is {owner} right?) or take another token"
    return f"the Hub refuses it (HTTP {status})" + ("; try again later" if status == 429 or status >= 500 else "")
