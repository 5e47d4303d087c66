import select
import threading
from multiprocessing import Pipe

import pytest

from breakout_a3c.processes.pipes import Inbox, parts_of, send_in_parts

LARGE = bytes(range(256)) * 4_000  # a megabyte, where a pipe takes 64 KiB


def test_a_part_is_written_at_once_or_not_at_all() -> None:
    length_field = 4
    assert len(parts_of(LARGE)) > 1
    assert max(map(len, parts_of(LARGE))) + length_field <= select.PIPE_BUF


@pytest.mark.parametrize("duplex", [False, True])
def test_messages_of_any_size_arrive_in_order(duplex: bool) -> None:
    reader, writer = Pipe(duplex)
    messages = [b"", "small", LARGE, {"two": 2}]

    def send() -> None:
        for message in messages:
            send_in_parts(writer, message)
        writer.close()

    sender = threading.Thread(target=send)
    sender.start()
    inbox, received = Inbox(reader), []
    with pytest.raises(EOFError):  # noqa: PT012
        while True:
            reader.poll(60)
            if (message := inbox.receive()) is not None:
                received.append(message)
    sender.join()
    assert received == messages


def test_nobody_waits_for_a_writer_that_has_stopped_in_the_middle() -> None:
    reader, writer = Pipe(duplex=False)
    inbox = Inbox(reader)
    first, *others = parts_of(LARGE[:10_000])
    assert inbox.receive() is None
    writer.send_bytes(first)
    assert inbox.receive() is None
    for part in others:
        writer.send_bytes(part)
    assert inbox.receive() == LARGE[:10_000]


def test_what_a_killed_writer_had_begun_is_no_message() -> None:
    reader, writer = Pipe(duplex=False)
    send_in_parts(writer, "whole")
    writer.send_bytes(parts_of(LARGE)[0])
    writer.close()
    inbox = Inbox(reader)
    assert inbox.receive() == "whole"
    with pytest.raises(EOFError):
        inbox.receive()
