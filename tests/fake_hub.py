"""A fake Hub on this machine: serves model folders over HTTP as huggingface.co does, and records requests."""

from __future__ import annotations

import hashlib
import json
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@dataclass
class FakeHub:
    """The content of the server, and the requests that it received.

    Attributes:
        models: Folders by name.
        gated: Names of models whose terms were not accepted.
        delay_s: Time that every answer takes.
        status: Status of every answer; ``None``: by content.
        lost: Files that are listed and not sent.
        cut: Files of which half is sent.
        stall_s: Time between that half and the end of the connection.
        requests: Method and path of every request.
        url: The endpoint.
    """

    models: dict[str, Path] = field(default_factory=dict)
    gated: set[str] = field(default_factory=set)
    delay_s: float = 0.0
    status: int | None = None
    lost: set[str] = field(default_factory=set)
    cut: set[str] = field(default_factory=set)
    stall_s: float = 0.0
    requests: list[str] = field(default_factory=list)
    url: str = ""

    def answer(self, path: str) -> tuple[int, dict[str, str], bytes]:
        """Return status, headers and body."""
        parts = unquote(urlsplit(path).path).strip("/").split("/")
        if self.status is not None:
            return self.status, {}, b""
        if parts == [""]:
            return 200, {}, b"a hub"
        for what in ("revision", "tree", "resolve"):
            if what in parts:
                at = parts.index(what)
                name = "/".join(parts[:at]).removeprefix("api/models/")
                if what == "resolve":
                    return self._file(name, "/".join(parts[at + 2 :]))
                return self._info(name, parts[at + 1], as_tree=what == "tree")
        return 404, {}, b""

    def _info(self, name: str, revision: str, *, as_tree: bool) -> tuple[int, dict[str, str], bytes]:
        if name in self.gated:
            return 403, {"X-Error-Code": "GatedRepo"}, b"{}"
        if name not in self.models:
            return 401, {"X-Error-Code": "RepoNotFound"}, b"{}"
        if revision not in ("main", COMMIT):
            return 404, {"X-Error-Code": "RevisionNotFound"}, b"{}"
        files = sorted(self.models[name].iterdir())
        info: Any = {"id": name, "sha": COMMIT, "siblings": [{"rfilename": file.name} for file in files]}
        if as_tree:
            info = [{"type": "file", "path": file.name, "size": file.stat().st_size, "oid": "0"} for file in files]
        return 200, {"Content-Type": "application/json"}, json.dumps(info).encode()

    def _file(self, name: str, file: str) -> tuple[int, dict[str, str], bytes]:
        path = self.models[name] / file
        if file in self.lost or not path.is_file():
            return 404, {"X-Error-Code": "EntryNotFound"}, b""
        body = path.read_bytes()
        return 200, {"ETag": f'"{hashlib.sha256(body).hexdigest()}"', "X-Repo-Commit": COMMIT}, body


@contextmanager
def serving(hub: FakeHub) -> Iterator[FakeHub]:
    """Serve on a free port of this machine in a block; ``hub.url`` is the endpoint."""

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self._reply(with_body=False)

        def do_GET(self) -> None:
            self._reply(with_body=True)

        def _reply(self, *, with_body: bool) -> None:
            hub.requests.append(f"{self.command} {self.path}")
            time.sleep(hub.delay_s)
            status, headers, body = hub.answer(self.path)
            self.send_response(status)
            for key, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(key, value)
            self.end_headers()
            if with_body and self.path.rpartition("/")[2] in hub.cut:
                self.wfile.write(body[: len(body) // 2])
                self.wfile.flush()
                time.sleep(hub.stall_s)
                self.close_connection = True
            elif with_body:
                self.wfile.write(body)

        def log_message(self, *_arguments: object) -> None:
            """Print nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    hub.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
