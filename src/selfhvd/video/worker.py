"""The child process: `python -m selfhvd.video.worker REQUEST`, REQUEST being one JSON object.

It imports no torch, writes JSON lines to standard output, and ends with code 0 or 3.
"""

import json
import os
import signal
import sys
import traceback
from pathlib import Path
from typing import Any

from selfhvd.errors import InputError, OutputError
from selfhvd.video.limits import Limits
from selfhvd.video.reporting import report


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
        from selfhvd.video.decode import decode_container
        from selfhvd.video.images import decode_images

        source = Path(request["source"])
        decode = decode_images if source.is_dir() else decode_container
        decode(source, Path(request["folder"]), Limits(**request["limits"]), report).save()
    elif request["task"] == "encode":
        from selfhvd.video.encode import encode

        encode(request, sys.stdin.buffer, report)
    elif request["task"] == "probe":
        from selfhvd.video.probe import tell

        tell(Path(request["source"]), Limits(), report)
    else:
        from selfhvd.video.verify import verify

        verify(request, report)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
