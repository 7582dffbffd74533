"""A stand-in for the Hugging Face Hub on the loopback interface that models are uploaded to."""

import base64
import contextlib
import http.server
import json
import threading
from dataclasses import dataclass, field
from functools import partial

import pytest

from tests.helpers.hub_stand_in import Answering

TOKEN = "hf_a_token_that_nobody_may_see"


@dataclass
class Uploads:
    """What the Hub has: the files of each repository, and which are private. refuse: path -> HTTP status."""

    repositories: dict[str, dict[str, bytes]] = field(default_factory=dict)
    private: set[str] = field(default_factory=set)
    refuse: dict[str, int] = field(default_factory=dict)
    endpoint: str = ""


@contextlib.contextmanager
def hub_to_push_to():
    """Yields what it has; this process is logged in to it."""
    uploads = Uploads()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, uploads))
    uploads.endpoint = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("huggingface_hub.constants.ENDPOINT", uploads.endpoint)
        patch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
        patch.setenv("HF_TOKEN", TOKEN)
        patch.setenv("no_proxy", "127.0.0.1")
        try:
            yield uploads
        finally:
            server.shutdown()
            server.server_close()


class Handler(Answering):
    def __init__(self, uploads, *connection):
        self.uploads = uploads
        super().__init__(*connection)

    def do_GET(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path = self.path.partition("?")[0]
        owner_and_name = "/".join(path.split("/")[3:5])
        if self.headers.get("Authorization") != f"Bearer {TOKEN}":
            self.send_json({"error": "Invalid username or password."}, 401)
        elif refused := [status for part, status in self.uploads.refuse.items() if part in path]:
            self.send_json({"error": f"refused to {self.headers['Authorization']}"}, refused[0])
        elif path == "/api/whoami-v2":
            self.send_json({"type": "user", "name": "owner"})
        elif path == "/api/repos/create":
            asked = json.loads(body)
            repository = f"{asked.get('organization') or 'owner'}/{asked['name']}"
            self.uploads.repositories[repository] = {}
            if asked.get("private") or asked.get("visibility") == "private":
                self.uploads.private.add(repository)
            self.send_json({"url": f"http://{self.headers['Host']}/{repository}", "id": repository})
        elif path == "/api/validate-yaml":
            self.send_json({"errors": [], "warnings": []})
        elif owner_and_name not in self.uploads.repositories:
            self.send_json({"error": "Repository not found"}, 404, {"X-Error-Code": "RepoNotFound"})
        elif "/preupload/" in path:
            files = [file["path"] for file in json.loads(body)["files"]]
            regular = [{"path": name, "uploadMode": "regular", "shouldIgnore": False} for name in files]
            self.send_json({"files": regular, "commitOid": "0" * 40})
        elif "/commit/" in path:
            for line in map(json.loads, body.splitlines()):
                if line["key"] == "file":
                    content = base64.b64decode(line["value"]["content"])
                    self.uploads.repositories[owner_and_name][line["value"]["path"]] = content
            url = f"http://{self.headers['Host']}/{owner_and_name}/commit/{'1' * 40}"
            self.send_json({"success": True, "commitUrl": url, "commitOid": "1" * 40})
        else:
            self.send_json({"id": owner_and_name, "sha": "0" * 40, "siblings": [], "private": False, "tags": []})

    do_POST = do_HEAD = do_GET
