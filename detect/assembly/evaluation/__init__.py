"""Evaluations: of predictions, of a model on a labelled split, and of the runs of several folds."""
