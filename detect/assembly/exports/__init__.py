"""From settings to a file of a network for other programs."""
