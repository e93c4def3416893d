"""What a person names, found: images in folders, lists and patterns, and names that are spelt otherwise."""
