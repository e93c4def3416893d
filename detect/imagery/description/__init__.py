"""What an image file says of itself beside its pixels: orientation, colours, names of bands, place, pages."""
