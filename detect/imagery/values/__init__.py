"""Values of scenes: mirrored beyond their edges, or on a sparse grid, gathered while a scene is read."""
