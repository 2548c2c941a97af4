"""The hub's process: one server on this machine's loopback address."""

import logging
import socket
from collections.abc import Callable

import uvicorn

from vitrail.errors import NodeError
from vitrail.hub.api import Hub, service
from vitrail.hub.directory import HubDirectory
from vitrail.hub.registry import Registry
from vitrail.wire import SigningKey


def run(directory: HubDirectory, port: int | None, ready: Callable[[str], None]) -> None:
    """Serve until told to stop. ``port`` 0 takes a free one; None the one of last time. ``ready`` gets the address."""
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(name)s %(message)s")
    listener = _listener(directory.card.port if port is None else port)
    directory = directory.listen_on(listener.getsockname()[1])
    hub = Hub(Registry(directory.store(), SigningKey.read(directory.key)))
    config = uvicorn.Config(
        service(hub), log_config=None, access_log=False, loop="asyncio", http="h11", ws="none",
        timeout_graceful_shutdown=1, server_header=False,
    )  # fmt: skip
    ready(directory.card.address)
    uvicorn.Server(config).run(sockets=[listener])


def _listener(port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", port))
    except (OSError, OverflowError) as error:
        listener.close()
        raise NodeError(f"Port {port} cannot be used.", "Stop what uses it, or choose another with --port.") from error
    listener.listen(128)
    return listener
