"""Values of scenes: pixels on a sparse grid, gathered while a scene is read for another purpose."""
