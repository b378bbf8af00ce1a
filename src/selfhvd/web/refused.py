"""A request that is refused: one sentence, the exit code that the command would have had, and a status of HTTP."""

from selfhvd.errors import SelfHVDError


class Refused(SelfHVDError):  # noqa: N818 - it is an answer
    """What was asked for is not done; `status` is that of the answer."""

    def __init__(self, status: int, sentence: str, exit_code: int = 2) -> None:
        super().__init__(sentence)
        self.status, self.exit_code = status, exit_code
