"""Charts of runs, in one grammar: Altair. Each is an entry of the kind ``charts``."""
