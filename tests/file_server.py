"""A small web server in a thread: files with or without ranges, and the faults of real servers."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class FileServer:
    """What the server has and how it fails; ``asked`` lists path and range of every request."""

    url: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    status: dict[str, int] = field(default_factory=dict)
    dies_after: dict[str, int] = field(default_factory=dict)
    """Path to the number of bytes after which the connection ends, `deaths` times."""
    deaths: int = 1
    knows_ranges: bool = True
    asked: list[tuple[str, str]] = field(default_factory=list)

    def paths(self) -> list[str]:
        return [path for path, _ in self.asked]


@contextmanager
def serving() -> Iterator[FileServer]:
    state = FileServer()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            wanted = self.headers.get("Range", "")
            state.asked.append((self.path, wanted))
            if self.path in state.status or self.path not in state.files:
                self.send_error(state.status.get(self.path, 404))
                return
            content = state.files[self.path]
            match = re.fullmatch(r"bytes=(\d+)-(\d+)", wanted) if state.knows_ranges else None
            start, end = (int(match[1]), int(match[2]) + 1) if match else (0, len(content))
            if start >= len(content) > 0:
                self.send_error(416)
                return
            body = content[start:end]
            self.send_response(206 if match else 200)
            if match:
                self.send_header("Content-Range", f"bytes {start}-{start + len(body) - 1}/{len(content)}")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body[: state.dies_after.get(self.path, len(body))])
            if self.path in state.dies_after:
                state.deaths -= 1
                if not state.deaths:
                    del state.dies_after[self.path]
            self.close_connection = True

        def log_message(self, *_: object) -> None:
            """Silence on standard error."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state.url = f"http://127.0.0.1:{server.server_address[1]}/"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
