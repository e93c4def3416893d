"""Features of maps as objects of images: which feature is what, on which image it lies, and where."""
