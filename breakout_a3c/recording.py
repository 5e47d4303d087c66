"""Games as a video or an animated picture, streamed into ffmpeg: memory does not grow with them."""

import itertools
import math
import os
import tempfile
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import imageio_ffmpeg

from breakout_a3c.drawing import PICTURE_HEIGHT, Picture, Scene, draw
from breakout_a3c.errors import UserError

Writer = Generator[None, Picture | None, None]


@dataclass(frozen=True, slots=True)
class Format:
    """How pictures become a file."""

    max_height: int  # of a picture
    max_frames_per_second: int
    codec: str
    pixel_format: str
    output_options: tuple[str, ...]


FORMATS = {
    ".mp4": Format(
        max_height=PICTURE_HEIGHT,
        max_frames_per_second=60,
        codec="libx264",
        pixel_format="yuv420p",  # what browsers and phones play
        output_options=("-crf", "20", "-preset", "veryfast", "-movflags", "+faststart"),
    ),
    # One palette for the whole file, or each picture would be stored whole; ffmpeg makes it from the
    # first five seconds, as it keeps in memory what the palette is made from.
    ".gif": Format(
        max_height=PICTURE_HEIGHT // 2,
        max_frames_per_second=20,
        codec="gif",
        pixel_format="pal8",
        output_options=(
            "-filter_complex",
            "split[a][b];[a]trim=end=5,palettegen[p];[b][p]paletteuse=dither=none",
            "-loop",
            "0",
        ),
    ),
}


def check_target(path: Path) -> None:
    """Raise a UserError unless a recording can be written to ``path``."""
    if path.suffix.lower() not in FORMATS:
        raise UserError(f"{path} ends in neither .mp4 nor .gif: give the recording such a name.")
    if path.is_dir():
        raise UserError(f"{path} is a folder: give the recording another name.")
    try:
        tempfile.TemporaryFile(dir=path.parent).close()
    except OSError as error:
        raise UserError(
            f"the folder {path.parent} cannot be written ({error.strerror}): record to another one."
        ) from error


def record(scenes: Iterable[Scene], path: Path, frames_per_second: int) -> float:
    """Write ``scenes`` to ``path``, which is complete or absent.

    Args:
        scenes: One a frame of the game.
        path: Ends in ``.mp4`` or ``.gif``.
        frames_per_second: The game's own speed.

    Returns:
        How many seconds it lasts.

    Raises:
        UserError: If it cannot be written.
    """
    check_target(path)
    target = FORMATS[path.suffix.lower()]
    stride = math.ceil(frames_per_second / target.max_frames_per_second)
    pictures = (draw(scene, target.max_height) for scene in itertools.islice(scenes, 0, None, stride))
    # Absolute: in a:b.mp4, ffmpeg would take a: for a protocol.
    temporary = path.absolute().with_name(f".{path.stem}.{os.getpid()}{path.suffix}")
    try:
        count = write_pictures(pictures, temporary, target, frames_per_second / stride)
        if imageio_ffmpeg.count_frames_and_secs(str(temporary))[0] != count:
            raise OSError("ffmpeg did not write all of it")
        temporary.replace(path)
    except OSError as error:
        reason = str(error).splitlines()[0]
        raise UserError(f"{path} could not be written ({reason}): is the disk full?") from error
    finally:
        temporary.unlink(missing_ok=True)
    return count * stride / frames_per_second


def write_pictures(pictures: Iterator[Picture], path: Path, target: Format, frames_per_second: float) -> int:
    """Stream ``pictures`` into ffmpeg and return how many they were."""
    first = next(pictures)
    count = 0
    with closing(open_writer(first, path, target, frames_per_second)) as writer:
        for picture in itertools.chain((first,), pictures):
            writer.send(picture)
            count += 1
    return count


def open_writer(picture: Picture, path: Path, target: Format, frames_per_second: float) -> Writer:
    """Start ffmpeg for pictures of the size of ``picture``."""
    height, width, _ = picture.shape
    writer: Writer = imageio_ffmpeg.write_frames(
        str(path),
        (width, height),
        fps=frames_per_second,
        codec=target.codec,
        pix_fmt_out=target.pixel_format,
        quality=None,  # it would set another -crf
        macro_block_size=2,  # what yuv420p needs; the default would enlarge the picture
        ffmpeg_log_level="error",
        output_params=list(target.output_options),
    )
    writer.send(None)
    return writer
