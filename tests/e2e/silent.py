"""A server that accepts every connection and never says a word, as one that hangs does."""

from __future__ import annotations

import socket
import threading


class Silent:
    """Listens on loopback for as long as it is entered, and keeps what connects open."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._kept: list[socket.socket] = []

    def __enter__(self) -> "Silent":
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        # Wakes the thread that accepts.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for sock in self._kept:
            sock.close()

    @property
    def accepted(self) -> int:
        """How many have connected."""
        return len(self._kept)

    def kafka(self, topic: str = "votes") -> str:
        return f"kafka://127.0.0.1:{self.port}/{topic}"

    def postgres(self) -> str:
        return f"postgres://votestream@127.0.0.1:{self.port}/votestream"

    def http(self, path: str = "") -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    def hdfs(self) -> str:
        return f"hdfs://127.0.0.1:{self.port}/votes"

    def _accept(self) -> None:
        while True:
            try:
                self._kept.append(self._listener.accept()[0])
            except OSError:
                return
