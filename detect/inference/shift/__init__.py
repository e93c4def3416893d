"""Whether an image is unlike the training scenes, and in what: measured on windows of it, judged by scenes left out."""
