"""What reading costs, side by side with other engines."""
