"""How samples come from several processes: how many, what each is told, and what all share."""
