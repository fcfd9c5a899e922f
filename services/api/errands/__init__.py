"""What is done at the command line, beside the api or without it: one module each."""
