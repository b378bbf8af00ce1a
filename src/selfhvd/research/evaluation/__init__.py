"""How good results are: one clip, or a whole dataset; what measures, the jobs, and how their numbers are shown."""

from selfhvd.research.evaluation.dataset import ClipEvaluation, DatasetEvaluation, MeanScores, evaluate_dataset
from selfhvd.research.evaluation.meter import EvaluationConfig
from selfhvd.research.evaluation.one_clip import Evaluation, evaluate
from selfhvd.research.evaluation.outputs import Composited, Given, Outputs, Restored, Untouched
from selfhvd.research.evaluation.scores import FrameScores, GroupScores

__all__ = [
    "ClipEvaluation",
    "Composited",
    "DatasetEvaluation",
    "Evaluation",
    "EvaluationConfig",
    "FrameScores",
    "Given",
    "GroupScores",
    "MeanScores",
    "Outputs",
    "Restored",
    "Untouched",
    "evaluate",
    "evaluate_dataset",
]
