"""Classifiers of whole images judged: how sure they are, and scores of images that may have any number of classes."""
