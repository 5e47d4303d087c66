"""How a process ended, in words."""

import pytest

from breakout_a3c.processes import ends
from breakout_a3c.processes.ends import Ends


@pytest.mark.parametrize(
    ("exit_code", "words"),
    [
        (3, "ended with exit code 3"),
        (None, "has closed its pipe"),
        (-11, "was killed (SIGSEGV)"),
        (-7, "was killed (SIGBUS)"),
        (-40, "was killed (signal 40)"),
        (-9, "was killed (SIGKILL), perhaps by the kernel for want of memory: close a window"),
    ],
)
def test_an_end_has_a_name(exit_code: int | None, words: str) -> None:
    assert Ends().describe(exit_code, "close a window") == words


def test_it_is_sure_where_the_kernel_has_counted_one_more(monkeypatch: pytest.MonkeyPatch) -> None:
    counts = iter([4, 5, 5])
    monkeypatch.setattr(ends, "oom_kills", lambda: next(counts))
    killed = Ends()
    assert killed.describe(-9, "x") == "was killed (SIGKILL), by the kernel for want of memory: x"
    assert "perhaps" in killed.describe(-9, "x"), "that one was counted before"
