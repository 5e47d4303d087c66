"""Ray (Moritz et al. 2018) as the engine of a cluster. No other file knows its API."""

import atexit
import logging
import os
import re
import socket
import sys
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from secrets import token_hex
from typing import Any

import breakout_a3c
from breakout_a3c.cluster.compatibility import MachineVersions, incompatibility, versions_here
from breakout_a3c.cluster.exchange import Difference, GlobalState
from breakout_a3c.cluster.group import Group, LinkBroken
from breakout_a3c.cluster.group_parameters import GroupStart
from breakout_a3c.cluster.head_calls import HeadCalls, Look
from breakout_a3c.cluster.machines import Machine
from breakout_a3c.cluster.options import LOCAL
from breakout_a3c.cluster.parameter_server import Answer, Collected, GroupNews, ParameterServer
from breakout_a3c.cluster.ray_folder import RayFolder
from breakout_a3c.command_line import ONE_THREAD
from breakout_a3c.errors import UserError
from breakout_a3c.extensions import extension_files, load_extensions
from breakout_a3c.processes.resources import usable_cores
from breakout_a3c.processes.start import remove_folder_for_sockets
from breakout_a3c.training.contexts import training_context
from breakout_a3c.training.needs import require_resources
from breakout_a3c.training.supervisor import ActorLearnersCannotRun

REACH_SECONDS = 10.0  # that a cluster's head may take to answer at all
ANSWER_SECONDS = 30.0  # after which a message is sent again
LOOK_SECONDS = 1.0  # that the driver waits for the machines at a time
HEAD_SECONDS = 15.0  # without an answer, until Ray's head is taken for lost; after 60 s Ray ends the program itself
HEAD_IS_LOST = (
    "Ray's head does not answer any more (gcs_server, where ray start --head was typed): the training was stopped. "
    "Start Ray again on all machines, and go on with --resume."
)
CLOSE_SECONDS = 5.0  # that Ray's head may take to end the groups
COLLECT_SECONDS = 1.0  # that the driver waits for the parameter server at a time
BEGIN_SECONDS = 60.0  # that the parameter server may take to start
VERSIONS_SECONDS = 60.0  # that the machines may take to tell their versions
MAX_QUESTIONS = 3  # to a machine that does not answer
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
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # or it would send them
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # or it would warn that this will change
    if address == LOCAL:
        return connect_to_local(game)
    require_answer(address)
    import ray

    try:
        ray.init(address=address, log_to_driver=False, logging_level=logging.CRITICAL)
    except Exception as error:  # its kinds are many, and not documented
        raise UserError(
            f"no Ray cluster can be used at {address} ({one_line(error)}): type ray start on this machine first, and "
            f"set the cluster's RAY_AUTH_MODE and RAY_AUTH_TOKEN in this shell, too; or give --cluster local."
        ) from error
    silence(ray)
    return RayCluster(ray, game)


def silence(ray: Any) -> None:
    """Keep Ray's paragraphs about nodes that die out of the console, which says what became of a machine."""
    with suppress(AttributeError):  # of a version that has it elsewhere
        ray._private.worker.print_to_stdstream = lambda *_, **__: None


def require_answer(address: str) -> None:
    """Raise a UserError where nothing listens at HOST:PORT: Ray itself would try for minutes."""
    host, colon, port = address.rpartition(":")
    if not colon:  # auto, or an address of another kind
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), REACH_SECONDS).close()
    except (OSError, ValueError, OverflowError) as error:
        raise UserError(
            f"nothing answers at {address} ({one_line(error)}): look at the address, and whether Ray runs there "
            f"(ray start --head --port=6379)."
        ) from error


def connect_to_local(game: str) -> "RayCluster":
    """Start Ray on this machine alone: all of it listens on loopback, and it leaves no files.

    Raises:
        UserError: If it does not start.
    """
    os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"  # Ray's switch for machines that are no part of a cluster
    os.environ |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": token_hex(32)}
    import ray

    folder = RayFolder()
    try:
        ray.init(
            address="local",
            num_cpus=usable_cores(),
            include_dashboard=False,
            object_store_memory=OBJECT_STORE_BYTES,
            log_to_driver=False,
            logging_level=logging.CRITICAL,
            _temp_dir=str(folder.path),
        )
    except Exception as error:  # its kinds are many, and not documented
        folder.remove()
        raise UserError(f"Ray does not start ({one_line(error)}): train without --cluster, or mend that.") from error
    silence(ray)
    return RayCluster(ray, game, folder)


def one_line(error: Exception) -> str:
    """Return the beginning of an error's text, without colours and line breaks."""
    return " ".join(re.sub(r"\x1b\[[0-9;]*m", "", str(error)).split())[:300]


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
        """Begin an exchange.

        Raises:
            LinkBroken: If nothing could be sent.
        """
        self._sent_at = time.monotonic()
        try:
            self._answer = self._server.exchange.remote(difference, news)
        except self._ray.exceptions.RayError as error:
            raise LinkBroken from error

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
        except self._ray.exceptions.RayTaskError:
            raise  # a fault of this program, which would come again
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
        import torch

        # Otherwise each child of this process would import Ray's own program, as a child imports its parent's.
        del sys.modules["__main__"].__file__
        os.environ |= dict.fromkeys(ONE_THREAD, "1")  # Ray sets as many as the group has cores
        torch.set_num_threads(1)
        try:
            load_extensions(start.extensions)
            require_resources(start.config, start.play_states.values())
            context = training_context(start.config)
        except UserError as error:
            return str(error)
        try:
            return Group(start, context, RayLink(ray, server)).run()
        finally:
            remove_folder_for_sockets()


class RayCluster:
    """A Ray cluster that this process drives.

    Args:
        ray: The module, connected.
        game: That the machines are to play.
        folder: Of Ray's files, which goes with it; None where others use it, too.
    """

    def __init__(self, ray: Any, game: str, folder: RayFolder | None = None) -> None:
        self._ray = ray
        self._game = game
        self._folder = folder
        self._here = versions_here(game, extension_files())
        self._server: Any = None
        self._groups: dict[Any, tuple[str, Any]] = {}  # by the promise of their end: name and actor
        self._ended: dict[str, str] = {}  # by an error of this process
        self._questions: dict[str, Any] = {}  # promises of versions, by the machine's id
        self._asked: Counter[str] = Counter()
        self._incompatibilities: dict[str, str] = {}
        self._collecting: Any = None  # the promise of what the parameter server has
        self._head = HeadCalls()
        self._look = Look(self._head, self._machines_now)

    def machines(self, seconds: float = LOOK_SECONDS) -> list[Machine]:
        """Return the machines that are there, this one first; none while that cannot be told.

        Args:
            seconds: That are waited for an answer.

        Raises:
            ActorLearnersCannotRun: If the cluster's head has not answered for a while.
        """
        try:
            waited = self._look.look(seconds)
        except self._ray.exceptions.RayError:
            return []
        if waited >= HEAD_SECONDS:
            raise ActorLearnersCannotRun(HEAD_IS_LOST)
        machines: list[Machine] = [] if waited else self._look.seen
        return machines

    def _machines_now(self) -> list[Machine]:
        here = self._ray.get_runtime_context().get_node_id()
        nodes = [node for node in self._ray.nodes() if node["Alive"] and node["Resources"].get("CPU", 0) >= 1]
        nodes.sort(key=lambda node: (node["NodeID"] != here, node["NodeManagerAddress"], node["NodeID"]))
        names = [unique_name(node, nodes) for node in nodes]
        return [
            Machine(node["NodeID"], name, int(node["Resources"]["CPU"]))
            for node, name in zip(nodes, names, strict=True)
        ]

    def require_compatible(self, count: int | None = None) -> None:
        """Wait until the first ``count`` machines have told their versions; all of them unless told otherwise.

        Raises:
            UserError: If one of them cannot train with this one.
        """
        deadline = time.monotonic() + VERSIONS_SECONDS
        waiting = self.machines(HEAD_SECONDS)[:count]
        while waiting and time.monotonic() < deadline:
            answers = {machine: self.incompatibility(machine) for machine in waiting}
            for sentence in filter(None, answers.values()):
                raise UserError(sentence)
            waiting = [machine for machine, answer in answers.items() if answer is None]
            time.sleep(0.05)

    def incompatibility(self, machine: Machine) -> str | None:
        """Return why a machine cannot train, as a sentence; empty if it can, None until that is known."""
        if machine.id in self._incompatibilities:
            return self._incompatibilities[machine.id]
        try:
            if machine.id not in self._questions:
                self._asked[machine.id] += 1
                self._questions[machine.id] = self._ask(machine)
            if not self._ray.wait([self._questions[machine.id]], timeout=0)[0]:
                return None
            answer: MachineVersions | str = self._ray.get(self._questions.pop(machine.id))
        except self._ray.exceptions.RayError as error:
            self._questions.pop(machine.id, None)
            if self._asked[machine.id] < MAX_QUESTIONS:
                return None
            found = f"{machine.name} does not tell its versions ({one_line(error)}): look at it."
        else:
            here = Path(breakout_a3c.__file__).parents[1]
            found = (
                f"{machine.name} cannot import breakout_a3c ({answer}): install it there with pip, or clone it "
                f"into the folder that it has here, {here}."
                if isinstance(answer, str)
                else incompatibility(machine.name, answer, self._here)
            )
        self._incompatibilities[machine.id] = found
        return found

    def _ask(self, machine: Machine) -> Any:
        """Return the promise of a machine's versions."""

        def ask(game: str, extensions: tuple[str, ...]) -> object:  # names no module, as there may be none
            try:
                from breakout_a3c.cluster.compatibility import versions_here
            except ImportError as error:
                return f"{error}"
            return versions_here(game, extensions)

        return self._on(machine.id, ask).remote(self._game, extension_files())

    def _on(self, node: str, code: Any, *, cores: int = 0, **options: Any) -> Any:
        """Return a function or class that runs on one machine alone, once so many cores are free there."""
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        strategy = NodeAffinitySchedulingStrategy(node, soft=False)
        return self._ray.remote(code).options(num_cpus=cores, scheduling_strategy=strategy, **options)

    def begin(self, state: GlobalState) -> None:
        """Start the parameter server, on this machine; Ray starts it again when it dies.

        Raises:
            ActorLearnersCannotRun: If it does not start.
        """
        try:
            here = self._ray.get_runtime_context().get_node_id()
            self._server = self._on(here, ParameterServer, max_restarts=-1).remote()
            self._ray.get(self._server.begin.remote(state), timeout=BEGIN_SECONDS)
        except self._ray.exceptions.RayError as error:
            raise ActorLearnersCannotRun(f"The parameter server does not start ({one_line(error)}).") from error

    def collect(self, stopped: bool) -> Collected | None:
        """Return what the parameter server has; None while it cannot be reached."""
        if self._server is None:
            return None
        try:
            if self._collecting is None:
                self._collecting = self._server.collect.remote(stopped)
            if not self._ray.wait([self._collecting], timeout=COLLECT_SECONDS)[0]:
                return None  # it is looked for the next time
            promise, self._collecting = self._collecting, None
            collected: Collected = self._ray.get(promise)
        except self._ray.exceptions.RayError:
            return None
        return collected

    def offer(self, state: GlobalState) -> None:
        """Offer a state to a parameter server that holds none."""
        with suppress(self._ray.exceptions.RayError):
            self._server.offer.remote(state)

    def start_group(self, machine: Machine, start: GroupStart) -> None:
        """Start a group, as soon as the cores of its actor-learners are free."""
        learners = start.config.learners
        cores = machine.cores if learners.algorithm == "a2c" else min(learners.count, machine.cores)
        try:
            actor = self._on(machine.id, GroupProcess, cores=cores).remote()
            self._groups[actor.run.remote(start, self._server)] = (start.group, actor)
        except self._ray.exceptions.RayError as error:
            self._ended[start.group] = f"no group can be started there ({one_line(error)})"

    def ended(self, timeout: float) -> dict[str, str]:
        """Wait up to ``timeout`` seconds for groups that end; return what kept each from training, or an empty text."""
        found, self._ended = self._ended, {}
        try:
            promises = self._ray.wait(list(self._groups), timeout=timeout)[0] if self._groups else []
        except self._ray.exceptions.RayError:
            promises = []
        if not promises:
            time.sleep(0 if self._groups or found else timeout)
        for promise in promises:
            name, actor = self._groups.pop(promise)
            try:
                found[name] = self._ray.get(promise)
            except self._ray.exceptions.RayTaskError as error:
                found[name] = str(error)
            except self._ray.exceptions.RayError:
                found[name] = "it was lost"
            self._kill(actor)
        return found

    def drop(self, group: str) -> None:
        """End a group at once."""
        for promise, (name, actor) in list(self._groups.items()):
            if name == group:
                del self._groups[promise]
                self._kill(actor)

    def _kill(self, actor: Any) -> None:
        self._head.begin(lambda: self._ray.kill(actor))

    def close(self) -> None:
        """End what is left, and leave the cluster."""
        for _, actor in self._groups.values():
            self._kill(actor)
        self._groups.clear()
        if self._head.done_within(CLOSE_SECONDS):
            with suppress(Exception):  # whatever state a cluster is in, the training is saved
                self._ray.shutdown()
        else:
            atexit.register(end_without_ray)
        if self._folder:
            self._folder.remove()


def end_without_ray() -> None:
    """End this program at once: in its own end Ray waits for its head, or crashes where its head is gone."""
    remove_folder_for_sockets()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(1)


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
