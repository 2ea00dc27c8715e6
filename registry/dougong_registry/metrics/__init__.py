"""What the hub measures of itself, for Prometheus and for whoever scales its judges."""
