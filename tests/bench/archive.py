"""What `votestream archive` costs beside the programs that do the like: Apache Flume from the same Kafka topic to the same HDFS, and
pyarrow writing the same rows. Run by scripts/bench-archive.sh, which starts the servers; nothing is written outside a directory of
its own, a topic of its own and a directory of HDFS of its own.

votestream's time is the process's whole life, from its start to its end (`--until-end`). Flume's runs from the first events that it
reports as drained to the last, without the start of its JVM. Both are read in one run, one after the other, repeated in turns.
"""

from __future__ import annotations

import argparse
import dataclasses
import http.client
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

import pyarrow.parquet

from tests.e2e.harness import ROOT, binary, free_port, until
from tests.e2e.object_stores import Hdfs, hdfs_lib, shared_hdfs
from tests.e2e.services import Kafka, required, unique

# How long one run of Flume may take.
SECONDS_MAX = 900
# Per transaction of each of Flume's parts: larger ones made no difference.
FLUME_BATCH = 10_000
FLUME_CAPACITY = 1_000_000


@dataclasses.dataclass
class Run:
    """One program's run over the whole topic."""

    name: str
    votes: int
    seconds: float
    bytes: int

    @property
    def rate(self) -> float:
        return self.votes / self.seconds


class Bench:
    def __init__(self, votes: int, flume_votes: int, directory: pathlib.Path) -> None:
        self.votes, self.flume_votes, self.dir = votes, min(votes, flume_votes), directory
        self.kafka: Kafka = Kafka(required("VOTESTREAM_TEST_KAFKA"))
        self.hdfs: Hdfs = shared_hdfs()
        self.topic = self.kafka.create(4, stem="bench-archive")

    def votestream(self, *args: object) -> None:
        env = {k: v for k, v in os.environ.items() if not k.startswith("VOTESTREAM_")}
        done = subprocess.run([binary(), *map(str, args)], capture_output=True, text=True, check=False, cwd=self.dir, env=env)
        if done.returncode != 0:
            sys.exit(f"votestream {args} ended with {done.returncode}:\n{done.stderr}")

    def fill(self) -> None:
        """As many votes into the topic, without faults."""
        self.votestream("simulate", "--votes", self.votes, "--seed", 6, "--order", "shuffled", "--rate", "max", "--to", self.kafka.url(self.topic))

    # --- votestream ---

    def archive(self, place: str, url: str) -> Run:
        began = time.monotonic()
        self.votestream("archive", "--log", self.kafka.url(self.topic), "--archive", url, "--until-end")
        return Run(f"votestream archive, {place}", self.votes, time.monotonic() - began, 0)

    def to_hdfs(self) -> Run:
        path = unique("bench/votestream")
        run = self.archive("to HDFS", self.hdfs.url(path))
        run.bytes = sum(self.hdfs.files(path).values())
        self.hdfs.shell("-rm", "-r", "-skipTrash", f"/{path}")
        return run

    def to_disk(self) -> Run:
        place = self.dir / "archive"
        shutil.rmtree(place, ignore_errors=True)
        run = self.archive("to this disk", f"file:{place}")
        run.bytes = sum(path.stat().st_size for path in place.rglob("*") if path.is_file())
        return run

    # --- Flume ---

    def flume(self, channel: str) -> Run:
        """Kafka source, memory or file channel, HDFS sink: until it has drained its share of the topic; its rate is steady, and low."""
        place = self.dir / unique("flume")
        path, port = unique("bench/flume"), free_port()
        place.mkdir()
        (place / "flume.conf").write_text(self.flume_conf(channel, path, place))
        (place / "log4j2.properties").write_text("status = error\nrootLogger.level = warn\nrootLogger.appenderRef.c.ref = c\n"
                                                 "appender.c.type = Console\nappender.c.name = c\nappender.c.layout.type = PatternLayout\n")  # fmt: skip
        command = [
            "java", "-Xmx1g", f"-Dlog4j2.configurationFile={place / 'log4j2.properties'}", "-Dflume.monitoring.type=http",
            f"-Dflume.monitoring.port={port}", "-cp", f"{self.hdfs.conf}:{hdfs_lib()}/*:{flume_lib()}/*",
            "org.apache.flume.node.Application", "-n", "a", "-f", str(place / "flume.conf"), "--no-reload-conf",
        ]  # fmt: skip
        with (place / "log").open("wb") as log:
            agent = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=place)
        try:

            def drained() -> int:
                assert agent.poll() is None, (place / "log").read_text(errors="replace")[-3000:]
                return events_drained(port)

            first = until(drained, "Flume to drain its first events", 120, step=0.05)
            began = time.monotonic()
            last = until(lambda: (n := drained()) >= self.flume_votes and n, "Flume to drain its share", SECONDS_MAX, step=0.05)
            run = Run(f"Flume, {channel} channel", last - first, time.monotonic() - began, 0)
        finally:
            agent.terminate()
            try:
                agent.wait(60)
            except subprocess.TimeoutExpired:
                agent.kill()
                agent.wait(20)
        # What it drained after its last answer is in there, too: a hundredth or so too much.
        run.bytes = sum(self.hdfs.files(path).values()) * run.votes // last
        self.hdfs.shell("-rm", "-r", "-skipTrash", f"/{path}")
        shutil.rmtree(place)
        return run

    def flume_conf(self, channel: str, path: str, place: pathlib.Path) -> str:
        settings: dict[str, object] = {
            "sources": "s", "channels": "c", "sinks": "k",
            "sources.s.type": "org.apache.flume.source.kafka.KafkaSource",
            "sources.s.kafka.bootstrap.servers": self.kafka.address,
            "sources.s.kafka.topics": self.topic,
            "sources.s.kafka.consumer.group.id": unique("flume"),
            "sources.s.kafka.consumer.auto.offset.reset": "earliest",
            "sources.s.batchSize": FLUME_BATCH,
            "sources.s.channels": "c",
            "channels.c.type": channel,
            "channels.c.capacity": FLUME_CAPACITY,
            "channels.c.transactionCapacity": FLUME_BATCH,
            "sinks.k.type": "hdfs",
            "sinks.k.channel": "c",
            "sinks.k.hdfs.path": self.hdfs.url(path),
            "sinks.k.hdfs.fileType": "DataStream",
            "sinks.k.hdfs.writeFormat": "Text",
            "sinks.k.hdfs.batchSize": FLUME_BATCH,
            "sinks.k.hdfs.rollInterval": 0,
            "sinks.k.hdfs.rollCount": 0,
            "sinks.k.hdfs.rollSize": 128 << 20,
        }  # fmt: skip
        if channel == "memory":
            settings["channels.c.byteCapacity"] = 400 << 20
        else:
            settings["channels.c.checkpointDir"] = place / "checkpoint"
            settings["channels.c.dataDirs"] = place / "data"
        return "".join(f"a.{name} = {value}\n" for name, value in settings.items())

    # --- pyarrow ---

    def pyarrow(self) -> Run:
        """The rows of the archive on this disk, in memory, written again: zstd 1 and pyarrow's own choice of encodings, one thread."""
        tables = [pyarrow.parquet.read_table(path) for path in sorted((self.dir / "archive").rglob("*.parquet"))]
        to = self.dir / "pyarrow.parquet"
        rows, seconds, size = 0, 0.0, 0
        for table in tables:
            began = time.monotonic()
            pyarrow.parquet.write_table(table, to, compression="zstd", compression_level=1)
            with to.open("rb") as file:
                os.fsync(file.fileno())
            seconds += time.monotonic() - began
            rows, size = rows + table.num_rows, size + to.stat().st_size
        return Run("pyarrow, the same rows from memory", rows, seconds, size)


def flume_lib() -> pathlib.Path:
    return ROOT / "target/services/flume-lib"


def events_drained(port: int) -> int:
    """By Flume's own count; 0 before it answers."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/metrics")
        return int(json.loads(connection.getresponse().read()).get("SINK.k", {}).get("EventDrainSuccessCount", 0))
    except (OSError, http.client.HTTPException, ValueError):
        return 0
    finally:
        connection.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--votes", type=int, default=5_000_000)
    parser.add_argument("--flume-votes", type=int, default=500_000, help="how many of them Flume is given the time for")
    parser.add_argument("--rounds", type=int, default=3)
    chosen = parser.parse_args()
    runs: dict[str, list[Run]] = {}
    with tempfile.TemporaryDirectory(prefix="votestream-bench-archive-", dir=os.environ.get("VOTESTREAM_BENCH_DIR")) as directory:
        bench = Bench(chosen.votes, chosen.flume_votes, pathlib.Path(directory))
        bench.fill()
        print(f"{bench.votes:,} votes in a Kafka topic of 4 partitions; {os.cpu_count()} cores; {chosen.rounds} rounds in turns, medians", flush=True)
        for _ in range(chosen.rounds):
            for run in (bench.to_hdfs(), bench.flume("memory"), bench.flume("file"), bench.to_disk(), bench.pyarrow()):
                runs.setdefault(run.name, []).append(run)
                print(f"  {run.name}: {run.rate:,.0f} votes/s, {run.bytes / run.votes:.1f} B a vote", file=sys.stderr, flush=True)
        bench.kafka.delete(bench.topic)
    middle = {name: statistics.median(run.rate for run in group) for name, group in runs.items()}
    for name, group in runs.items():
        rates = [run.rate for run in group]
        print(f"{name:38} {middle[name]:12,.0f} votes/s  ({min(rates):,.0f} to {max(rates):,.0f})  {group[0].bytes / group[0].votes:6.1f} B a vote")
    ours = middle["votestream archive, to HDFS"]
    for name in middle:
        if not name.startswith("votestream archive, to HDFS"):
            print(f"votestream archive, to HDFS, beside {name}: {ours / middle[name]:.2f} x")


if __name__ == "__main__":
    main()
