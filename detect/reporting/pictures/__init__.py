"""Pictures: detections and heatmaps on images, sheets of samples and errors, curves."""
