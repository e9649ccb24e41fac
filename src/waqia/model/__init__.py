"""Windows of text to incidents: what the network needs and what is made of its answers."""
