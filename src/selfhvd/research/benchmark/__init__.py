"""The paper's ablations and comparisons as tables, at a size that the user chooses."""

from selfhvd.research.benchmark.report import as_markdown
from selfhvd.research.benchmark.rows import DEFAULT, TABLES, Row, Setup, Table
from selfhvd.research.benchmark.run import run_benchmark
from selfhvd.research.benchmark.size import SIZES, Size
from selfhvd.research.benchmark.trial import Score

__all__ = ["DEFAULT", "SIZES", "TABLES", "Row", "Score", "Setup", "Size", "Table", "as_markdown", "run_benchmark"]
