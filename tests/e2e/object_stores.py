"""Where archives lie, for the outside tests: the shared HDFS and S3 gateway of scripts/with-services.sh, and servers of a test's own.

`Hdfs` is a handle to a file system that runs, `OwnHdfs` a NameNode and a DataNode that may be stopped, killed, frozen and started again on
the same ports and data; `S3` a handle to an endpoint, `Gateway` an S3 server of the test's own. Nothing here knows the product;
everything waits for a condition with a deadline, and ends processes by their pid.
"""

from __future__ import annotations

import http.client
import json
import os
import pathlib
import re
import secrets
import shutil
import socket
import subprocess

import pyarrow.fs

from tests.e2e.daemon import Daemon
from tests.e2e.harness import PATIENCE_SECONDS, ROOT, free_port, until
from tests.e2e.services import required, unique

_JAVA = ("java", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
REGION = "us-east-1"


def listens(port: int) -> bool:
    with socket.socket() as sock:
        sock.settimeout(2)
        return sock.connect_ex(("127.0.0.1", port)) == 0


# --- HDFS -----------------------------------------------------------------------------------------------------------


def hdfs_lib() -> pathlib.Path:
    """The folder of Hadoop's jars."""
    return pathlib.Path(required("VOTESTREAM_TEST_HDFS_LIB"))


class Hdfs:
    """A handle to a NameNode that runs: directories of the test's own, and what they hold."""

    def __init__(self, address: str, conf: pathlib.Path) -> None:
        self.address, self.conf = address, conf

    def url(self, path: str) -> str:
        return f"{self.address}/{path}"

    def shell(self, *args: object, user: str | None = None, check: bool = True) -> subprocess.CompletedProcess[str]:
        """A command of Hadoop's file system shell, as in `shell("-ls", "/")`, to its end."""
        return self._java("org.apache.hadoop.fs.FsShell", *args, user=user, check=check)

    def admin(self, *args: object, check: bool = True) -> subprocess.CompletedProcess[str]:
        """A command of `hdfs dfsadmin`, as in `admin("-safemode", "enter")`."""
        return self._java("org.apache.hadoop.hdfs.tools.DFSAdmin", *args, check=check)

    def _java(self, main: str, *args: object, user: str | None = None, check: bool = True) -> subprocess.CompletedProcess[str]:
        env = os.environ | ({"HADOOP_USER_NAME": user} if user else {})
        command = [*_JAVA, "-cp", f"{self.conf}:{hdfs_lib()}/*", main, *map(str, args)]
        done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=2 * PATIENCE_SECONDS, check=False)
        assert not check or done.returncode == 0, f"{main} {args} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}"
        return done

    def files(self, path: str) -> dict[str, int]:
        """Every file below a directory, by its path from there, and its size; none where there is no such directory."""
        done = self.shell("-ls", "-R", f"/{path}", check=False)
        found = re.findall(r"^-\S+\s+\S+\s+\S+\s+\S+\s+(\d+) \S+ \S+ (.+)$", done.stdout, re.MULTILINE)
        return {name.removeprefix(f"/{path}/"): int(size) for size, name in found}

    def fetch(self, path: str, to: pathlib.Path) -> pathlib.Path:
        """A copy of the directory on this machine's disk."""
        self.shell("-get", f"/{path}", to)
        return to


class OwnHdfs(Hdfs):
    """A NameNode and a DataNode of the test's own. `settings` are hdfs-site.xml's, as in `{"dfs.permissions.enabled": "false"}`."""

    def __init__(self, directory: pathlib.Path, settings: dict[str, object] | None = None) -> None:
        self.directory, self.port, self.http = directory, free_port(), free_port()
        super().__init__(f"hdfs://127.0.0.1:{self.port}", directory / "conf")
        for pages in ("hdfs", "datanode"):
            (self.conf / "webapps" / pages).mkdir(parents=True)
        shutil.copy(ROOT / "scripts/services/hdfs/log4j.properties", self.conf)
        _hadoop_xml(self.conf / "core-site.xml", {"fs.defaultFS": self.address, "hadoop.tmp.dir": directory / "data"})
        _hadoop_xml(
            self.conf / "hdfs-site.xml",
            {
                "dfs.replication": 1,
                "dfs.namenode.rpc-address": f"127.0.0.1:{self.port}",
                "dfs.namenode.http-address": f"127.0.0.1:{self.http}",
                "dfs.datanode.address": f"127.0.0.1:{free_port()}",
                "dfs.datanode.http.address": f"127.0.0.1:{free_port()}",
                "dfs.datanode.ipc.address": f"127.0.0.1:{free_port()}",
                "dfs.datanode.hostname": "127.0.0.1",
                "dfs.permissions.enabled": "true",
                "dfs.namenode.safemode.extension": 0,
                # A DataNode that is gone is known to be after 12 s, not after 10 minutes.
                "dfs.heartbeat.interval": 1,
                "dfs.namenode.heartbeat.recheck-interval": 1_000,
            }
            | (settings or {}),
        )
        self.namenode, self.datanode = (
            Daemon(
                f"the {name}",
                [*_JAVA, "-cp", f"{self.conf}:{hdfs_lib()}/*", f"org.apache.hadoop.hdfs.server.{name.lower()}.{name}"],
                directory / f"{name.lower()}.log",
            )
            for name in ("NameNode", "DataNode")
        )

    def __enter__(self) -> "OwnHdfs":
        try:
            self._java("org.apache.hadoop.hdfs.server.namenode.NameNode", "-format", "-nonInteractive")
            return self.start()
        except BaseException:
            self.__exit__()
            raise

    def __exit__(self, *_: object) -> None:
        self.datanode.kill()
        self.namenode.kill()

    def start(self) -> "OwnHdfs":
        """Starts what does not run, and waits until files can be written."""
        self.start_namenode()
        if not self.datanode.running():
            self.datanode.launch()
        until(self.operational, f"HDFS to be operational on {self.port}", step=0.05)
        return self

    def start_namenode(self) -> None:
        """Until it answers, which it does in safe mode already."""
        if not self.namenode.running():
            self.namenode.launch()

        def answers() -> bool:
            self.namenode.lives()
            return listens(self.port)

        until(answers, f"the NameNode to answer on {self.port}", step=0.05)

    def operational(self) -> bool:
        """Out of safe mode, and a DataNode has room."""
        self.namenode.lives()
        self.datanode.lives()
        state = self.bean("FSNamesystemState")
        return state.get("FSState") == "Operational" and state["CapacityRemaining"] > 0

    def live_datanodes(self) -> int:
        """How many the NameNode believes to live."""
        return self.bean("FSNamesystemState").get("NumLiveDataNodes", 0)

    def bean(self, name: str) -> dict:
        """One of the NameNode's figures about itself; empty while it does not answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.http, timeout=5)
        try:
            connection.request("GET", f"/jmx?qry=Hadoop:service=NameNode,name={name}")
            beans = json.loads(connection.getresponse().read())["beans"]
            return beans[0] if beans else {}
        except (OSError, http.client.HTTPException, ValueError):
            return {}
        finally:
            connection.close()


def _hadoop_xml(path: pathlib.Path, settings: dict[str, object]) -> None:
    lines = (f"  <property><name>{name}</name><value>{value}</value></property>" for name, value in settings.items())
    path.write_text("\n".join(['<?xml version="1.0"?>', "<configuration>", *lines, "</configuration>", ""]))


def shared_hdfs() -> Hdfs:
    return Hdfs(required("VOTESTREAM_TEST_HDFS"), pathlib.Path(required("VOTESTREAM_TEST_HDFS_CONF")))


# --- S3 -------------------------------------------------------------------------------------------------------------


class S3:
    """A handle to an endpoint: buckets of the test's own, and what they hold."""

    def __init__(self, endpoint: str, key: str, secret: str) -> None:
        self.endpoint, self.key, self.secret = endpoint, key, secret

    def filesystem(self) -> pyarrow.fs.S3FileSystem:
        return pyarrow.fs.S3FileSystem(
            access_key=self.key, secret_key=self.secret, region=REGION, endpoint_override=self.endpoint.removeprefix("http://"),
            scheme="http", allow_bucket_creation=True, allow_bucket_deletion=True,
        )  # fmt: skip

    @property
    def env(self) -> dict[str, str]:
        """What a person exports to reach it."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint, "AWS_REGION": REGION,
            "AWS_ACCESS_KEY_ID": self.key, "AWS_SECRET_ACCESS_KEY": self.secret,
        }  # fmt: skip

    def bucket(self, stem: str = "votes") -> str:
        """A new, empty one."""
        name = unique(stem)
        self.filesystem().create_dir(name)
        return name

    def files(self, place: str) -> dict[str, int]:
        """Every object below `bucket/prefix`, by its name from there, and its size."""
        found = self.filesystem().get_file_info(pyarrow.fs.FileSelector(place, allow_not_found=True, recursive=True))
        return {info.path.removeprefix(place + "/"): info.size for info in found if info.type == pyarrow.fs.FileType.File}

    def fetch(self, place: str, to: pathlib.Path) -> pathlib.Path:
        """A copy of `bucket/prefix` on this machine's disk."""
        to.mkdir(parents=True)
        pyarrow.fs.copy_files(place, str(to), source_filesystem=self.filesystem(), destination_filesystem=pyarrow.fs.LocalFileSystem())
        return to


class Gateway(S3):
    """An S3 server of the test's own. With another `secret` at the next start, everybody's credentials have expired."""

    def __init__(self, directory: pathlib.Path) -> None:
        self.port = free_port()
        super().__init__(f"http://127.0.0.1:{self.port}", "votestream", secrets.token_hex(20))
        self.objects = directory / "objects"
        self.objects.mkdir(parents=True)
        command = [required("VOTESTREAM_TEST_S3_GATEWAY"), "--port", f"127.0.0.1:{self.port}", "--health", "/health", "--quiet", "posix"]
        self.server = Daemon("the S3 gateway", [*command, str(self.objects)], directory / "s3.log")

    def __enter__(self) -> "Gateway":
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.server.kill()

    def start(self) -> "Gateway":
        self.server.env = os.environ | {"ROOT_ACCESS_KEY": self.key, "ROOT_SECRET_KEY": self.secret}
        self.server.launch()
        until(self._answers, f"the S3 gateway to answer on {self.port}", step=0.02)
        return self

    def stop(self) -> None:
        self.server.kill()

    def _answers(self) -> bool:
        self.server.lives()
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", "/health")
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()


def shared_s3() -> S3:
    return S3(required("VOTESTREAM_TEST_S3"), required("AWS_ACCESS_KEY_ID"), required("AWS_SECRET_ACCESS_KEY"))
