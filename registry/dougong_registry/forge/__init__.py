"""In by pull request: what a forge is asked to merge becomes a submission, and hears of it."""
