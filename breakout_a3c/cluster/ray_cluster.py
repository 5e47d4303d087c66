"""Ray (Moritz et al. 2018) as the engine of a cluster. No other file knows its API."""

import logging
import os
import sys
import time
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

from breakout_a3c.cluster.compatibility import Facts, facts_here, trouble_with
from breakout_a3c.cluster.exchange import Difference, GlobalState
from breakout_a3c.cluster.group import Group, LinkBroken
from breakout_a3c.cluster.group_parameters import GroupStart
from breakout_a3c.cluster.machines import Machine
from breakout_a3c.cluster.options import LOCAL
from breakout_a3c.cluster.parameter_server import Answer, Collected, GroupNews, ParameterServer
from breakout_a3c.errors import UserError
from breakout_a3c.extensions import extension_files, load_extensions
from breakout_a3c.processes.resources import usable_cores
from breakout_a3c.training.contexts import training_context
from breakout_a3c.training.needs import require_resources

ANSWER_SECONDS = 30.0  # after which a message is sent again
COLLECT_SECONDS = 5.0  # that the driver waits for the parameter server
FACTS_SECONDS = 120.0  # a machine may import torch for the first time
OBJECT_STORE_BYTES = 256 * 2**20
INSTALL = "pip install 'breakout-a3c[cluster]', or -r requirements-cluster.txt"


def connect(address: str, game: str) -> "RayCluster":
    """Start Ray on this machine, or connect to a cluster.

    Args:
        address: ``local``; ``auto`` for the cluster that this machine belongs to; or that cluster's HOST:PORT.
        game: That the machines are to play.

    Raises:
        UserError: If there is no Ray or no such cluster, or it is of another version.
    """
    if find_spec("ray") is None:
        raise UserError(f"--cluster needs Ray, which is not installed: {INSTALL}.")
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # it would tell its makers
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    if address == LOCAL:
        # Ray's own switch for machines that are no part of a cluster: all of it listens on loopback.
        os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"
    import ray

    try:
        if address == LOCAL:
            ray.init(
                address="local",
                num_cpus=usable_cores(),
                include_dashboard=False,
                object_store_memory=OBJECT_STORE_BYTES,
                log_to_driver=False,
                logging_level=logging.ERROR,
            )
        else:
            ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
    except (ConnectionError, RuntimeError, ValueError, OSError) as error:
        reason = " ".join(str(error).split())
        raise UserError(
            f"no Ray cluster can be used at {address} ({reason:.300}): type ray start --address=HOST:PORT on this "
            f"machine first, or give --cluster local."
        ) from error
    return RayCluster(ray, game)


class RayLink:
    """A group's way to the parameter server.

    Args:
        ray: The module.
        server: The handle of the actor.
    """

    def __init__(self, ray: Any, server: Any) -> None:
        self._ray = ray
        self._server = server
        self._answer: Any = None
        self._sent_at = 0.0

    def send(self, difference: Difference, news: GroupNews) -> None:
        """Begin an exchange."""
        self._answer = self._server.exchange.remote(difference, news)
        self._sent_at = time.monotonic()

    def answer(self) -> Answer | None:
        """Return the answer, None as long as there is none.

        Raises:
            LinkBroken: If none is to come.
        """
        ready, _ = self._ray.wait([self._answer], timeout=0)
        if not ready:
            if time.monotonic() >= self._sent_at + ANSWER_SECONDS:
                raise LinkBroken
            return None
        try:
            answer: Answer = self._ray.get(self._answer)
        except self._ray.exceptions.RayError as error:
            raise LinkBroken from error
        return answer

    def offer(self, state: GlobalState) -> None:
        """Offer a state to a server that holds none."""
        self._server.offer.remote(state)


class GroupProcess:
    """The process of a machine that starts its actor-learners."""

    def run(self, start: GroupStart, server: Any) -> str:
        """Train; return what keeps this machine from it, normally nothing."""
        import ray

        # Otherwise each child of this process would import Ray's own program, as a child imports its parent's.
        del sys.modules["__main__"].__file__
        try:
            load_extensions(start.extensions)
            require_resources(start.config, start.play_states.values())
            context = training_context(start.config)
        except UserError as error:
            return str(error)
        return Group(start, context, RayLink(ray, server)).run()


class RayCluster:
    """A Ray cluster that this process drives.

    Args:
        ray: The module, connected.
        game: That the machines are to play.
    """

    def __init__(self, ray: Any, game: str) -> None:
        self._ray = ray
        self._game = game
        self._here = facts_here(game)
        self._server: Any = None
        self._state: GlobalState | None = None
        self._groups: dict[Any, tuple[str, Any]] = {}  # by the promise of their end: name and actor

    def machines(self) -> list[Machine]:
        """Return the machines that are there, this one first."""
        here = self._ray.get_runtime_context().get_node_id()
        nodes = [node for node in self._ray.nodes() if node["Alive"] and node["Resources"].get("CPU", 0) >= 1]
        nodes.sort(key=lambda node: (node["NodeID"] != here, node["NodeManagerAddress"], node["NodeID"]))
        names = [unique_name(node, nodes) for node in nodes]
        return [
            Machine(node["NodeID"], name, int(node["Resources"]["CPU"]))
            for node, name in zip(nodes, names, strict=True)
        ]

    def trouble(self, machine: Machine) -> str:
        """Return why a machine cannot train, as a sentence; empty if it can."""

        def ask(game: str, extensions: tuple[str, ...]) -> object:  # names no module, as there may be none
            try:
                from breakout_a3c.cluster.compatibility import facts_here
            except ImportError as error:
                return f"{error}"
            return facts_here(game, extensions)

        asked = self._on(machine.id, ask).remote(self._game, extension_files())
        try:
            answer: Facts | str = self._ray.get(asked, timeout=FACTS_SECONDS)
        except (self._ray.exceptions.RayError, TimeoutError) as error:
            return f"{machine.name} does not answer ({' '.join(str(error).split())[:200]}): look at it."
        if isinstance(answer, str):
            return f"{machine.name} cannot import breakout_a3c ({answer}): install it there."
        return trouble_with(machine.name, answer, self._here)

    def _on(self, node: str, code: Any, *, cores: int = 0, **options: Any) -> Any:
        """Return a function or class that runs on one machine alone, once so many cores are free there."""
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        strategy = NodeAffinitySchedulingStrategy(node, soft=False)
        return self._ray.remote(code).options(num_cpus=cores, scheduling_strategy=strategy, **options)

    def begin(self, state: GlobalState) -> None:
        """Start the parameter server, on this machine; Ray starts it again when it dies."""
        here = self._ray.get_runtime_context().get_node_id()
        self._server = self._on(here, ParameterServer, max_restarts=-1).remote()
        self._ray.get(self._server.begin.remote(state))

    def collect(self, stopped: bool) -> Collected | None:
        """Return what the parameter server has; None while it cannot be reached."""
        try:
            collected: Collected = self._ray.get(self._server.collect.remote(stopped), timeout=COLLECT_SECONDS)
        except (self._ray.exceptions.RayError, TimeoutError):
            return None
        return collected

    def offer(self, state: GlobalState) -> None:
        """Offer a state to a parameter server that holds none."""
        self._server.offer.remote(state)

    def start_group(self, machine: Machine, start: GroupStart) -> None:
        """Start a group, as soon as the cores of its actor-learners are free."""
        cores = min(start.config.learners.count, machine.cores)
        actor = self._on(machine.id, GroupProcess, cores=cores).remote()
        self._groups[actor.run.remote(start, self._server)] = (start.group, actor)

    def ended(self, timeout: float) -> dict[str, str]:
        """Wait up to ``timeout`` seconds for groups that end; return what kept each from training, or an empty text."""
        if not self._groups:
            time.sleep(timeout)
            return {}
        promises, _ = self._ray.wait(list(self._groups), num_returns=1, timeout=timeout)
        found = {}
        for promise in promises:
            name, actor = self._groups.pop(promise)
            try:
                found[name] = self._ray.get(promise)
            except self._ray.exceptions.RayError as error:
                found[name] = f"it was lost ({type(error).__name__})"
            self._ray.kill(actor)
        return found

    def close(self) -> None:
        """End what is left, and leave the cluster."""
        for _, actor in self._groups.values():
            self._ray.kill(actor)
        self._groups.clear()
        self._ray.shutdown()


def unique_name(node: dict[str, Any], nodes: list[dict[str, Any]]) -> str:
    """Return the shortest name of a node that no other has: its host's, its address, or that with its id."""
    readings: tuple[Callable[[dict[str, Any]], str], ...] = (
        lambda each: str(each["NodeManagerHostname"]),
        lambda each: str(each["NodeManagerAddress"]),
        lambda each: f"{each['NodeManagerAddress']}-{each['NodeID'][:6]}",
    )
    for reading in readings:
        if [reading(each) for each in nodes].count(reading(node)) == 1:
            return reading(node)
    return str(node["NodeID"])
