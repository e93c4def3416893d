"""Areas of images that nobody labelled: from polygons and mask images to the squares that training and scoring know."""
