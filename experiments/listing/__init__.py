"""What ``orsched list`` shows."""
