"""Objects and ground, cut out of training images and pasted onto others."""
