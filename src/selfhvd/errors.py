"""The errors a person can meet: one sentence that says what was found and what to do, and an exit code.

| code | meaning |
|-----:|---------|
| 0 | all good |
| 1 | unexpected fault in selfhvd |
| 2 | wrong usage |
| 3 | input unreadable or not a video |
| 4 | output or disk |
| 5 | no device, or out of memory after every back-off |
| 6 | weights missing, damaged, hostile or not fitting |
| 7 | some inputs of a batch failed |
| 130 | interrupted |
| 143 | terminated |
"""

INTERRUPTED, TERMINATED = 130, 143


class SelfHVDError(Exception):
    """Base of every error this package raises on purpose; `str(error)` is fit for a person to read."""

    exit_code = 1


class UsageError(SelfHVDError):
    """An option or argument makes no sense."""

    exit_code = 2


class InputError(SelfHVDError):
    """The input cannot be read, or holds no moving picture."""

    exit_code = 3


class OutputError(SelfHVDError):
    """The output cannot be written, or what was written did not verify."""

    exit_code = 4


class DeviceError(SelfHVDError):
    """The device asked for is missing, or memory ran out after every back-off."""

    exit_code = 5


class WeightsError(SelfHVDError):
    """Weights are missing, damaged, hostile, or belong to another network."""

    exit_code = 6


class PartialError(SelfHVDError):
    """Some inputs of a batch failed; each was reported by name, and the rest went on."""

    exit_code = 7


class Stopped(Exception):  # noqa: N818 - nothing went wrong
    """A job was asked to stop; what it has done is saved and it can be gone on with."""
