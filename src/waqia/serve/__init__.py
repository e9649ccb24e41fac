"""The HTTP service and its page: texts in, readings out, nothing leaves the machine. Needs `pip install waqia[serve]`."""
