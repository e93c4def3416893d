"""The page: its document, scripts and style, and OpenSeadragon, which shows photographs of any size."""
