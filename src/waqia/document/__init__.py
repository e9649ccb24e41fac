"""From one reading of a text to another: what holds for the whole document."""
