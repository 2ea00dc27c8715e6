"""What the hub writes to its log: lines for people, or JSON for machines."""
