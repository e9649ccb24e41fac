"""What kinds of error a system makes, and where."""
