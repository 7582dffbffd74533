import pytest

from common.errors import InputError, RunError
from exchange.push import check_name, push
from tests.helpers.hub_to_push_to import TOKEN, hub_to_push_to


@pytest.fixture
def hub():
    with hub_to_push_to() as uploads:
        yield uploads


def test_files_are_uploaded_to_a_new_private_repository(hub, tmp_path):
    path = tmp_path / "a.bin"
    path.write_bytes(b"\x00weights")
    said = push("owner/model", {"model.safetensors": path, "README.md": b"# card"}, "a model")
    assert hub.repositories == {"owner/model": {"model.safetensors": b"\x00weights", "README.md": b"# card"}}
    assert hub.private == {"owner/model"}
    assert said.startswith(f"{hub.endpoint}/owner/model (private")


def test_a_repository_that_is_there_keeps_its_other_files_and_who_sees_it(hub):
    hub.repositories["owner/model"] = {"notes.txt": b"mine", "README.md": b"old"}
    assert push("owner/model", {"README.md": b"new"}, "again") == f"{hub.endpoint}/owner/model"
    assert hub.repositories["owner/model"] == {"notes.txt": b"mine", "README.md": b"new"}
    assert hub.private == set()


@pytest.mark.parametrize(
    ("where", "status", "words"),
    [
        ("whoami", 401, "hf auth login"),
        ("create", 403, "may not write"),
        ("commit", 403, "is owner right"),
        ("preupload", 404, "may not write"),
        ("commit", 413, "HTTP 413"),
        ("whoami", 429, "try again later"),
        ("whoami", 500, "try again later"),
    ],
)
def test_a_refusal_says_what_to_do_and_shows_no_token(hub, where, status, words):
    hub.refuse = {where: status}
    with pytest.raises(RunError, match=words) as raised:
        push("owner/model", {"README.md": b"# card"}, "a model")
    text = str(raised.value)
    assert text.startswith("--push owner/model: ") and "\n" not in text and TOKEN not in text


def test_without_a_login_nothing_is_made(hub, monkeypatch, tmp_path):
    monkeypatch.delenv("HF_TOKEN")
    monkeypatch.setattr("huggingface_hub.constants.HF_TOKEN_PATH", str(tmp_path / "none"))
    with pytest.raises(RunError, match="no login to the Hub here: `hf auth login`"):
        push("owner/model", {"README.md": b"# card"}, "a model")
    assert hub.repositories == {}


def test_where_the_hub_is_switched_off_the_switch_is_named(hub, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(RunError, match="HF_HUB_OFFLINE is set"):
        push("owner/model", {"README.md": b"# card"}, "a model")


def test_a_hub_that_is_not_there_is_named(hub, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(RunError, match=r"the Hub does not answer at http://127\.0\.0\.1:9"):
        push("owner/model", {"README.md": b"# card"}, "a model")


@pytest.mark.parametrize(
    "name", ["model", "a/b/c", "owner/", "/name", "owner/na me", "owner/-x", "owner/a..b", "a/" + "b" * 97]
)
def test_a_name_that_the_hub_does_not_allow_is_refused(name):
    with pytest.raises(InputError, match="OWNER/NAME expected"):
        check_name(name)


def test_a_name_that_the_hub_allows_is_taken():
    check_name("owner/my-model_1.0")
