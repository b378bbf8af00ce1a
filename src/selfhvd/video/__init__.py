"""Video in and out: frames cached losslessly, and a twin written with the same times, sound and tags."""

from selfhvd.video.destination import check_destination, default_destination
from selfhvd.video.footage import Color, Footage, Track
from selfhvd.video.frame import Frame
from selfhvd.video.ingest import check_source, ingest
from selfhvd.video.limits import Limits
from selfhvd.video.probe import Probe, probe
from selfhvd.video.write.codecs import CodecName
from selfhvd.video.write.encoder_choice import Coding
from selfhvd.video.write.simple_clip import encode_clip
from selfhvd.video.write.writer import Writer, open_writer

__all__ = [
    "CodecName",
    "Coding",
    "Color",
    "Footage",
    "Frame",
    "Limits",
    "Probe",
    "Track",
    "Writer",
    "check_destination",
    "check_source",
    "default_destination",
    "encode_clip",
    "ingest",
    "open_writer",
    "probe",
]
