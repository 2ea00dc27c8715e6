"""The whole hub as files that another hub can be filled from: what is public, and nothing else."""
