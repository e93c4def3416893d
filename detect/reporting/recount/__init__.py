"""Another threshold for a run that is done: what was found below it is kept, so that no network is needed."""
