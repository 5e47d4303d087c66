"""How a process ended, in words: a signal by its name, and a want of memory as what it is."""

import signal

from breakout_a3c.processes.resources import oom_kills


class Ends:
    """Describes how processes ended that start after this is made."""

    def __init__(self) -> None:
        self._oom_kills = oom_kills()

    def describe(self, exit_code: int | None, mend: str) -> str:
        """Return how a process ended, as what follows its name.

        Args:
            exit_code: As multiprocessing has it: minus the signal's number where one ended it; None: it goes on.
            mend: What the user can do for more memory, as an instruction.
        """
        if exit_code is None:
            return "has closed its pipe"
        if exit_code >= 0:
            return f"ended with exit code {exit_code}"
        if exit_code != -signal.SIGKILL:
            return f"was killed ({signal_name(-exit_code)})"
        before, self._oom_kills = self._oom_kills, oom_kills()
        sure = "" if self._oom_kills > before else "perhaps "
        return f"was killed (SIGKILL), {sure}by the kernel for want of memory: {mend}"


def signal_name(number: int) -> str:
    """Return a signal's name, or its number where it has none, as a real-time one."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
