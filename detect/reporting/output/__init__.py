"""The folder of predictions: written as results come, remembered by a journal, read back."""
