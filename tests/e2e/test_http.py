"""What HTTP itself promises: ETag and 304, cache headers, problem details, health, metrics, OpenAPI."""

from __future__ import annotations

import re

import pytest

from tests.e2e.harness import Api, Harness, Up, until


@pytest.fixture
def up(vs: Harness) -> Up:
    up = vs.up("--votes", 20_000, "--rate", "max").ready()
    until(lambda: up.api.json("/api/results")["status"] == "complete", "the end")
    return up


def test_etag_and_304(vs: Harness, up: Up) -> None:
    for path in ("/api/results", "/api/regions"):
        whole = up.api.get(path)
        etag = whole.headers["etag"]
        assert "cache-control" in whole.headers
        same = up.api.get(path, headers={"if-none-match": etag})
        assert (same.status, same.body) == (304, b"") and same.headers["etag"] == etag
        assert up.api.get(path, headers={"if-none-match": f'"other", {etag}'}).status == 304
        assert up.api.get(path, headers={"if-none-match": '"other"'}).status == 200
        vs.run("hold", "--store", up.store, "--region", "WY")
        until(lambda p=path, e=etag: up.api.get(p, headers={"if-none-match": e}).status == 200, "a change of the ETag")
        vs.run("reopen", "--store", up.store, "--region", "WY")
        until(lambda p=path: "WY" in up.api.get(p).body.decode(), "Wyoming to be back")


def test_wrong_requests_are_problems(up: Up) -> None:
    api = up.api
    api.problem(404, "GET", "/api/nothing")
    api.problem(404, "GET", "/api/regions/ZZ")
    api.problem(405, "DELETE", "/api/results")
    api.problem(405, "GET", "/api/votes")
    api.problem(400, "GET", "/api/results?at=teatime")
    api.problem(400, "GET", "/api/timeline?from=teatime")
    for path in ("/api/results?at=", "/api/results?at=2024-11-05"):
        assert api.get(path).status in (200, 400)


def test_hostile_paths(up: Up) -> None:
    for path in ("/../../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "/api/regions/..%2f..%2fetc", "/api/regions/%00", "/api/regions/%ff", "/" + "a" * 5_000):
        answer = up.api.get(path)
        assert answer.status in (200, 400, 404, 414), (path, answer.status)
        assert b"root:" not in answer.body
    assert up.api.get("/api/results", headers={"x-long": "x" * 200_000}).status in (400, 413, 431)
    assert up.api.healthy()


def test_health_and_metrics(up: Up) -> None:
    assert up.api.get("/healthz").status == 200
    assert up.api.get("/readyz").status == 200
    metrics = up.api.get("/metrics")
    assert metrics.status == 200 and metrics.headers["content-type"].startswith("text/plain")
    text = metrics.body.decode()
    assert re.search(r"^votestream_\w+(\{[^}]*\})? [0-9.e+]+$", text, re.M), text[:500]
    numbers = [float(n) for n in re.findall(r"^votestream_\w+(?:\{[^}]*\})? ([0-9.e+]+)$", text, re.M)]
    assert 20_000 in numbers or sum(numbers) >= 20_000


def test_openapi_and_docs(up: Up) -> None:
    described = up.api.json("/openapi.json")
    assert described["openapi"].startswith("3.")
    for path in ("/api/results", "/api/regions", "/api/regions/{code}", "/api/timeline", "/api/demographics", "/api/ledger", "/api/rejects", "/api/live", "/api/votes"):
        assert path in described["paths"], path
    docs = up.api.get("/docs")
    if docs.status in (301, 302, 303, 307, 308):
        docs = up.api.get(docs.headers["location"])
    assert docs.status == 200 and b"<html" in docs.body.lower()
    assert not re.search(rb'(?:src|href)="https?://', docs.body), "the docs load nothing from elsewhere"


def test_page(up: Up) -> None:
    page = up.api.get("/")
    assert page.status == 200 and page.headers["content-type"].startswith("text/html")
    assert "content-security-policy" in page.headers
    for name in re.findall(r'(?:src|href)="(/[^"]+)"', page.body.decode()):
        assert up.api.get(name).status == 200, name
    assert not re.search(rb'(?:src|href)="https?://', page.body)


def test_a_token_where_one_is_set(vs: Harness) -> None:
    token = "a-token-of-some-length"
    up = vs.up("--votes", 10, "--rate", "max", env={"VOTESTREAM_INGEST_TOKEN": token}).ready()
    body = b'{"id":"x","state":"OH","decision":"stein"}\n'
    assert up.api.post(body).status == 401
    assert up.api.post(body, headers={"authorization": "Bearer wrong"}).status == 401
    assert up.api.post(body, headers={"authorization": f"Bearer {token}"}).status == 202
    until(lambda: up.api.json("/api/results")["counted"] == 11, "the vote")


def test_gzip_is_offered(up: Up) -> None:
    import gzip
    import json

    answer = up.api.get("/api/results", headers={"accept-encoding": "gzip"})
    if answer.headers.get("content-encoding") == "gzip":
        assert json.loads(gzip.decompress(answer.body))["counted"] == 20_000
    assert Api(up.port).get("/api/results").headers.get("content-encoding") is None
