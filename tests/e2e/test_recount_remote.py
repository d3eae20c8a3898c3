"""Archives of a Kafka topic in S3 and in HDFS, counted again beside SQLite and PostgreSQL: identical, and what was changed there is named."""

from __future__ import annotations

import pathlib
from collections.abc import Callable, Iterator

import pyarrow.fs
import pytest

from tests.e2e import archived
from tests.e2e.archiving import flip_byte
from tests.e2e.harness import Harness, agree
from tests.e2e.object_stores import S3, Hdfs
from tests.e2e.remote_archives import Place, on_hdfs, on_s3
from tests.e2e.services import Kafka, Postgres, required, unique
from tests.oracle.count import count_bytes, us_president_2024


class Night:
    """A topic, counted into two stores."""

    def __init__(self, vs: Harness, kafka: Kafka, postgres: Postgres) -> None:
        self.vs, self.log = vs, kafka.url(kafka.create(3))
        faults = "duplicates=0.02,invalid=0.01,changed=0.02"
        data = vs.run("simulate", "--votes", 20_000, "--order", "shuffled", "--faults", faults).out
        vs.run("ingest", vs.file("votes.ndjson", data), "--log", self.log)
        self.stores = {"sqlite": vs.store, "postgres": postgres.url}
        for store in self.stores.values():
            vs.run("count", "--log", self.log, "--store", store, "--until-end")
        self.right = count_bytes(us_president_2024(), data)


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory, kafka: Kafka) -> Iterator[Night]:
    postgres = Postgres(required("VOTESTREAM_TEST_POSTGRES"))
    with Harness(tmp_path_factory.mktemp("night")) as vs:
        yield Night(vs, kafka, postgres)
    postgres.drop()


@pytest.mark.parametrize("where", ["s3", "hdfs"])
def test_identical_and_what_was_changed_is_named(night: Night, s3: S3, hdfs: Hdfs, tmp_path: pathlib.Path, where: str) -> None:
    vs = night.vs
    place, write, delete = in_s3(s3) if where == "s3" else in_hdfs(hdfs)
    vs.run("archive", "--log", night.log, "--archive", place.url, "--until-end", env=place.env)

    def recount(store: str, status: int = 0):
        return vs.run("recount", "--archive", place.url, "--store", night.stores[store], env=place.env, status=status)

    for store, url in night.stores.items():
        agree(vs.results(store=url), night.right)
        outcome = recount(store)
        assert "identical" in outcome.text and vs.results(store=url)["ledger"]["digest"] in outcome.text
    copy = place.fetch(tmp_path / "copy")
    archived.agrees(copy, night.right)
    name = archived.files(copy)[0]["name"]
    flip_byte(copy / name, (copy / name).stat().st_size // 2)
    write(name, copy / name)
    recount("sqlite", status=2).says(name, "BLAKE3", "changed")
    delete(name)
    recount("postgres", status=2).says(name, "is missing")
    flip_byte(copy / name, (copy / name).stat().st_size // 2)
    write(name, copy / name)
    recount("postgres")


Write = Callable[[str, pathlib.Path], object]
Delete = Callable[[str], object]


def in_s3(s3: S3) -> tuple[Place, Write, Delete]:
    bucket = s3.bucket()
    files: pyarrow.fs.S3FileSystem = s3.filesystem()

    def write(name: str, file: pathlib.Path) -> None:
        with files.open_output_stream(f"{bucket}/votes/{name}") as out:
            out.write(file.read_bytes())

    return on_s3(s3, bucket), write, lambda name: files.delete_file(f"{bucket}/votes/{name}")


def in_hdfs(hdfs: Hdfs) -> tuple[Place, Write, Delete]:
    path = unique("archive/recount")

    def write(name: str, file: pathlib.Path) -> None:
        hdfs.shell("-put", "-f", file, f"/{path}/{name}")

    return on_hdfs(hdfs, path), write, lambda name: hdfs.shell("-rm", "-skipTrash", f"/{path}/{name}")
