"""The paper's tables, made again."""

from selfhvd.research.reproduce.jobs import Site
from selfhvd.research.reproduce.report import as_json, as_markdown
from selfhvd.research.reproduce.run import Findings, on_made_clips, run_table
from selfhvd.research.reproduce.size import Size
from selfhvd.research.reproduce.tables import TABLES

__all__ = ["TABLES", "Findings", "Site", "Size", "as_json", "as_markdown", "on_made_clips", "run_table"]
