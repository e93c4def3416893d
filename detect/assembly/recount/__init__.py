"""Another threshold for a run that is done, from settings to files."""
