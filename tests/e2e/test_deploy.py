"""deploy/: the files are valid, keep the house's rules, and every service of the profiles `core` and `hdfs` starts by its exact command line.

There is no container engine here. Instead each command runs as the container would: in a network and mount namespace of the test's
own, in which the other services' names are loopback, the paths that compose.yaml mounts are there, the root is read-only, the user is
the one it names and no capability is left. What the images themselves bring (Kafka's and Hadoop's scripts, PostgreSQL's entrypoint) is stood in
for by this machine's programs. It needs root, as the namespaces' mounts do.
"""

from __future__ import annotations

import contextlib
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator

import pytest
import yaml

from tests.e2e.harness import ROOT, binary, until
from tests.e2e.object_stores import hdfs_lib
from tests.e2e.services import kafka_lib

DEPLOY = ROOT / "deploy"
PROFILES = ("core", "hdfs", "spark")
SECRETS = ("postgres_password", "ingest_token")


@pytest.fixture(scope="module")
def compose() -> dict:
    """What docker-compose makes of the file: valid, anchors and relative paths resolved."""
    flags = [flag for profile in PROFILES for flag in ("--profile", profile)]
    done = subprocess.run(["docker-compose", "-f", DEPLOY / "compose.yaml", *flags, "config"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return yaml.safe_load(done.stdout)


def test_every_service_is_pinned_bounded_and_hardened(compose: dict) -> None:
    for name, service in compose["services"].items():
        assert re.fullmatch(r"[a-z0-9./-]+:[0-9][a-z0-9.-]*", service["image"]), f"{name}: {service['image']}"
        assert service["read_only"] is True and service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service["profiles"] and service["restart"] and service["logging"]["options"], name
        limits = service["deploy"]["resources"]["limits"]
        assert limits["cpus"] and limits["memory"], name
        for port in service.get("ports", []):
            published = port if isinstance(port, str) else f"{port.get('host_ip')}:{port['published']}"
            assert published.startswith("127.0.0.1:"), f"{name} publishes {port}"
        for_ever = service["restart"] == "unless-stopped"
        assert ("healthcheck" in service) == for_ever, f"{name}: what runs for ever has a health check, what ends has none"


def test_no_secret_is_in_an_environment_or_on_a_command_line(compose: dict) -> None:
    for name, service in compose["services"].items():
        for key, value in (service.get("environment") or {}).items():
            assert not re.search(r"(PASSWORD|TOKEN|SECRET)$", key), f"{name}: {key}"
            assert "secret" not in str(value).lower() or str(value).startswith("/run/secrets/"), f"{name}: {key}={value}"
        line = " ".join(service.get("command", []))
        assert "password=" not in line and "--ingest-token " not in line, f"{name}: {line}"
        for path in re.findall(r"password_file=(\S+)", line):
            assert pathlib.PurePath(path).name in [s["source"] for s in service["secrets"]], f"{name}: {path}"
    assert {secret["file"] for secret in compose["secrets"].values()} == {str(DEPLOY / "secrets" / name) for name in SECRETS}


def test_the_manifests_are_valid_and_refer_to_secrets_without_holding_any() -> None:
    files = sorted((DEPLOY / "kubernetes").glob("*.yaml"))
    validate = pathlib.Path(sys.executable).with_name("kubernetes-validate")
    done = subprocess.run([validate, "--strict", *files], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    documents = [document for file in files for document in yaml.safe_load_all(file.read_text())]
    kinds = {document["kind"] for document in documents}
    assert "Secret" not in kinds and {"Deployment", "Service", "PodDisruptionBudget", "NetworkPolicy"} <= kinds
    for document in (d for d in documents if d["kind"] == "Deployment"):
        pod = document["spec"]["template"]["spec"]
        assert document["spec"]["replicas"] > 1 and pod["securityContext"]["runAsNonRoot"], document["metadata"]
        for container in pod["containers"]:
            context = container["securityContext"]
            assert context["readOnlyRootFilesystem"] and context["capabilities"]["drop"] == ["ALL"], container["name"]
            assert "readinessProbe" in container and "memory" in container["resources"]["limits"], container["name"]


# --- without containers -----------------------------------------------------------------------------------------------------------


class Pod:
    """A network and mount namespace with the services' paths and names in it."""

    def __init__(self, directory: pathlib.Path) -> None:
        self.dir = directory
        self.logs: dict[str, pathlib.Path] = {}
        # It lives for as long as its standard input is open.
        setup = f"""
            set -e
            ip link set lo up
            mount --bind {directory}/etc /etc
            for place in opt run var/lib usr/local/bin; do mount --bind {directory}/$place /$place; done
            echo ready
            exec cat
        """
        self.holder = subprocess.Popen(
            ["unshare", "--net", "--mount", "--propagation", "private", "sh", "-c", setup], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert self.holder.stdout.readline() == b"ready\n", "no namespaces: this test needs root, iproute2 and util-linux"

    def command(self, service: dict, command: list[str]) -> list[str]:
        """The command as a container would run it: its user, no capabilities, a root that cannot be written."""
        user, group = service["user"].split(":")
        inside = ["nsenter", f"--target={self.holder.pid}", "--net", "--mount"]
        drop = ["setpriv", f"--reuid={user}", f"--regid={group}", "--clear-groups", "--no-new-privs", "--bounding-set=-all", "--inh-caps=-all"]
        readonly = "for place in / /etc /opt /usr/local/bin; do mount -o remount,bind,ro $place; done; "
        if "/tmp" in (service.get("tmpfs") or []):
            readonly += "mount -t tmpfs -o mode=1777 tmpfs /tmp; "
        readonly += 'exec "$@"'
        return [*inside, "unshare", "--mount", "--propagation", "private", "sh", "-c", readonly, "sh", *drop, *command]

    def environment(self, service: dict) -> dict[str, str]:
        postgres = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin"))[-1]
        return {"PATH": f"{postgres}:/opt/hadoop/bin:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", "PGDATA": "/var/lib/postgresql/data"} | {
            key: str(value) for key, value in (service.get("environment") or {}).items()
        }

    @contextlib.contextmanager
    def running(self, name: str, service: dict, command: list[str], ends: tuple[int, ...] = (0,)) -> Iterator[subprocess.Popen]:
        log = self.logs[name] = self.dir / f"{name}.log"
        with log.open("wb") as out:
            process = subprocess.Popen(
                self.command(service, command), env=self.environment(service), stdin=subprocess.DEVNULL, stdout=out, stderr=out
            )
        try:
            yield process
            process.send_signal(signal.SIGTERM)
            assert process.wait(60) in ends, f"{name} ended with {process.returncode}:\n{log.read_text()[-3000:]}"
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()

    def run(self, service: dict, command: list[str], **options: object) -> subprocess.CompletedProcess:
        return subprocess.run(
            self.command(service, command), env=self.environment(service), capture_output=True, text=True, timeout=120, check=False, **options
        )

    def healthy(self, name: str, service: dict, process: subprocess.Popen, command: list[str] | None = None) -> None:
        """Its own health check says yes; until then the process must live."""
        kind, *check = command or service["healthcheck"]["test"]
        assert kind == "CMD", f"{name}: {kind}"

        def ask() -> bool:
            assert process.poll() is None, f"{name} ended with {process.returncode}:\n{self.logs[name].read_text()[-3000:]}"
            return self.run(service, check).returncode == 0

        until(ask, f"the health check of {name}", 120, step=0.2)

    def close(self) -> None:
        self.holder.stdin.close()
        self.holder.wait(30)


SHIM = """#!/bin/sh
exec java -XX:TieredStopAtLevel=1 ${{KAFKA_HEAP_OPTS:-}} ${{KAFKA_LOG4J_OPTS:-}} -cp '/opt/kafka/libs/*' {main} "$@"
"""

HDFS_SHIM = """#!/bin/sh
case $1 in
  namenode) main=org.apache.hadoop.hdfs.server.namenode.NameNode ;;
  datanode) main=org.apache.hadoop.hdfs.server.datanode.DataNode ;;
  dfs) main=org.apache.hadoop.fs.FsShell ;;
  dfsadmin) main=org.apache.hadoop.hdfs.tools.DFSAdmin ;;
esac
shift
exec java -XX:TieredStopAtLevel=1 -Xmx$HADOOP_HEAPSIZE_MAX -cp "$HADOOP_CONF_DIR:/opt/hadoop/share:/opt/hadoop/libs/*" $main "$@"
"""


@pytest.fixture
def pod(compose: dict) -> Iterator[Pod]:
    directory = pathlib.Path(tempfile.mkdtemp(prefix="votestream-deploy-"))
    directory.chmod(0o755)
    try:
        for place in ("opt/kafka/bin", "run/secrets", "run/postgresql", "var/lib/kafka/data", "var/lib/postgresql/data", "usr/local/bin",
                      "opt/hadoop/bin", "opt/hadoop/share/webapps/hdfs", "opt/hadoop/share/webapps/datanode", "var/lib/hdfs"):  # fmt: skip
            (directory / place).mkdir(parents=True)
        shutil.copytree("/etc", directory / "etc", symlinks=True, ignore_dangling_symlinks=True)
        # A container knows its own name, too; Hadoop asks for it.
        (directory / "etc/hosts").write_text(f"127.0.0.1 localhost kafka postgres namenode datanode spark {socket.gethostname()}\n")
        users = (directory / "etc/passwd").read_text().splitlines()
        users = [user for user in users if user.split(":")[0] not in ("postgres", "hadoop") and user.split(":")[2] not in ("999", "1000")]
        (directory / "etc/passwd").write_text("\n".join([*users, "postgres:x:999:999::/var/lib/postgresql:/bin/sh", "hadoop:x:1000:1000::/tmp:/bin/sh"]) + "\n")
        shutil.copytree(DEPLOY / "kafka", directory / "etc/votestream/kafka")
        shutil.copytree(DEPLOY / "hdfs", directory / "etc/votestream/hdfs")
        shutil.copytree(kafka_lib(), directory / "opt/kafka/libs")
        shutil.copytree(hdfs_lib(), directory / "opt/hadoop/libs")
        mains = {"kafka-server-start": "kafka.Kafka", "kafka-storage": "kafka.tools.StorageTool", "kafka-topics": "org.apache.kafka.tools.TopicCommand"}
        for script, main in mains.items():
            shim = directory / f"opt/kafka/bin/{script}.sh"
            shim.write_text(SHIM.format(main=main))
            shim.chmod(0o755)
        (directory / "opt/hadoop/bin/hdfs").write_text(HDFS_SHIM)
        (directory / "opt/hadoop/bin/hdfs").chmod(0o755)
        shutil.copy(binary(), directory / "usr/local/bin/votestream")
        # As make-secrets.sh makes them.
        shutil.copy(DEPLOY / "make-secrets.sh", directory)
        (directory / "secrets").mkdir()
        subprocess.run([directory / "make-secrets.sh"], check=True, capture_output=True)
        for secret in SECRETS:
            shutil.copy(directory / "secrets" / secret, directory / "run/secrets" / secret)
        for place, user in (("var/lib/kafka/data", 1000), ("var/lib/postgresql/data", 999), ("run/postgresql", 999), ("var/lib/hdfs", 1000)):
            os.chown(directory / place, user, user)
        made = Pod(directory)
        yield made
        made.close()
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def initialised(pod: Pod, service: dict) -> None:
    """What the PostgreSQL image's entrypoint does with an empty volume."""
    environment = service["environment"]
    arguments = ["--username", environment["POSTGRES_USER"], "--pwfile", environment["POSTGRES_PASSWORD_FILE"]]
    done = pod.run(service, ["initdb", *arguments, *environment["POSTGRES_INITDB_ARGS"].split()])
    assert done.returncode == 0, done.stderr
    data = pod.dir / "var/lib/postgresql/data"
    with (data / "pg_hba.conf").open("a") as file:
        file.write("host all all all scram-sha-256\n")
    with (data / "postgresql.conf").open("a") as file:
        file.write("listen_addresses = '*'\n")
    done = pod.run(service, ["postgres", "--single", "postgres"], input=f"CREATE DATABASE {environment['POSTGRES_DB']}\n")
    assert done.returncode == 0, done.stderr


def test_each_command_line_of_core_starts_answers_its_health_check_and_stops(pod: Pod, compose: dict) -> None:
    services = compose["services"]
    votestream = ["/usr/local/bin/votestream"]
    with contextlib.ExitStack() as stack:

        def start(name: str, service: str, ends: tuple[int, ...] = (0,), entrypoint: list[str] | None = None) -> subprocess.Popen:
            return stack.enter_context(pod.running(name, services[service], [*(entrypoint or []), *services[service]["command"]], ends))

        kafka = start("kafka", "kafka", (0, 130, 143))
        initialised(pod, services["postgres"])
        postgres = start("postgres", "postgres")
        pod.healthy("kafka", services["kafka"], kafka)
        pod.healthy("postgres", services["postgres"], postgres)
        # One-shot, and once more as a restart would.
        for _ in range(2):
            made = pod.run(services["topic"], services["topic"]["command"])
            assert made.returncode == 0, made.stdout + made.stderr
        # Spark is away: its count waits and says so, its health check says no.
        with pod.running("count-spark", services["count-spark"], [*votestream, *services["count-spark"]["command"]]):
            away = "no Spark Connect server answers at sc://spark:15002"
            until(lambda: away in pod.logs["count-spark"].read_text(), "count-spark to say that Spark is away", 60, step=0.1)
            checked = pod.run(services["count-spark"], services["count-spark"]["healthcheck"]["test"][1:])
            assert checked.returncode == 1 and away in checked.stdout, checked.stdout + checked.stderr
        workers = [start(f"count-{n}", "count", entrypoint=votestream) for n in (1, services["count"]["deploy"]["replicas"])]
        for n, worker in enumerate(workers):
            pod.healthy(f"count-{1 + n}", services["count"], worker)
        serve = start("serve", "serve", entrypoint=votestream)
        pod.healthy("serve", services["serve"], serve)
        start("producer", "producer", entrypoint=votestream)
        store = services["count"]["command"][services["count"]["command"].index("--store") + 1]

        def counted() -> int:
            done = pod.run(services["count"], [*votestream, "results", "--store", store, "--format", "csv"])
            return done.returncode == 0 and len(done.stdout.splitlines()) > 1 and done.stdout

        before = until(counted, "results of the store", 60)
        until(lambda: counted() != before, "votes to be counted from the producer's", 60)
    quiet(pod)


def test_each_command_line_of_hdfs_starts_answers_its_health_check_and_archives(pod: Pod, compose: dict) -> None:
    services = compose["services"]
    votestream = ["/usr/local/bin/votestream"]
    with contextlib.ExitStack() as stack:

        def start(service: str, ends: tuple[int, ...] = (0,), entrypoint: list[str] | None = None) -> subprocess.Popen:
            command = [*(entrypoint or []), *services[service]["command"]]
            return stack.enter_context(pod.running(service, services[service], command, ends))

        kafka = start("kafka", (0, 130, 143))
        namenode = start("namenode", (0, 143))
        pod.healthy("namenode", services["namenode"], namenode)
        datanode = start("datanode", (0, 143))
        pod.healthy("datanode", services["datanode"], datanode)
        pod.healthy("kafka", services["kafka"], kafka)
        # One-shot, and once more as a restart would.
        for service in ("topic", "archive-home") * 2:
            made = pod.run(services[service], services[service]["command"])
            assert made.returncode == 0, f"{service}:\n{made.stdout}{made.stderr}"
        votes = ["simulate", "--votes", "20000", "--seed", "1", "--to", "kafka://kafka:19092/voter_data"]
        done = pod.run(services["producer"], [*votestream, *votes])
        assert done.returncode == 0, done.stderr
        with pod.running("archive", services["archive"], [*votestream, *services["archive"]["command"]]) as archive:
            pod.healthy("archive", services["archive"], archive)

            def begun() -> bool:
                assert archive.poll() is None, f"archive ended with {archive.returncode}:\n{pod.logs['archive'].read_text()[-3000:]}"
                return archived_bytes(pod, services["namenode"], "json") > 0

            until(begun, "the archive's first entry", step=0.2)
        # Stopped in order, it has put away what it had read; to the end of the log goes a second one.
        done = pod.run(services["archive"], [*votestream, *services["archive"]["command"], "--until-end"])
        assert done.returncode == 0, done.stderr
        assert archived_bytes(pod, services["namenode"], "parquet") > 8 * 20_000
    quiet(pod)


def archived_bytes(pod: Pod, service: dict, kind: str) -> int:
    """The size of all files of the archive of that kind; nobody but its owner may list it, save HDFS's own user."""
    done = pod.run(service, ["hdfs", "dfs", "-ls", "-R", "/votes"])
    assert done.returncode == 0, done.stderr
    return sum(int(size) for size in re.findall(rf"^-rw\S+\s+1 votestream\s+\S+\s+(\d+) .*\.{kind}$", done.stdout, re.MULTILINE))


def quiet(pod: Pod) -> None:
    """Nothing panicked, nothing lacked a right, no secret was shown."""
    for name, log in pod.logs.items():
        text = log.read_text()
        assert "panicked at" not in text and "Permission denied" not in text, f"{name}:\n{text[-3000:]}"
        for secret in SECRETS:
            assert (pod.dir / "secrets" / secret).read_text() not in text, f"{name} shows {secret}"
