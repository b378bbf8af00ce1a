"""Child processes that need not start Python: they are forked from one that has imported what they import.

Most of what a short job takes is its children's start, half a second each. A test marked `subprocess` starts them as
the product does. Run as a program, this is the process that forks.
"""

import atexit
import contextlib
import importlib
import inspect
import json
import os
import pkgutil
import runpy
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback

PACKAGE = "selfhvd"
POSSIBLE = hasattr(os, "pidfd_open") and hasattr(socket, "send_fds")


def program(args) -> tuple[str, list[str]] | None:
    """The module of the package and its words, where a command is `python -m MODULE WORDS`."""
    words = [str(word) for word in args] if isinstance(args, list | tuple) else []
    if words[:1] != [sys.executable] or "-m" not in words:
        return None
    at = words.index("-m")
    module = words[at + 1]
    plain = all(word in ("-P", "-B") for word in words[1:at])
    return (module, words[at + 2 :]) if plain and module.split(".")[0] == PACKAGE and "." in module else None


_START = subprocess.Popen


class Popen(subprocess.Popen):
    """As `subprocess.Popen`, but modules of the package run in forks of the warm process."""

    _line: socket.socket | None = None

    def _execute_child(self, args, *rest):
        given = inspect.signature(super()._execute_child).bind(args, *rest).arguments
        asked = program(args)
        if asked is None:
            super()._execute_child(args, *rest)
            return
        ends = {"p2cread": 0, "c2pwrite": 1, "errwrite": 2}
        files = [standard if given[name] == -1 else given[name] for name, standard in ends.items()]
        env = dict(os.environ if given["env"] is None else given["env"])
        request = {"module": asked[0], "words": asked[1], "env": env, "folder": given["cwd"] or os.getcwd(),
                   "session": given["start_new_session"]}  # fmt: skip
        self._line = SERVER.connect(env)
        data = json.dumps(request).encode()
        socket.send_fds(self._line, [len(data).to_bytes(8, "big")], files)
        self._line.sendall(data)
        self.pid = int.from_bytes(_exactly(self._line, 8), "big")
        self._child_created = True
        self._close_pipe_fds(*(given[name] for name in (
            "p2cread", "p2cwrite", "c2pread", "c2pwrite", "errread", "errwrite"
        )))  # fmt: skip

    def _internal_poll(self, *given, **named):
        if self._line is None:
            return super()._internal_poll(*given, **named)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._wait(timeout=0)
        return self.returncode

    def _wait(self, timeout):
        if self._line is None:
            return super()._wait(timeout)
        if self.returncode is None:
            if not select.select([self._line], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired(self.args, timeout)
            with self._line:
                self.returncode = int.from_bytes(_exactly(self._line, 8), "big", signed=True)
        return self.returncode


def _exactly(line: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        more = line.recv(count - len(data))
        if not more:
            raise ConnectionError("the process that forks is gone")
        data += more
    return data


class Server:
    """The warm process of this process, started when it is first needed."""

    def __init__(self) -> None:
        self.folder, self.path = "", ""
        self.process: subprocess.Popen | None = None

    def connect(self, env) -> socket.socket:
        if self.process is None:
            self.folder = tempfile.mkdtemp(prefix="warm")
            self.path = os.path.join(self.folder, "line")
            words = [sys.executable, "-P", __file__, self.path]
            self.process = _START(words, stdin=subprocess.PIPE, env=env)
            atexit.register(self.end)
        line = socket.socket(socket.AF_UNIX)
        for _ in range(3000):
            try:
                line.connect(self.path)
                return line
            except OSError:
                if self.process.poll() is not None:
                    break
                time.sleep(0.01)
        raise ConnectionError("the process that forks did not start")

    def end(self) -> None:
        assert self.process is not None and self.process.stdin is not None
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        with contextlib.suppress(OSError):
            os.unlink(self.path)
            os.rmdir(self.folder)


SERVER = Server()


def serve(path: str) -> None:
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    _import_all()
    listener.listen(64)
    running: dict[int, tuple[int, socket.socket]] = {}  # handle of the process -> its number, who waits for it
    while True:
        ready = select.select([0, listener, *running], [], [])[0]
        if 0 in ready:
            return  # who started it is gone
        for handle in [h for h in ready if h in running]:
            pid, line = running.pop(handle)
            code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
            os.close(handle)
            with line, contextlib.suppress(OSError):
                line.sendall(code.to_bytes(8, "big", signed=True))
        if listener in ready:
            line = listener.accept()[0]
            with contextlib.suppress(OSError):
                size, files, _, _ = socket.recv_fds(line, 8, 3)
                request = json.loads(_exactly(line, int.from_bytes(size, "big")))
                if (pid := os.fork()) == 0:
                    listener.close()
                    for _, other in running.values():
                        other.close()
                    line.close()
                    _become(request, files)
                for file in files:
                    os.close(file)
                running[os.pidfd_open(pid)] = (pid, line)
                line.sendall(pid.to_bytes(8, "big"))


def _import_all() -> None:
    """What children import: all of `video` that does without torch."""
    sys.modules["torch"] = None  # whoever wants it is passed over
    video = importlib.import_module(f"{PACKAGE}.video")
    for found in pkgutil.walk_packages(video.__path__, f"{video.__name__}."):
        with contextlib.suppress(ImportError):
            importlib.import_module(found.name)
    del sys.modules["torch"]


def _become(request, files) -> None:
    code = 1
    try:
        if request["session"]:
            os.setsid()
        for number, file in enumerate(files):
            os.dup2(file, number)
            os.close(file)
        os.environ.clear()
        os.environ.update(request["env"])
        os.chdir(request["folder"])
        signal.signal(signal.SIGINT, signal.default_int_handler)
        sys.modules.pop(request["module"], None)
        sys.argv = [request["module"], *request["words"]]
        runpy.run_module(request["module"], run_name="__main__", alter_sys=True)
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
    finally:
        with contextlib.suppress(OSError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    serve(sys.argv[1])
