"""From the settings of `detect.explain` to pictures of what a network sees."""
