"""What `detect.convert` reads and writes: annotations and detections, and the lists of defects of wafers."""
