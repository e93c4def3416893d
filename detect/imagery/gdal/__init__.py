"""GDAL, as this program uses it: one driver a file, options that close what others could open, datasets."""
