"""
A container of one image on a Docker engine, for as long as a block lasts, by testcontainers.

Everything carries labels that say which process made it: what a killed run left is removed by the next one.  Where
testcontainers' own reaper (Ryuk) is on the machine already, it watches, too; it is never pulled.
"""

from __future__ import annotations

import os
import secrets
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from tenantproof.core.errors import MissingExtra, TargetError

if TYPE_CHECKING:
    from docker import DockerClient
    from docker.models.networks import Network
    from testcontainers.core.container import DockerContainer

LABEL = "tenantproof"
PORT = 5432

_POLL_SECONDS = 0.05
_SHOWN_LINES = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A container that runs: where its port is reached from here."""

    host: str
    port: int
    container: Any = field(repr=False)

    def put(self, folder: str, archive: bytes) -> None:
        """Unpack a tar archive in a folder of the container."""
        self.container.put_archive(folder, archive)

    def state(self) -> str:
        """`running`, or how it ended, with its last words."""
        self.container.reload()
        if self.container.status == "running":
            return "running"
        said = self.container.logs(tail=_SHOWN_LINES).decode(errors="replace")
        return f"{self.container.status}: {' '.join(said.split()) or 'it said nothing'}"


@contextmanager
def running(image: str, environment: Mapping[str, str]) -> Iterator[Running]:
    """Start a container of *image* in a network of its own; both are removed afterwards.

    Raises MissingExtra, and TargetError where there is no engine, the image cannot be had or does not run.
    """
    docker, testcontainers = _libraries()
    with ExitStack() as stack:
        try:
            client = stack.enter_context(_client(docker))
            remove_leftovers(client)
            testcontainers.config.ryuk_disabled = not _is_there(client, docker, testcontainers.config.ryuk_image)
            labels = own_labels()
            network = client.networks.create(f"tenantproof-{secrets.token_hex(6)}", labels=labels)
            stack.callback(_remove, network)
            container = testcontainers.container(image, env=dict(environment), labels=labels)
            stack.callback(_stop, container)
            started = container.with_exposed_ports(PORT).with_kwargs(network=network.name, labels=labels).start()
            place = _place(started)
        except docker.errors.DockerException as error:
            raise _explained(image, error, docker) from None
        yield place


def _place(started: DockerContainer) -> Running:
    """Where a container is reached.  Raises TargetError for one that has ended already."""
    container = started.get_wrapped_container()
    container.reload()
    published = container.ports.get(f"{PORT}/tcp") or []
    place = Running(host="", port=0, container=container)
    if not published:
        raise ended(place)
    return replace(place, host=started.get_container_host_ip(), port=int(published[0]["HostPort"]))


def ended(place: Running) -> TargetError:
    """What to say of a container that does not run any more."""
    return TargetError(f"the container ended before PostgreSQL was ready ({place.state()})")


@dataclass(frozen=True, slots=True)
class _Parts:
    """What we use of testcontainers."""

    container: Any
    config: Any


def _libraries() -> tuple[ModuleType, _Parts]:
    try:
        import docker
        from testcontainers.core.config import testcontainers_config
        from testcontainers.core.container import DockerContainer
    except ImportError:
        raise MissingExtra("a container target", "docker") from None
    return docker, _Parts(DockerContainer, testcontainers_config)


@contextmanager
def _client(docker: ModuleType) -> Iterator[DockerClient]:
    client = docker.from_env()
    try:
        client.ping()
        yield client
    finally:
        client.close()


def _is_there(client: DockerClient, docker: ModuleType, image: str) -> bool:
    try:
        client.images.get(image)
    except docker.errors.ImageNotFound:
        return False
    return True


def _remove(network: Network) -> None:
    with suppress(Exception):  # whatever it is, the labels let the next run remove it
        network.remove()


def _stop(container: DockerContainer) -> None:
    with suppress(Exception):  # likewise
        container.stop()


def _explained(image: str, error: Exception, docker: ModuleType) -> TargetError:
    said = str(getattr(error, "explanation", None) or error).strip().splitlines()
    last = said[-1] if said else type(error).__name__
    if isinstance(error, docker.errors.NotFound) or "pull" in str(error) or "no such host" in str(error):
        return TargetError(
            f"the image {image} cannot be had: {last}\n"
            f"  try `docker pull {image}`, or name one that is there (docker images)"
        )
    if isinstance(error, docker.errors.APIError):
        return TargetError(f"the Docker engine refuses to run {image}: {last}")
    where = os.environ.get("DOCKER_HOST", "the local socket")
    return TargetError(
        f"no Docker engine answers at {where}: {last}\n"
        "  start it (or name another one in DOCKER_HOST), or leave --target out: the embedded server needs none"
    )


# Whose containers are whose


def own_labels() -> dict[str, str]:
    """Labels that say which process of which machine made something."""
    return {
        LABEL: "run",
        f"{LABEL}.host": socket.gethostname(),
        f"{LABEL}.pid": str(os.getpid()),
        f"{LABEL}.started": _started(os.getpid()),
    }


def remove_leftovers(client: DockerClient) -> int:
    """Remove containers and networks whose process on this machine is dead; says how many."""
    mine = {"label": [LABEL, f"{LABEL}.host={socket.gethostname()}"]}
    removed = 0
    for container in client.containers.list(all=True, filters=mine):
        if not _lives(container.labels):
            with suppress(Exception):  # another run may be doing the same
                container.remove(force=True, v=True)
                removed += 1
    for network in client.networks.list(filters=mine):
        if not _lives(network.attrs.get("Labels") or {}):
            with suppress(Exception):
                network.remove()
                removed += 1
    return removed


def _lives(labels: Mapping[str, str]) -> bool:
    pid = labels.get(f"{LABEL}.pid", "")
    if not pid.isdigit():
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return labels.get(f"{LABEL}.started", "") == _started(int(pid))  # the number may be somebody else's by now


def _started(pid: int) -> str:
    """When a process started, in the kernel's words; '' where it does not tell."""
    with suppress(OSError, IndexError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    return ""


def await_ready(place: Running, ready: Callable[[], bool], seconds: float) -> None:
    """Poll until *ready* gives True.  Raises TargetError where the container ends, or does not get ready in time."""
    deadline = time.monotonic() + seconds
    looks = 0
    while time.monotonic() < deadline:
        if ready():
            return
        looks += 1
        if looks % 10 == 0 and place.state() != "running":
            raise ended(place)
        time.sleep(_POLL_SECONDS)
    raise TargetError(f"after {seconds:g} s no PostgreSQL answers in the container: is it an image of PostgreSQL?")
