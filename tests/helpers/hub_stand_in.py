"""A stand-in for the Hugging Face Hub on the loopback interface: a data set or a model, as the client libraries ask."""

import contextlib
import http.server
import json
import threading
import urllib.parse
from functools import partial
from hashlib import sha1
from pathlib import PurePosixPath

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@contextlib.contextmanager
def hub(repository: str, files: dict[str, bytes], kind: str = "datasets"):
    """Serves `files` as `repository` at COMMIT, its branch main; yields (endpoint, list of the requested paths).

    kind: "datasets" or "models".
    """
    requested = []
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, kind, repository, files, requested))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", requested
    finally:
        server.shutdown()
        server.server_close()


class Answering(http.server.BaseHTTPRequestHandler):
    """Sends answers, and prints nothing of it."""

    def send_json(self, value, status=200, headers=None):
        self.send(status, json.dumps(value).encode(), {"Content-Type": "application/json"} | (headers or {}))

    def send(self, status, body, headers):
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_):
        pass


class Handler(Answering):
    """Answers for `files` as `repository`, and notes the requested paths."""

    def __init__(self, kind: str, repository: str, files: dict[str, bytes], requested: list[str], *connection):
        self.kind, self.repository, self.files, self.requested = kind, repository, files, requested
        super().__init__(*connection)

    def do_GET(self):
        self.requested.append(self.path)
        form = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        address = urllib.parse.urlsplit(self.path)
        path, query = urllib.parse.unquote(address.path), urllib.parse.parse_qs(address.query)
        api = f"/api/{self.kind}/{self.repository}"
        resolve = f"{'/datasets' if self.kind == 'datasets' else ''}/{self.repository}/resolve/"
        if path == api or path.startswith(f"{api}/revision/"):
            self.at_revision(path.removeprefix(f"{api}/revision/") if path != api else "main", self.info)
        elif path.startswith(f"{api}/tree/"):
            revision, _, folder = path.removeprefix(f"{api}/tree/").partition("/")
            self.at_revision(revision, lambda: self.tree(folder, query.get("recursive") == ["true"]))
        elif path.startswith(f"{api}/paths-info/"):
            names = [name for name in self.files if name in urllib.parse.parse_qs(form).get("paths", [])]
            self.at_revision(path.split("/")[-1], lambda: self.send_json([*map(self.entry, names)]))
        elif path.startswith(resolve):
            revision, _, name = path.removeprefix(resolve).partition("/")
            self.at_revision(revision, lambda: self.file(name))
        else:
            self.fail("RepoNotFound")

    do_HEAD = do_POST = do_GET

    def at_revision(self, revision, answer):
        answer() if revision in ("main", COMMIT) else self.fail("RevisionNotFound")

    def info(self):
        siblings = [{"rfilename": name, "size": len(data)} for name, data in self.files.items()]
        self.send_json({"id": self.repository, "sha": COMMIT, "siblings": siblings, "private": False, "tags": []})

    def tree(self, folder, recursive):
        inside = {name for path in self.files for name in [path, *map(str, list(PurePosixPath(path).parents)[:-1])]}
        names = [n for n in sorted(inside) if n != folder and (not folder or n.startswith(f"{folder}/"))]
        if not recursive:
            names = [n for n in names if str(PurePosixPath(n).parent) == (folder or ".")]
        self.send_json([self.entry(n) for n in names]) if names else self.fail("EntryNotFound")

    def file(self, name):
        if name not in self.files:
            return self.fail("EntryNotFound")
        start, end, size = 0, len(self.files[name]), len(self.files[name])
        if byte_range := self.headers.get("Range"):
            first, _, last = byte_range.removeprefix("bytes=").partition("-")
            start, end = int(first), min(int(last or size) + 1, size)
        headers = {"ETag": f'"{self.entry(name)["oid"]}"', "X-Repo-Commit": COMMIT, "Accept-Ranges": "bytes"}
        if byte_range:
            headers["Content-Range"] = f"bytes {start}-{end - 1}/{size}"
        self.send(206 if byte_range else 200, self.files[name][start:end], headers)

    def fail(self, code):
        self.send(404, b"{}", {"X-Error-Code": code, "X-Error-Message": code})

    def entry(self, name):
        if name not in self.files:
            return {"type": "directory", "path": name, "oid": sha1(name.encode()).hexdigest(), "size": 0}
        return {"type": "file", "path": name, "size": len(self.files[name]), "oid": sha1(self.files[name]).hexdigest()}
