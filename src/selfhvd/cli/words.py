"""What the command line says: results on stdout, everything else on stderr, for people or as JSON lines."""

import codecs
import io
import json
import logging
import sys
import traceback
from itertools import pairwise
from typing import Annotated

from cyclopts import Parameter

from selfhvd.cli.progress import Style

Quiet = Annotated[bool, Parameter(name=["--quiet", "-q"], negative="")]
Verbose = Annotated[bool, Parameter(name=["--verbose", "-v"], negative="")]
Flag = Annotated[bool, Parameter(negative="")]
AsJson = Annotated[bool, Parameter(name="--json", negative="")]
ShownProgress = Annotated[Style, Parameter(name="--progress")]


def out(text: str) -> None:
    """A line of the result."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def say(text: str, quiet: bool = False, style: Style = "auto", level: str = "info") -> None:
    """A line beside the result; `{"message", "level"}` where progress is JSON."""
    if not quiet:
        said = f"warning: {text}" if level == "warning" else text
        sys.stderr.write((json.dumps({"message": text, "level": level}) if style == "json" else said) + "\n")


def fail(sentence: str, exit_code: int, words: list[str]) -> None:
    """Why nothing more comes; `{"error", "exit_code"}` where the command's words ask for JSON."""
    if is_verbose(words) and sys.exc_info()[0] not in (None, KeyboardInterrupt):
        traceback.print_exc()
    as_json = json.dumps({"error": sentence, "exit_code": exit_code})
    sys.stderr.write((as_json if speaks_json(words) else f"selfhvd: {sentence}") + "\n")


def is_verbose(words: list[str]) -> bool:
    """Whether the words of a command ask to say more."""
    return "-v" in words or "--verbose" in words


def is_quiet(words: list[str]) -> bool:
    """Whether the words of a command ask to say nothing but errors."""
    return "-q" in words or "--quiet" in words


def speaks_json(words: list[str]) -> bool:
    """Whether the words of a command ask for `--progress json`."""
    return "--progress=json" in words or ("--progress", "json") in pairwise(words)


def set_up_names() -> None:
    """Let file names that are no text be printed: on stdout as the bytes they are, so that they can be used further."""
    codecs.register_error("names", _as_they_are)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="names")


def _as_they_are(error: UnicodeError) -> tuple[str | bytes, int]:
    """The bytes of a name that is no text; characters that the terminal lacks are escaped."""
    try:
        return codecs.lookup_error("surrogateescape")(error)
    except UnicodeError:
        return codecs.lookup_error("backslashreplace")(error)


def set_up_logging(words: list[str]) -> None:
    """Warnings on stderr, more with -v, errors only with -q."""
    level = logging.INFO if is_verbose(words) else logging.ERROR if is_quiet(words) else logging.WARNING
    logging.basicConfig(level=level, format="%(message)s")
    for handler in logging.getLogger().handlers:
        if type(handler) is logging.StreamHandler:
            handler.setFormatter(_JsonLines() if speaks_json(words) else logging.Formatter("%(message)s"))
    # Which flow `auto` came to, and why, which stretch a preview shows, and what a training takes, is said always.
    for name in ("selfhvd.weights.choose_flow", "selfhvd.run.preview", "selfhvd.training.disk_space"):
        logging.getLogger(name).setLevel(logging.ERROR if is_quiet(words) else logging.INFO)


class _JsonLines(logging.Formatter):
    """A record as `{"message", "level"}`."""

    def format(self, record: logging.LogRecord) -> str:
        """One line."""
        return json.dumps({"message": record.getMessage(), "level": record.levelname.lower()})


def in_words(verdict: str, ratio: float) -> str:
    """What a clip was found to be."""
    if verdict == "all-sharp":
        return "No frame is blurred by more than about a pixel."
    if verdict == "none-sharp":
        return "No frame is sharp: detail comes from the general model, not from this clip."
    return f"{ratio:.0%} of the frames are sharp."
