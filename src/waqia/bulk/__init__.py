"""Reading many texts: files and clusters."""
