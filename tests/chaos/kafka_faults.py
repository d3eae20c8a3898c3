"""The faults: each strikes a round that counts, and says where it landed. What it broke is whole again when it returns."""

from __future__ import annotations

import contextlib
import random
import signal
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import confluent_kafka

from tests.chaos.proxy import DOWN, UP, Proxy
from tests.e2e.harness import PATIENCE_SECONDS, until
from tests.e2e.services import Broker, Cluster

if TYPE_CHECKING:
    from tests.chaos.kafka_chaos import Chaos, Round

PARTITIONS = 5
SESSION_TIMEOUT_MS = 2_000
RECOVERY_SECONDS_MAX = 90.0

# Strikes a round; says where it landed.
Strike = Callable[["Round"], str]


def worker_killed(round_: Round) -> str:
    """kill -9, where it is stopped to be looked at; another takes its place."""
    victim = round_.aim(round_.workers)
    landed = round_.landed(victim.pid)
    victim.kill()
    round_.forget(victim)
    round_.start_worker()
    return landed


def worker_stopped(round_: Round) -> str:
    """SIGSTOP for up to two session timeouts, and woken: past the fence where the others have taken over."""
    victim = round_.aim(round_.workers)
    landed = round_.landed(victim.pid)
    pause(round_.random.uniform(0.2, 2.0) * SESSION_TIMEOUT_MS / 1000)
    victim.signal(signal.SIGCONT)
    return landed


def rebalance_storm(round_: Round) -> str:
    """Workers come and go, some orderly, some not."""
    landed = round_.landed()
    for _ in range(round_.random.randint(2, 4)):
        extra = round_.begin_worker()
        pause(round_.random.uniform(0.05, 0.8))
        number = round_.random.choice([signal.SIGTERM, signal.SIGKILL])
        extra.signal(number)
        outcome = extra.wait(PATIENCE_SECONDS)
        assert outcome.status in (0, -number), f"a worker told to end ended with {outcome.status}:\n{outcome.err[-3000:]}"
        round_.forget(extra)
    return landed


def store_restarted(how: signal.Signals) -> Strike:
    def strike(round_: Round) -> str:
        landed = round_.landed()
        round_.chaos.server.stop(how)
        pause(round_.random.uniform(0.0, 1.5))
        round_.chaos.server.start()
        return landed

    return strike


def sessions_terminated(round_: Round) -> str:
    """pg_terminate_backend of every worker's sessions, if that can be had in the midst of a transaction."""
    victim = round_.aim(round_.workers)
    landed = round_.landed(victim.pid)
    round_.database.query(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'votestream-count-%'"
    )
    victim.signal(signal.SIGCONT)
    return landed


def on_the_wire(proxy: Proxy, act: Callable[[Proxy, random.Random], None], seconds_max: float) -> Strike:
    """Something of the network, taken back after a while."""

    def strike(round_: Round) -> str:
        landed = round_.landed()
        ambient = dict(proxy.delay_seconds)
        act(proxy, round_.random)
        pause(round_.random.uniform(0.1, seconds_max))
        proxy.refuse(False)
        proxy.release()
        proxy.delay_seconds = ambient
        return landed

    return strike


def _partition(proxy: Proxy, _: random.Random) -> None:
    proxy.refuse(True)
    proxy.cut()


def _tear(proxy: Proxy, rng: random.Random) -> None:
    """Half of a message arrives; then the connection breaks."""
    proxy.tear(rng.choice([UP, DOWN]))
    pause(rng.uniform(0.05, 0.5))
    proxy.cut()


def proxied_faults(chaos: Chaos, broker: Broker, log_proxy: Proxy) -> dict[str, Strike]:
    """All that can befall one broker, the store, the workers and what lies between."""

    def broker_restarted(round_: Round) -> str:
        landed = round_.landed()
        (broker.stop if round_.random.random() < 0.5 else broker.kill)()
        broker.start()
        return landed

    session = SESSION_TIMEOUT_MS / 1000
    store_proxy = chaos.store_proxy
    return {
        "worker killed": worker_killed,
        "worker stopped and woken": worker_stopped,
        "rebalance storm": rebalance_storm,
        "broker restarted": broker_restarted,
        "PostgreSQL restarted": store_restarted(signal.SIGINT),
        "PostgreSQL crashed": store_restarted(signal.SIGQUIT),
        "sessions terminated": sessions_terminated,
        "store connections cut": on_the_wire(store_proxy, lambda proxy, _: proxy.cut(), 0.2),
        "store unreachable": on_the_wire(store_proxy, _partition, session),
        "store silent": on_the_wire(store_proxy, lambda proxy, rng: proxy.hold(rng.choice([UP, DOWN])), 2 * session),
        "store slow": on_the_wire(store_proxy, lambda proxy, rng: proxy.delay(rng.uniform(0.05, 0.3)), 2 * session),
        "half a message to the store": on_the_wire(store_proxy, _tear, 0.2),
        "store sessions played again": on_the_wire(store_proxy, lambda proxy, rng: proxy.replay(cut=rng.random() < 0.5) and None, 0.5),
        "broker connections cut": on_the_wire(log_proxy, lambda proxy, _: proxy.cut(), 0.2),
        "broker unreachable": on_the_wire(log_proxy, _partition, 2 * session),
        "broker silent": on_the_wire(log_proxy, lambda proxy, rng: proxy.hold(rng.choice([UP, DOWN])), 2 * session),
        "broker slow": on_the_wire(log_proxy, lambda proxy, rng: proxy.delay(rng.uniform(0.05, 0.3)), 2 * session),
        "half a message from the broker": on_the_wire(log_proxy, _tear, 0.2),
        "broker sessions played again": on_the_wire(log_proxy, lambda proxy, rng: proxy.replay(cut=rng.random() < 0.5) and None, 0.5),
    }


def cluster_faults(cluster: Cluster) -> dict[str, Strike]:
    """A leader of the topic killed or stopped; it is back before the next fault."""

    def leader_gone(round_: Round, orderly: bool) -> str:
        landed = round_.landed()
        leaders, ends, began = round_.kafka.describe(round_.topic), round_.kafka.ends(round_.topic), time.monotonic()
        node = round_.random.choice(sorted(set(leaders.values())))
        broker = cluster.brokers[node]
        (broker.stop if orderly else broker.kill)()
        until(
            lambda: all(leader != node for leader in _leaders(round_).values()) and len(_leaders(round_)) == PARTITIONS,
            "other leaders", RECOVERY_SECONDS_MAX,
        )  # fmt: skip
        # Counting goes on while the broker is away.
        round_.until_counted(ends)
        round_.recovery_seconds = time.monotonic() - began
        broker.start()
        cluster.until_whole()
        return landed

    return {
        "leader killed": lambda round_: leader_gone(round_, orderly=False),
        "worker killed": worker_killed,
        "leader stopped": lambda round_: leader_gone(round_, orderly=True),
        "worker stopped and woken": worker_stopped,
    }


def _leaders(round_: Round) -> dict[int, int]:
    with contextlib.suppress(confluent_kafka.KafkaException):
        return round_.kafka.describe(round_.topic)
    return {}


def pause(seconds: float) -> None:
    """The random part of an instant: nothing is waited for."""
    threading.Event().wait(seconds)
