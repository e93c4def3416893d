"""A training run: Lightning's trainer and its settings, what a resumed run goes on with, and the end of a run."""
