"""The archive in a real HDFS: written, rolled, read back; DataNode and NameNode killed, stopped, starting; users, rights, quotas, settings."""

from __future__ import annotations

import pathlib
import re
import signal

import pytest

from tests.e2e.remote_archives import SMALL, Votes, archive, archiver, check, on_hdfs, until_archived, until_says
from tests.e2e.harness import Harness, free_port, until
from tests.e2e.object_stores import Hdfs, OwnHdfs
from tests.e2e.services import unique


@pytest.fixture(scope="module")
def _pair(tmp_path_factory: pytest.TempPathFactory):
    with OwnHdfs(tmp_path_factory.mktemp("hdfs") / "own") as own:
        yield own


@pytest.fixture
def pair(_pair: OwnHdfs) -> OwnHdfs:
    """A NameNode and a DataNode of this file's own, both well, whatever an earlier test did to them."""
    _pair.datanode.thaw()
    return _pair.start()


def test_written_rolled_continued_and_read_back(vs: Harness, hdfs: Hdfs) -> None:
    votes, place = Votes(vs), on_hdfs(hdfs, unique("archive/rolled"))
    votes.ingest(0.6, parts=25)
    archive(vs, place)
    copy = check(vs, place, votes)
    assert len(list((copy / "data").rglob("*.parquet"))) > 4, "it did not roll"
    before = place.files()
    archive(vs, place)
    assert before.items() <= place.files().items(), "a second run of the same log wrote something anew"
    votes.ingest()
    archive(vs, place)
    check(vs, place, votes)
    left = [name for name in place.files() if not re.fullmatch(r"(data|manifest)/.*\.(parquet|json)", name)]
    assert left == [], "something is left of unfinished puts or probes"


def test_the_datanode_is_killed_in_the_middle(vs: Harness, pair: OwnHdfs) -> None:
    votes, place = Votes(vs), on_hdfs(pair, unique("archive/killed"))
    some = votes.ingest(0.3)
    worker = archiver(vs, place)
    until_archived(vs, place, worker, some)
    pair.datanode.kill()
    votes.ingest(0.3)
    until_says(worker, "waiting", "hdfs://")
    votes.ingest()
    pair.start()
    until_archived(vs, place, worker, votes.ingested)
    assert worker.stop().status == 0, worker.err()
    assert "\tat " not in worker.err(), f"a stack trace of the server's:\n{worker.err()}"
    check(vs, place, votes)


def test_the_datanode_stands_still_and_goes_on(vs: Harness, pair: OwnHdfs) -> None:
    """A process that is stopped holds its clients for ever: the archiver's own bound ends that, and says so."""
    votes, place = Votes(vs), on_hdfs(pair, unique("archive/still"))
    place.url += "?patience=4s"
    some = votes.ingest(0.3)
    worker = archiver(vs, place)
    until_archived(vs, place, worker, some)
    pair.datanode.freeze()
    votes.ingest()
    until_says(worker, "waiting", "no answer within 4 s")
    pair.datanode.thaw()
    until_archived(vs, place, worker, votes.ingested)
    assert worker.stop().status == 0, worker.err()
    check(vs, place, votes)


def test_the_namenode_is_taken_away_and_comes_back_in_safe_mode(vs: Harness, pair: OwnHdfs) -> None:
    votes, place = Votes(vs), on_hdfs(pair, unique("archive/away"))
    some = votes.ingest(0.3)
    worker = archiver(vs, place)
    until_archived(vs, place, worker, some)
    pair.namenode.kill()
    votes.ingest(0.3)
    until_says(worker, "waiting", "hdfs://")
    pair.start()
    until_archived(vs, place, worker, votes.ingested)
    pair.admin("-safemode", "enter")
    votes.ingest()
    until_says(worker, "safe mode")
    assert worker.running()
    pair.admin("-safemode", "leave")
    until_archived(vs, place, worker, votes.ingested)
    assert worker.stop().status == 0, worker.err()
    check(vs, place, votes)


def test_a_namenode_that_starts_is_waited_for(vs: Harness, pair: OwnHdfs) -> None:
    votes, place = Votes(vs, votes=5_000), on_hdfs(pair, unique("archive/late"))
    votes.ingest()
    pair.namenode.kill()
    worker = archiver(vs, place, "--until-end", "--election", "us-president-2024")
    until_says(worker, "waiting", f"127.0.0.1:{pair.port}")
    pair.start()
    assert worker.wait(90).status == 0, worker.err()
    check(vs, place, votes)


def test_the_archiver_is_killed_again_and_again(vs: Harness, hdfs: Hdfs) -> None:
    votes, place = Votes(vs, votes=30_000), on_hdfs(hdfs, unique("archive/kills"))
    votes.ingest(parts=40)
    for delay_files in (0, 2, 6, 10, 15):
        worker = archiver(vs, place)
        until(lambda n=delay_files: len(place.files()) >= n or not worker.running(), f"{delay_files} files of the archive", step=0.01)
        worker.kill()
    archive(vs, place)
    copy = check(vs, place, votes)
    entries = len(list((copy / "manifest").glob("*.json")))
    assert entries > 2, "nobody was killed in the middle"


def test_two_archivers_one_writes_the_other_waits_and_goes_on(vs: Harness, hdfs: Hdfs) -> None:
    votes, place = Votes(vs, votes=30_000), on_hdfs(hdfs, unique("archive/two"))
    some = votes.ingest(0.3)
    first = archiver(vs, place, "--silence", "5s")
    until_archived(vs, place, first, some)
    second = archiver(vs, place)
    until(lambda: len(list_entries(place)) > 2, "the second to take over", step=0.1)
    votes.ingest(0.3)
    until_says(first, "another archiver", "waiting", seconds=90)
    until_archived(vs, place, second, votes.ingested)
    second.kill()
    votes.ingest()
    until_says(first, "taking over", seconds=120)
    until_archived(vs, place, first, votes.ingested)
    assert first.stop().status == 0, first.err()
    check(vs, place, votes)


def list_entries(place) -> list[str]:
    return [name for name in place.files() if name.startswith("manifest/")]


def test_the_user_is_hadoop_user_name_and_rights_are_kept(vs: Harness, hdfs: Hdfs) -> None:
    home = unique("archive-of-anna")
    place = on_hdfs(hdfs, f"{home}/votes")
    hdfs.shell("-mkdir", "-p", f"/{home}")
    votes = Votes(vs, votes=5_000)
    votes.ingest()
    anna = {"HADOOP_USER_NAME": "anna"}
    # At the start a lack of rights is more likely a mistake than something that passes.
    vs.refused(
        "archive", "--log", vs.log, "--archive", place.url, "--until-end", *SMALL, env=place.env | anna,
        says=("Permission denied", "user=anna", "right"),
    )  # fmt: skip
    hdfs.shell("-chown", "anna", f"/{home}")
    archive(vs, place, env=anna)
    listed = hdfs.shell("-ls", "-R", f"/{home}").stdout.splitlines()
    assert listed and all(line.split()[2] == "anna" for line in listed if not line.startswith("Found")), listed
    check(vs, place, votes)


def test_a_quota_is_waited_for(vs: Harness, hdfs: Hdfs) -> None:
    home = unique("archive-quota")
    place = on_hdfs(hdfs, f"{home}/votes")
    hdfs.shell("-mkdir", "-p", f"/{home}")
    hdfs.admin("-setQuota", "4", f"/{home}")
    votes = Votes(vs, votes=5_000)
    votes.ingest()
    worker = archiver(vs, place, "--until-end")
    until_says(worker, "waiting", "quota", "make room")
    hdfs.admin("-clrQuota", f"/{home}")
    assert worker.wait(60).status == 0, worker.err()
    check(vs, place, votes)


def test_hadoop_conf_dir_says_where_a_name_service_is(vs: Harness, hdfs: Hdfs, tmp_path: pathlib.Path) -> None:
    path = unique("archive/service")
    conf = tmp_path / "conf"
    conf.mkdir()
    settings = {
        "dfs.nameservices": "votes",
        "dfs.ha.namenodes.votes": "gone,here",
        "dfs.namenode.rpc-address.votes.gone": f"127.0.0.1:{free_port()}",
        "dfs.namenode.rpc-address.votes.here": hdfs.address.removeprefix("hdfs://"),
        "dfs.client.failover.proxy.provider.votes": "org.apache.hadoop.hdfs.server.namenode.ha.ConfiguredFailoverProxyProvider",
    }
    properties = "".join(f"<property><name>{name}</name><value>{value}</value></property>" for name, value in settings.items())
    (conf / "hdfs-site.xml").write_text(f"<configuration>{properties}</configuration>")
    (conf / "core-site.xml").write_text("<configuration></configuration>")
    votes, place = Votes(vs, votes=5_000), on_hdfs(hdfs, path)
    votes.ingest()
    place.url, place.env = f"hdfs://votes/{path}", {"HADOOP_CONF_DIR": str(conf)}
    archive(vs, place)
    check(vs, place, votes)


def test_what_lies_there_already_is_not_an_archive(vs: Harness, hdfs: Hdfs) -> None:
    path = unique("archive/foreign")
    hdfs.shell("-mkdir", "-p", f"/{path}")
    hdfs.shell("-touchz", f"/{path}/notes.txt")
    Votes(vs, votes=1_000).ingest()
    vs.refused("archive", "--log", vs.log, "--archive", hdfs.url(path), "--until-end", *SMALL, says=("not an archive", "notes.txt"))
    assert hdfs.files(path) == {"notes.txt": 0}


def test_stopped_in_order_while_nobody_answers(vs: Harness, pair: OwnHdfs) -> None:
    votes, place = Votes(vs, votes=5_000), on_hdfs(pair, unique("archive/stopped"))
    some = votes.ingest(0.5)
    worker = archiver(vs, place)
    until_archived(vs, place, worker, some)
    pair.namenode.kill()
    votes.ingest()
    until_says(worker, "waiting")
    worker.signal(signal.SIGTERM)
    assert worker.wait(45).status == 0, worker.err()
