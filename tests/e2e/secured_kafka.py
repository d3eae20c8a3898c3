"""The broker with TLS and SASL that scripts/secured-kafka.sh runs: its facts, and the URLs of its topics by each way in."""

from __future__ import annotations

import pathlib

from tests.e2e.services import required


def facts() -> dict[str, str]:
    """Listeners, files, users, as the script wrote them."""
    lines = (pathlib.Path(required("VOTESTREAM_TEST_KAFKA_SECURED")) / "env").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines)


def url(way: str, found: dict[str, str], topic: str) -> str:
    """The URL of a topic by a way in, as in `{TLS}/T?tls=true&ca={CA}`."""
    return "kafka://" + way.replace("/T?", f"/{topic}?").format(**found)
