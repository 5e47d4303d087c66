"""Records games as a video or a GIF, streamed into ffmpeg: memory does not grow with their length."""

import itertools
import math
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import imageio_ffmpeg

from breakout_a3c.errors import UserError
from breakout_a3c.interrupts import interrupts_delayed
from breakout_a3c.playing.controls import Controls
from breakout_a3c.playing.scene import PICTURE_HEIGHT, Picture, Scene, draw_scene, draw_screen

Writer = Generator[None, Picture | None, None]


@dataclass(frozen=True, slots=True)
class Format:
    """The encoding of a recording."""

    max_height: int  # of a picture, in pixels
    max_frames_per_second: int
    codec: str
    pixel_format: str
    output_options: tuple[str, ...]


FORMATS = {
    ".mp4": Format(
        max_height=PICTURE_HEIGHT,
        max_frames_per_second=60,
        codec="libx264",
        pixel_format="yuv420p",  # browsers and phones play it
        output_options=("-crf", "20", "-preset", "veryfast", "-movflags", "+faststart"),
    ),
    # One palette for the whole file: with a palette of its own, each picture would be stored whole. ffmpeg makes
    # it from the first five seconds, because it keeps in memory all pictures that the palette is made from.
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
    """Raise a UserError unless ffmpeg runs, and a recording can be written to ``path``."""
    if path.suffix.lower() not in FORMATS:
        raise UserError(f"{path} ends in neither .mp4 nor .gif: give the recording such a name.")
    if path.is_dir():
        raise UserError(f"{path} is a folder: give the recording another name.")
    check_ffmpeg()
    try:
        tempfile.TemporaryFile(dir=path.parent).close()
    except OSError as error:
        raise UserError(
            f"the folder {path.parent} cannot be written ({error.strerror}): record to another one."
        ) from error


def check_ffmpeg() -> None:
    """Raise a UserError unless there is an ffmpeg that runs."""
    given = os.environ.get("IMAGEIO_FFMPEG_EXE")
    try:
        imageio_ffmpeg.get_ffmpeg_version()
    except (OSError, RuntimeError, subprocess.SubprocessError) as error:
        if given:
            raise UserError(
                f"IMAGEIO_FFMPEG_EXE is {given}, which does not run ({reason_of(error)}): give it the path of an "
                f"ffmpeg, or unset it."
            ) from error
        raise UserError(
            f"there is no ffmpeg that runs ({reason_of(error)}): {sys.executable} -m pip install --force-reinstall "
            f"imageio-ffmpeg brings one, or set IMAGEIO_FFMPEG_EXE to the path of another."
        ) from error


def reason_of(error: Exception) -> str:
    """Return the first line of an error's message."""
    return next(iter(str(error).splitlines()), type(error).__name__).rstrip(".")


def record(scenes: Iterable[Scene], path: Path, frames_per_second: int, with_panel: bool = True) -> float:
    """Write ``scenes`` to ``path``, which is complete or absent.

    Args:
        scenes: One a frame of the game.
        path: Ends in ``.mp4`` or ``.gif``.
        frames_per_second: The game's own speed.
        with_panel: Draw the panel beside the screen.

    Returns:
        The length in seconds.

    Raises:
        UserError: If ``path`` cannot be written.
    """
    recorder = Recorder(path, frames_per_second, with_panel)
    try:
        for scene in scenes:
            recorder.add(scene)
        return recorder.finish()
    finally:
        recorder.discard()


class Recorder:
    """A recording that grows scene by scene; ``finish`` gives the file its name.

    Args:
        path: Ends in ``.mp4`` or ``.gif``.
        frames_per_second: The game's own speed.
        with_panel: Draw the panel beside the screen.

    Raises:
        UserError: If ``path`` cannot be written; ``add`` and ``finish`` raise it, too.
    """

    def __init__(self, path: Path, frames_per_second: int, with_panel: bool = True) -> None:
        check_target(path)
        self.path = path
        self._target = FORMATS[path.suffix.lower()]
        self._draw = draw_scene if with_panel else draw_screen
        self._stride = math.ceil(frames_per_second / self._target.max_frames_per_second)
        self._frames_per_second = frames_per_second / self._stride
        # Absolute: ffmpeg would read the a: of a:b.mp4 as a protocol.
        self._temporary = path.absolute().with_name(f".{path.stem}.{os.getpid()}{path.suffix}")
        self._writer: Writer | None = None
        self._scenes = self._pictures = 0

    def add(self, scene: Scene) -> None:
        """Write one scene, unless the format takes fewer pictures a second."""
        if self._scenes % self._stride == 0:
            picture = self._draw(scene, self._target.max_height)
            with interrupts_delayed(), recording_errors(self.path):  # else it would destroy the whole recording
                if self._writer is None:
                    self._writer = open_writer(picture, self._temporary, self._target, self._frames_per_second)
                self._writer.send(picture)
                self._pictures += 1
        self._scenes += 1

    def finish(self) -> float:
        """Close the file and give it its name; return its length in seconds."""
        with interrupts_delayed(), recording_errors(self.path):
            if self._writer is not None:
                self._writer.close()
            if imageio_ffmpeg.count_frames_and_secs(str(self._temporary))[0] != self._pictures:
                raise OSError("ffmpeg did not write all of it")
            self._temporary.replace(self.path)
        return self._pictures / self._frames_per_second

    def discard(self) -> None:
        """Remove the file of a recording that is not finished."""
        if self._writer is not None:
            with suppress(OSError):
                self._writer.close()
        self._temporary.unlink(missing_ok=True)


class RecordingOnDemand:
    """Records scenes while the viewer wants it; the show goes on after an error. A context manager.

    Files go to the current folder.

    Args:
        controls: Tell whether to record.
    """

    def __init__(self, controls: Controls) -> None:
        self._controls = controls
        self._recorder: Recorder | None = None
        self.finished: list[Path] = []
        self.errors: list[UserError] = []
        self._notice = ""

    def __enter__(self) -> "RecordingOnDemand":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.finish()

    def watch(self, scenes: Iterable[Scene], frames_per_second: int) -> Iterator[Scene]:
        """Yield ``scenes``; record them at the game's own speed, even if they are shown at another."""
        for scene in scenes:
            if self._controls.recording:
                self._record(scene, frames_per_second)
            else:
                self.finish()
            yield scene

    def notice(self) -> str:
        """Return the state of the recording in a few words; empty if there was none."""
        return "recording" if self._controls.recording else self._notice

    def finish(self) -> None:
        """Close the file that is being written, if there is one."""
        if self._recorder is not None:
            with self._errors_kept():
                self._recorder.finish()
                self.finished.append(self._recorder.path)
                self._notice = f"recorded {self._recorder.path}"
            self._recorder = None

    def _record(self, scene: Scene, frames_per_second: int) -> None:
        with self._errors_kept():
            if self._recorder is None:
                self._recorder = Recorder(unused_path(scene.title), frames_per_second)
            self._recorder.add(scene)

    @contextmanager
    def _errors_kept(self) -> Iterator[None]:
        """Keep the error of a recording that fails, and remove its file."""
        try:
            yield
        except UserError as error:
            self.errors.append(error)
            self._controls.recording, self._notice = False, "the recording failed"
            if self._recorder is not None:
                self._recorder.discard()
                self._recorder = None


def unused_path(title: str) -> Path:
    """Return a path for a recording that starts now; no file has it."""
    stem = f"{title.replace(' ', '_')}-{time.strftime('%Y%m%d-%H%M%S')}"
    names = itertools.chain((stem,), (f"{stem}-{number}" for number in itertools.count(2)))
    return next(path for name in names if not (path := Path(f"{name}.mp4")).exists())


@contextmanager
def recording_errors(path: Path) -> Iterator[None]:
    """Turn an error of the disk or of ffmpeg into one sentence."""
    try:
        yield
    except (OSError, RuntimeError) as error:  # imageio_ffmpeg raises RuntimeError for an incomplete file
        codec = FORMATS[path.suffix.lower()].codec
        raise UserError(
            f"{path} could not be written ({reason_of(error)}): is the disk full, or has ffmpeg no {codec}?"
        ) from error


def open_writer(picture: Picture, path: Path, target: Format, frames_per_second: float) -> Writer:
    """Start ffmpeg for pictures of the size of ``picture``; the writer takes them by ``send``."""
    height, width, _ = picture.shape
    writer: Writer = imageio_ffmpeg.write_frames(
        str(path),
        (width, height),
        fps=frames_per_second,
        codec=target.codec,
        pix_fmt_out=target.pixel_format,
        quality=None,  # it would set another -crf
        macro_block_size=2,  # yuv420p needs it; the default would enlarge the picture
        ffmpeg_log_level="error",
        output_params=list(target.output_options),
    )
    writer.send(None)
    return writer
