"""The parts of `first_pull_request.py`: its transcript, and the machines that it needs."""
