"""The archive on a real S3 server: written, rolled, read back; credentials by environment and profile, wrong, expired and renewed; the
endpoint away, the bucket missing, create-if-absent ignored."""

from __future__ import annotations

import http.server
import pathlib
import re
import shutil
import signal
import threading
import time
import urllib.parse
from collections.abc import Iterator

import pytest

from tests.chaos.proxy import Proxy
from tests.e2e import archived
from tests.e2e.remote_archives import SMALL, Place, Votes, archive, archiver, check, on_s3, until_archived, until_says
from tests.e2e.harness import Harness, until
from tests.e2e.object_stores import REGION, S3, Gateway
from tests.e2e.services import Postgres


def test_written_rolled_continued_and_read_back(vs: Harness, s3: S3) -> None:
    votes, place = Votes(vs), on_s3(s3, s3.bucket())
    votes.ingest(0.6, parts=25)
    archive(vs, place)
    copy = check(vs, place, votes)
    assert len(list((copy / "data").rglob("*.parquet"))) > 4, "it did not roll"
    votes.ingest()
    archive(vs, place)
    check(vs, place, votes)
    left = [name for name in place.files() if not name.startswith(("data/", "manifest/"))]
    assert left == [], "something is left of probes"


def test_a_bucket_without_a_prefix(vs: Harness, s3: S3) -> None:
    bucket = s3.bucket()
    votes, place = Votes(vs, votes=2_000), Place(f"s3://{bucket}", s3.env, lambda to: s3.fetch(bucket, to), lambda: s3.files(bucket))
    votes.ingest()
    archive(vs, place)
    check(vs, place, votes)


def profile_in(directory: pathlib.Path, s3: S3, secret: str | None = None) -> dict[str, str]:
    """Files as the AWS tools share them, and the environment that names them."""
    directory.mkdir(exist_ok=True)
    (directory / "credentials").write_text(f"[press]\naws_access_key_id = {s3.key}\naws_secret_access_key = {secret or s3.secret}\n")
    (directory / "config").write_text(f"[profile press]\nregion = {REGION}\nendpoint_url = {s3.endpoint}\n")
    return {
        "AWS_PROFILE": "press",
        "AWS_SHARED_CREDENTIALS_FILE": str(directory / "credentials"),
        "AWS_CONFIG_FILE": str(directory / "config"),
    }


@pytest.fixture
def without(vs: Harness) -> Harness:
    """A harness whose environment has no credentials."""
    vs.env = {name: value for name, value in vs.env.items() if not name.startswith("AWS_")}
    return vs


def test_credentials_and_endpoint_of_a_profile(without: Harness, s3: S3, tmp_path: pathlib.Path) -> None:
    votes, place = Votes(without, votes=2_000), on_s3(s3, s3.bucket())
    votes.ingest()
    place.env = profile_in(tmp_path / "aws", s3)
    archive(without, place)
    check(without, place, votes)
    unknown = place.env | {"AWS_PROFILE": "radio"}
    without.refused("archive", "--log", without.log, "--archive", place.url, "--until-end", env=unknown, says=("AWS_PROFILE", "'radio'"))


def test_wrong_credentials_are_named_at_the_start(without: Harness, s3: S3, tmp_path: pathlib.Path) -> None:
    votes, place = Votes(without, votes=2_000), on_s3(s3, s3.bucket())
    votes.ingest()
    place.env = profile_in(tmp_path / "aws", s3, secret="forged-secret")
    refused = without.refused(
        "archive", "--log", without.log, "--archive", place.url, "--until-end", *SMALL, env=place.env,
        says=("SignatureDoesNotMatch", "renew the credentials"),
    )  # fmt: skip
    assert s3.secret not in refused.err and "forged-secret" not in refused.err
    profile_in(tmp_path / "aws", s3)
    archive(without, place)
    check(without, place, votes)


def test_credentials_expire_in_the_middle_and_are_renewed(without: Harness, gateway: Gateway, tmp_path: pathlib.Path) -> None:
    votes, place = Votes(without), on_s3(gateway, gateway.bucket())
    some = votes.ingest(0.4)
    place.env = profile_in(tmp_path / "aws", gateway)
    worker = archiver(without, place)
    until_archived(without, place, worker, some)
    gateway.stop()
    gateway.secret = "another-secret-another"
    gateway.start()
    votes.ingest()
    until_says(worker, "waiting", "renew the credentials")
    # Renewed where they lie: the archiver need not be started again.
    profile_in(tmp_path / "aws", gateway)
    until_archived(without, place, worker, votes.ingested)
    assert worker.stop().status == 0, worker.err()
    check(without, place, votes)


def test_the_endpoint_goes_and_comes_back(vs: Harness, gateway: Gateway) -> None:
    votes, place = Votes(vs), on_s3(gateway, gateway.bucket())
    some = votes.ingest(0.4)
    worker = archiver(vs, place)
    until_archived(vs, place, worker, some)
    gateway.stop()
    votes.ingest()
    until_says(worker, "waiting", place.url)
    gateway.start()
    until_archived(vs, place, worker, votes.ingested)
    assert worker.stop().status == 0, worker.err()
    check(vs, place, votes)


def test_a_bucket_that_is_missing(vs: Harness, s3: S3) -> None:
    Votes(vs, votes=1_000).ingest()
    vs.refused("archive", "--log", vs.log, "--archive", "s3://no-such-bucket/votes", "--until-end", *SMALL, env=s3.env, says=("no-such-bucket", "NoSuchBucket"))


def test_the_archiver_is_killed_again_and_again(vs: Harness, s3: S3) -> None:
    votes, place = Votes(vs, votes=30_000), on_s3(s3, s3.bucket())
    votes.ingest(parts=40)
    for files in (0, 2, 6, 10, 15):
        worker = archiver(vs, place)
        until(lambda n=files: len(place.files()) >= n or not worker.running(), f"{files} objects of the archive", step=0.005)
        worker.kill()
    archive(vs, place)
    copy = check(vs, place, votes)
    assert len(list((copy / "manifest").glob("*.json"))) > 2, "nobody was killed in the middle"


def test_two_archivers_started_at_once(vs: Harness, s3: S3) -> None:
    votes, place = Votes(vs, votes=30_000), on_s3(s3, s3.bucket())
    votes.ingest(0.5)
    both = [archiver(vs, place, "--until-end") for _ in range(2)]
    votes.ingest()
    for one in both:
        assert one.wait(120).status == 0, one.err()
    archive(vs, place)
    check(vs, place, votes)


# --- a server that ignores create-if-absent ---------------------------------------------------------------------------------------


class _Careless(http.server.BaseHTTPRequestHandler):
    """Puts, gets, deletes and lists objects, asks for no credentials and takes no notice of conditions."""

    objects: dict[str, bytes] = {}
    protocol_version = "HTTP/1.1"

    def do_PUT(self) -> None:
        self.objects[self.path] = self.rfile.read(int(self.headers["content-length"]))
        self._answer(200, b"")

    def do_GET(self) -> None:
        url = urllib.parse.urlsplit(self.path)
        if url.path.strip("/").count("/") == 0:
            prefix = urllib.parse.parse_qs(url.query).get("prefix", [""])[0]
            keys = sorted(path.split("/", 2)[2] for path in self.objects)
            found = "".join(
                f"<Contents><Key>{key}</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified><ETag>x</ETag><Size>1</Size></Contents>"
                for key in keys
                if key.startswith(prefix)
            )
            self._answer(200, f"<ListBucketResult><Name>votes</Name><IsTruncated>false</IsTruncated>{found}</ListBucketResult>".encode())
        elif url.path in self.objects:
            self._answer(200, self.objects[url.path])
        else:
            self._answer(404, b"<Error><Code>NoSuchKey</Code></Error>")

    def do_DELETE(self) -> None:
        self.objects.pop(self.path, None)
        self._answer(204, b"")

    def do_POST(self) -> None:
        """Deletes several at once."""
        said = self.rfile.read(int(self.headers["content-length"])).decode()
        keys = re.findall("<Key>([^<]+)</Key>", said)
        for key in keys:
            self.objects.pop(f"/votes/{key}", None)
        gone = "".join(f"<Deleted><Key>{key}</Key></Deleted>" for key in keys)
        self._answer(200, f"<DeleteResult>{gone}</DeleteResult>".encode())

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.send_header("etag", '"x"')
        self.send_header("last-modified", "Thu, 01 Jan 2026 00:00:00 GMT")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def careless() -> Iterator[S3]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Careless)
    _Careless.objects = {}
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield S3(f"http://127.0.0.1:{server.server_address[1]}", "any", "any")
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_server_that_ignores_create_if_absent_is_refused(vs: Harness, careless: S3) -> None:
    Votes(vs, votes=1_000).ingest()
    vs.refused("archive", "--log", vs.log, "--archive", "s3://votes/night", "--until-end", *SMALL, env=careless.env, says=("ignores create-if-absent",))
    assert not [path for path in _Careless.objects if "/manifest/" in path or "/data/" in path], "it was refused, and written to"


def copied(to: pathlib.Path) -> pathlib.Path:
    """What the careless server holds, on this disk."""
    shutil.rmtree(to, ignore_errors=True)
    for path, data in list(_Careless.objects.items()):
        file = to / path.removeprefix("/votes/night/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
    return to


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_with_a_store_the_manifests_head_is_kept_there(vs: Harness, careless: S3, postgres: Postgres, kind: str) -> None:
    votes, store = Votes(vs), vs.store if kind == "sqlite" else postgres.url
    votes.ingest(0.4)
    vs.run("count", "--log", vs.log, "--store", store, "--until-end")
    place = Place("s3://votes/night", careless.env, copied, dict)
    both = [archiver(vs, place, "--until-end", "--store", store) for _ in range(2)]
    for one in both:
        assert one.wait(60).status == 0, one.err()
    assert any("head is kept in" in one.err() for one in both)
    check(vs, place, votes)
    # One dies when it has moved the head and has put no entry: the next puts it.
    votes.ingest(0.3)
    died = archiver(vs, place, "--until-end", "--store", store, env={"FAILPOINTS": "head-moved=return"}).wait(60)
    assert died.status == -signal.SIGABRT, died.err
    entries = len(archived.entries(copied(vs.dir / "copy")))
    votes.ingest()
    archive(vs, place, "--store", store)
    assert len(archived.entries(check(vs, place, votes))) > entries + 1
    vs.run("count", "--log", vs.log, "--store", store, "--until-end")
    assert "identical" in vs.run("recount", "--archive", place.url, "--store", store, env=place.env).text
    # Without the store, or with another, nobody writes.
    before = dict(_Careless.objects)
    flags = ("archive", "--log", vs.log, "--archive", place.url, "--until-end")
    vs.refused(*flags, env=place.env, says=("head in a results store", "--store"))
    vs.run("count", "--log", vs.log, "--store", f"sqlite:{vs.dir}/other.db", "--until-end")
    vs.refused(*flags, "--store", f"sqlite:{vs.dir}/other.db", env=place.env, says=("keeps no head of this archive",))
    assert _Careless.objects == before


def test_told_to_stop_while_the_storage_is_silent_it_does_not_wait_for_it(vs: Harness, s3: S3) -> None:
    votes, place = Votes(vs), on_s3(s3, s3.bucket())
    begun = votes.ingest(0.3)
    with Proxy(urllib.parse.urlsplit(s3.endpoint).port) as proxy:
        env = {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{proxy.port}"}
        process = archiver(vs, place, env=env)
        until_archived(vs, place, process, begun)
        proxy.hold()
        votes.ingest(0.3)
        until_says(process, "has not answered for")
        began = time.monotonic()
        process.signal(signal.SIGTERM)
        outcome = process.wait(30)
        took = time.monotonic() - began
        assert took < 15, f"it ended {took:.1f} s after it was told to\n{outcome.err}"
        assert outcome.status == 0 and "told to stop" in outcome.err, outcome.err
        # A recount over it ends as soon, and counts nothing.
        recount = vs.start("recount", "--archive", place.url, env=place.env | env)
        until(lambda: proxy.open_connections(), "the recount to connect")
        recount.signal(signal.SIGTERM)
        assert recount.wait(15).status != 0
        proxy.release()
    votes.ingest()
    archive(vs, place)
    check(vs, place, votes)
