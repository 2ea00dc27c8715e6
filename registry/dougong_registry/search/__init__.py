"""Finding operators: a row per operator as lists show it, its words, and their spelling."""
