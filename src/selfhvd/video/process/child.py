"""A child process, seen from its parent: start it, follow its lines, end it whatever happens.

Decoders and encoders are C code fed with other people's files. They run in a process of their own, so
that a crash or a hang there becomes one sentence here.
"""

import contextlib
import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any, cast

from selfhvd.errors import InputError, OutputError, SelfHVDError

_ERRORS: dict[str, type[SelfHVDError]] = {"input": InputError, "output": OutputError}


class Child:
    """One run of `selfhvd.video.process.worker`; `crash` is the sentence for a death without a reason."""

    def __init__(
        self, request: dict[str, Any], *, crash: type[SelfHVDError], subject: Path, stall: float | int
    ) -> None:
        self.crash, self.subject, self.stall = crash, subject, stall
        self.progress = 0
        self.warnings: list[str] = []
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `end`
        self._lines: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        home = str(Path(__file__).resolve().parents[3])  # where the package lies
        paths = [home, *filter(None, [os.environ.get("PYTHONPATH")])]
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-m", "selfhvd.video.process.worker", json.dumps(request)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
            start_new_session=True,  # Ctrl-C reaches the parent only, which then ends the child in order
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        """Move the child's lines to the queue; None marks the end."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            try:
                self._lines.put(json.loads(line))
            except ValueError:
                continue
        self._lines.put(None)

    def next(self, *, wait: bool = True) -> dict[str, Any] | None:
        """The child's next line, None when it has ended well (or, without `wait`, when there is none yet)."""
        try:
            line = self._lines.get(timeout=self.stall) if wait else self._lines.get_nowait()
        except queue.Empty:
            if not wait:
                return None
            self.end()
            raise self.crash(self._sentence(f"gave no sign of life for {self.stall:.0f} s")) from None
        if line is None:
            self._finish()
            self._lines.put(None)
            return None
        if "error" in line:
            self.end()
            raise _ERRORS.get(line["error"], self.crash)(cast(str, line["message"]))
        if "warning" in line:
            self.warnings.append(line["warning"])
        self.progress = line.get("frame", self.progress)
        return line

    def follow(self) -> dict[str, Any]:
        """Read to the end; the last line."""
        last: dict[str, Any] = {}
        while (line := self.next()) is not None:
            last = line
        return last

    def send(self, data: memoryview) -> None:
        """Write to the child's standard input; BrokenPipeError if it has gone, or hangs and was ended."""
        assert self.process.stdin is not None
        patience = threading.Timer(self.stall, self.process.kill)
        patience.start()
        try:
            self.process.stdin.write(data)
        finally:
            patience.cancel()

    def close_input(self) -> None:
        """Tell the child that no more is coming."""
        assert self.process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()

    def _finish(self) -> None:
        """Wait for a child that has closed its output; a bad exit is an error."""
        try:
            code = self.process.wait(timeout=self.stall)
        except subprocess.TimeoutExpired:
            self.end()
            raise self.crash(self._sentence("did not end")) from None
        if code != 0:
            reason = f"crashed (signal {-code})" if code < 0 else f"failed (code {code}{self._tail()})"
            self.end()
            raise self.crash(self._sentence(reason))

    def _sentence(self, what: str) -> str:
        """One sentence for an unexplained end."""
        if self.crash is InputError:
            return (
                f"{self.subject} made the decoder stop after frame {self.progress}: it {what};"
                " the file is damaged, convert it with another tool first."
            )
        return f"{self.subject} was not written: the encoder {what} after frame {self.progress}; try again."

    def _tail(self) -> str:
        """The last line the child wrote on standard error, for a code that says nothing."""
        if self._log.closed:
            return ""
        self._log.seek(0)
        lines = self._log.read().decode(errors="replace").strip().splitlines()
        return f": {lines[-1][:200]}" if lines else ""

    def end(self) -> None:
        """Stop the child if it runs, collect it, close every pipe. Safe to call again."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        with contextlib.suppress(OSError):
            if self.process.stdin is not None:
                self.process.stdin.close()
        self._reader.join(timeout=5)
        if self.process.stdout is not None:
            self.process.stdout.close()
        self._log.close()
