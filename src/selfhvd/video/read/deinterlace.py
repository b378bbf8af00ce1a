"""Interlaced frames made whole, at the same rate, by FFmpeg's filters. Runs in the child process."""

from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any

import av
from av.error import BlockingIOError as MoreWanted
from av.error import EOFError as EndOfFile
from av.filter import Graph

from selfhvd.errors import InputError

# `idet` looks whether there is combing and corrects the flags, `bwdif` treats what is flagged.
_CHAIN = (("idet", ""), ("bwdif", "mode=send_frame:parity=auto:deint=interlaced"))

Pair = tuple[av.VideoFrame, av.VideoFrame]
"""A frame as the decoder gave it, with its time and flags, and its picture as it is to be shown."""


def progressive(frames: Iterable[av.VideoFrame], stream: Any) -> Iterator[Pair]:  # noqa: ANN401 - PyAV's stream
    """Each frame and its picture without combing; up to the first one flagged interlaced nothing is filtered.

    The field order is each frame's own. Frames of interlaced video that were never apart in time, and those
    between that are not flagged, are left as they are.

    Raises:
        InputError: the filter hands back another number of frames.
    """
    graph: Graph | None = None
    waiting: deque[av.VideoFrame] = deque()
    for frame in frames:
        if graph is None and not frame.interlaced_frame:
            yield frame, frame
            continue
        graph = _graph(frame, stream) if graph is None else graph
        waiting.append(frame)
        graph.vpush(frame)
        yield from _pairs(graph, waiting)
    if graph is not None:
        graph.vpush(None)
        yield from _pairs(graph, waiting)
    if waiting:
        raise InputError(f"{len(waiting)} interlaced frames were lost; deinterlace the clip with another tool first.")


def _graph(frame: av.VideoFrame, stream: Any) -> Graph:  # noqa: ANN401
    """The chain of filters, for frames like this."""
    graph = Graph()
    links = [
        graph.add_buffer(width=frame.width, height=frame.height, format=frame.format, time_base=stream.time_base),
        *(graph.add(name, options) for name, options in _CHAIN),
        graph.add("buffersink"),
    ]
    graph.link_nodes(*links).configure()
    return graph


def _pairs(graph: Graph, waiting: deque[av.VideoFrame]) -> Iterator[Pair]:
    """What the filters are done with: one for one and in order."""
    while waiting:
        try:
            picture = graph.vpull()
        except (MoreWanted, EndOfFile):
            return
        yield waiting.popleft(), picture
