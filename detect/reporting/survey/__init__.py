"""The files of a survey in a predictions folder: what is drawn, what a person saw there, and what that tells."""
