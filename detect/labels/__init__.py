"""Labels: things found or annotated, the one table for both, and the annotations of a set of images."""
