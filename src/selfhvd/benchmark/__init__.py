"""The paper's ablations and comparisons as tables, at a size that the user chooses."""

from selfhvd.benchmark.report import as_markdown
from selfhvd.benchmark.rows import DEFAULT, TABLES, Row, Setup, Table
from selfhvd.benchmark.run import run_benchmark
from selfhvd.benchmark.size import SIZES, Size
from selfhvd.benchmark.trial import Score

__all__ = ["DEFAULT", "SIZES", "TABLES", "Row", "Score", "Setup", "Size", "Table", "as_markdown", "run_benchmark"]
