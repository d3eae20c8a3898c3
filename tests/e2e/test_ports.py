"""A port asked for that is taken is an error; a default one gives way and says so."""

from __future__ import annotations

import contextlib
import re
import socket

from tests.e2e.harness import Api, Harness, free_port, until


def test_a_port_asked_for_is_an_error(vs: Harness) -> None:
    vs.ingest(b'{"id":1,"state":"OH","decision":"stein"}\n')
    vs.count()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        listen = f"127.0.0.1:{port}"
        vs.refused("up", "--data", "d", "--votes", 10, "--listen", listen, says=(str(port), "in use", "--listen"))
        vs.refused("up", "--data", "d", "--votes", 10, "--listen", f"127.0.0.1:{free_port()}", "--source-listen", listen, says=(str(port), "in use", "--source-listen"))
        vs.refused("serve", "--store", vs.store, "--listen", listen, says=(str(port), "in use", "--listen"))
        vs.refused("source", "--listen", listen, says=(str(port), "in use", "--listen"))


def test_default_ports_give_way(vs: Harness) -> None:
    with contextlib.ExitStack() as stack:
        for port in (8501, 5000):
            with contextlib.suppress(OSError):  # taken by somebody else already: as good
                stack.enter_context(socket.create_server(("127.0.0.1", port)))
        process = vs.start("up", "--data", vs.dir / "data", "--votes", 1_000, "--rate", 1_000)

        def address() -> int | None:
            assert process.running(), process.err()
            ports = [int(p) for p in re.findall(r"http://(?:127\.0\.0\.1|localhost):(\d+)", process.err() + process.out().decode())]
            return next((p for p in ports if p not in (8501, 5000) and Api(p).healthy()), None)

        until(address, "the address of the page")
        assert "8501" in process.err(), "says that the default port is taken"


def test_a_wide_address_demands_a_token(vs: Harness) -> None:
    vs.refused("up", "--data", "d", "--votes", 10, "--listen", f"0.0.0.0:{free_port()}", "--source-listen", f"127.0.0.1:{free_port()}", says=("token",))
