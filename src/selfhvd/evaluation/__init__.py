"""How good results are: one clip, or a whole dataset; what measures, the jobs, and how their numbers are shown."""

from selfhvd.evaluation.dataset import ClipEvaluation, DatasetEvaluation, MeanScores, evaluate_dataset
from selfhvd.evaluation.meter import EvaluationConfig
from selfhvd.evaluation.one_clip import Evaluation, evaluate
from selfhvd.evaluation.outputs import Composited, Given, Outputs, Restored, Untouched
from selfhvd.evaluation.scores import FrameScores, GroupScores

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
