"""Rules about change that the database itself holds: what is sealed, what is only added to."""
