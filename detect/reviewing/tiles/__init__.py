"""Tiles: what a page shows of images of any size, cut from their files when it is asked for."""
