"""What the readers of annotation files share: how shapes become points or boxes, and how images are named."""
