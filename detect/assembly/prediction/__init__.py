"""A run of predictions: its settings, its output folder, its loop over the images and what it says of itself."""
