"""What a network sees: attribution of a score to pixels, feature maps, what excites a channel, receptive fields."""
