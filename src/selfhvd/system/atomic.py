"""Write a file whole or not at all."""

import os
from contextlib import suppress
from pathlib import Path

from selfhvd.errors import OutputError
from selfhvd.video.destination import part_path


def write_aside(path: Path, data: bytes) -> None:
    """Write `data` beside `path` under another name, then rename: no reader sees half a file."""
    aside = part_path(path)
    try:
        aside.write_bytes(data)
        os.replace(aside, path)
    except OSError as error:
        reason = error.strerror or str(error)
        raise OutputError(f"{path} cannot be written ({reason}); choose another place or make room.") from error
    finally:
        with suppress(OSError):
            aside.unlink(missing_ok=True)
