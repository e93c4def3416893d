"""What benchmarks measure: images, a model with its engine, and what others would do with them."""
