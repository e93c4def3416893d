"""The settings of each command."""

from detect.assembly.settings.convert_settings import ConvertSettings
from detect.assembly.settings.evaluate_settings import EvaluateSettings, FoldsSettings
from detect.assembly.settings.explain_settings import ExplainSettings
from detect.assembly.settings.export_settings import ExportSettings
from detect.assembly.settings.predict_settings import PredictSettings
from detect.assembly.settings.report_settings import ReportSettings
from detect.assembly.settings.survey_settings import ReviewSettings, SurveySettings
from detect.assembly.settings.train_settings import FindLrSettings, PreviewSettings, TrainSettings

SETTINGS: dict[str, type] = {
    "train": TrainSettings,
    "predict": PredictSettings,
    "evaluate": EvaluateSettings,
    "report": ReportSettings,
    "review": ReviewSettings,
    "survey": SurveySettings,
    "preview": PreviewSettings,
    "find_lr": FindLrSettings,
    "folds": FoldsSettings,
    "convert": ConvertSettings,
    "explain": ExplainSettings,
    "export": ExportSettings,
}
"""The settings of each command, by its name and that of its root configuration."""
