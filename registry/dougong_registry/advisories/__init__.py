"""What went wrong after publication: advisories that people read, revocations that clients obey."""
