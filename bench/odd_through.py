"""Read a clip and write it again with nothing restored, with the words and exit codes of the command line.

python bench/odd_through.py SOURCE RESULT
"""

import json
import sys
import tempfile
from pathlib import Path

from selfhvd.errors import SelfHVDError
from selfhvd.video import check_destination, check_source, ingest, open_writer


def main(source: Path, result: Path) -> int:
    say = lambda **fields: print(json.dumps(fields), file=sys.stderr, flush=True)  # noqa: E731
    try:
        check_source(source)
        check_destination(source, result)
        with tempfile.TemporaryDirectory() as work:
            footage = ingest(source, Path(work), on_frame=lambda done, total: say(stage="read", done=done))
            with open_writer(footage, result) as writer:
                for index in range(len(footage)):
                    writer.write(footage.frame(index))
                    say(stage="write", done=index)
        for warning in (*footage.warnings, *writer.warnings):
            say(message=warning, level="warning")
    except SelfHVDError as error:
        say(error=str(error), exit_code=error.exit_code)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
