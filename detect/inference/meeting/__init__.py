"""How an image unlike the training ones is met without labels: settled on a sample of it, before its first tile."""
