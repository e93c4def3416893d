"""File formats of labels, one file a format."""
