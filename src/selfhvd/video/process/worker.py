"""The child process: `python -m selfhvd.video.process.worker REQUEST`, REQUEST being one JSON object.

It imports no torch, writes JSON lines to standard output, and ends with code 0 or 3.
"""

import json
import os
import signal
import sys
import traceback
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from selfhvd.errors import InputError, OutputError
from selfhvd.video.limits import Limits
from selfhvd.video.process.protocol import report

if TYPE_CHECKING:
    from selfhvd.video.footage import Footage


def main(text: str) -> int:
    """Run one request."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        _run(json.loads(text))
    except InputError as error:
        report(error="input", message=str(error))
    except OutputError as error:
        report(error="output", message=str(error))
    except BrokenPipeError:
        os._exit(3)
    except Exception:
        traceback.print_exc()
        return 3
    return 0


def _run(request: dict[str, Any]) -> None:
    """Hand the request to its module; each is imported only when asked for."""
    if request["task"] == "decode":
        footage = _decode(request)
        if request["destination"] is not None and footage.kind == "container":
            from selfhvd.video.write.rehearsal import rehearse

            rehearse(footage, Path(request["destination"]), report)
        footage.save()
    elif request["task"] == "encode":
        from selfhvd.video.write.encode import encode

        encode(_footage(request), request, sys.stdin.buffer, report)
    elif request["task"] == "foretell":
        from selfhvd.video.write.rehearsal import foretell

        foretell(Path(request["source"]), Path(request["destination"]), report, strip_location=request["strip"])
    elif request["task"] == "probe":
        from selfhvd.video.probe import tell

        tell(Path(request["source"]), Limits(), report)
    else:
        from selfhvd.video.write.verify import verify

        verify(_footage(request), request, report)


def _footage(request: dict[str, Any]) -> "Footage":
    """The cache that a request is about."""
    from selfhvd.video.footage import Footage

    return Footage.load(Path(request["folder"]))


def _decode(request: dict[str, Any]) -> "Footage":
    """Lay out a folder of images, an animation or a video."""
    from selfhvd.video.part import part_of
    from selfhvd.video.read.animation import decode_webp
    from selfhvd.video.read.decode import decode_container
    from selfhvd.video.read.images import RATE, decode_images
    from selfhvd.video.read.stills import is_animated_webp

    source, folder, limits = Path(request["source"]), Path(request["folder"]), Limits(**request["limits"])
    part = part_of(*request["part"]) if "part" in request else None
    if source.is_dir():
        return decode_images(source, folder, limits, report, Fraction(request.get("rate", RATE)), part)
    decode = decode_webp if is_animated_webp(source) else decode_container
    return decode(source, folder, limits, report, part)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
