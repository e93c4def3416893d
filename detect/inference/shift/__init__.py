"""Whether an image is unlike the training scenes, and in what: measured on windows, judged as training images are."""
