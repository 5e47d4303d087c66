"""Messages of any size through a pipe, such that a reader never waits.

A pipe takes 4,096 bytes at once or not at all, and a larger message piece by piece. The reader of a larger one waits
while its writer is stopped between two pieces. So a message is sent in parts that are small enough, and is complete
with its last part.
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
        OSError: If the reader has closed the pipe.
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
        """Read what has arrived, without waiting; return the message that is complete now, or None.

        Raises:
            EOFError: If the writer is gone, and all that it had sent was read.
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
