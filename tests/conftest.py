"""What all suites share: the harness fixture, and the time each suite took."""

from __future__ import annotations

import collections
import pathlib

import pytest

pytest.register_assert_rewrite("tests.e2e.harness", "tests.e2e.services", "tests.e2e.object_stores", "tests.e2e.remote_archives", "tests.e2e.kafka_votes", "tests.chaos.chaos", "tests.chaos.kafka_chaos")

from tests.e2e.harness import Harness  # noqa: E402
from tests.e2e.object_stores import S3, Gateway, Hdfs, OwnHdfs, shared_hdfs, shared_s3  # noqa: E402
from tests.e2e.services import Kafka, Postgres, own_broker, required  # noqa: E402

_SECONDS: dict[str, float] = collections.defaultdict(float)
_TESTS: dict[str, int] = collections.Counter()


@pytest.fixture
def vs(tmp_path: pathlib.Path):
    """A harness in a directory of its own; every process it started is ended afterwards."""
    with Harness(tmp_path) as harness:
        yield harness


@pytest.fixture(scope="session")
def kafka() -> Kafka:
    """The brokers of scripts/with-services.sh. Topics are the tests' own, the brokers are shared: they are never stopped."""
    return Kafka(required("VOTESTREAM_TEST_KAFKA"))


@pytest.fixture
def postgres():
    """A fresh database on the shared server."""
    database = Postgres(required("VOTESTREAM_TEST_POSTGRES"))
    yield database
    database.drop()


@pytest.fixture
def broker(tmp_path: pathlib.Path):
    """A broker of the test's own, to be stopped, killed and started again."""
    with own_broker(tmp_path / "broker") as own:
        yield own


@pytest.fixture(scope="session")
def hdfs() -> Hdfs:
    """The NameNode of scripts/with-services.sh. Directories are the tests' own, the servers are shared: they are never stopped."""
    return shared_hdfs()


@pytest.fixture
def own_hdfs(tmp_path: pathlib.Path):
    """A NameNode and a DataNode of the test's own, to be stopped, killed, frozen and started again."""
    with OwnHdfs(tmp_path / "hdfs") as own:
        yield own


@pytest.fixture(scope="session")
def s3() -> S3:
    """The S3 gateway of scripts/with-services.sh. Buckets are the tests' own, the server is shared: it is never stopped."""
    return shared_s3()


@pytest.fixture
def gateway(tmp_path: pathlib.Path):
    """An S3 server of the test's own, to be stopped and started again, with other credentials maybe."""
    with Gateway(tmp_path / "s3") as own:
        yield own


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "alone: measures time; scripts/test.sh runs it when nothing else does")
    config.addinivalue_line("markers", "spark: needs Apache Spark; scripts/test.sh starts a server for these only")


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    suite = report.nodeid.split("/")[1] if report.nodeid.count("/") > 1 else "tests"
    _SECONDS[suite] += report.duration
    _TESTS[suite] += report.when == "call"


def pytest_terminal_summary(terminalreporter) -> None:
    for suite, seconds in sorted(_SECONDS.items()):
        terminalreporter.write_line(f"suite {suite}: {_TESTS[suite]} tests, {seconds:.1f} s")
