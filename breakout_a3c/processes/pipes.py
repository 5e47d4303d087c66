"""Messages of any size through a pipe from which no read waits.

A pipe takes 4,096 bytes at once or not at all, and a larger message piece by piece: whoever reads one waits for
as long as its writer is stopped between two pieces. So a message is sent in parts that are small enough, and is
there with its last part.
"""

import pickle
from multiprocessing.connection import Connection

PART_BYTES = 4_000  # with what multiprocessing adds, fewer than 4,096
MORE, LAST = b"\0", b"\1"


def parts_of(message: object) -> list[bytes]:
    """Return the parts of a message, as they go through a pipe."""
    content = pickle.dumps(message)
    starts = range(0, len(content), PART_BYTES)
    return [(LAST if start == starts[-1] else MORE) + content[start : start + PART_BYTES] for start in starts]


def send_in_parts(pipe: Connection, message: object) -> None:
    """Send a message for an Inbox; waits while the pipe is full.

    Raises:
        OSError: If nobody reads it any more.
    """
    for part in parts_of(message):
        pipe.send_bytes(part)


class Inbox:
    """The read end of a pipe whose writer calls ``send_in_parts``.

    Args:
        pipe: To read from.
    """

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe
        self._content = bytearray()

    def receive(self) -> object | None:
        """Take what has come, without waiting; return the message that is whole now, or None.

        Raises:
            EOFError: If the writer is gone, and all that it had sent is taken.
            OSError: If the pipe is broken.
        """
        while self._pipe.poll():
            part = self._pipe.recv_bytes()
            self._content += part[1:]
            if part[:1] == LAST:
                content, self._content = self._content, bytearray()
                message: object = pickle.loads(content)
                return message
        return None
