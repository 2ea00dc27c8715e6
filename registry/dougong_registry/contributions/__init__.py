"""Who did what, with evidence; who may do what, and why."""
