"""Learning: how a network's weights move, one file a head."""
