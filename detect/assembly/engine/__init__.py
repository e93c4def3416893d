"""A model that is ready to run: its runtime, its plan of tiles, and how it meets images."""
