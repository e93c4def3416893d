"""Labels: detections, annotated images, and the files that hold them."""
