"""What a command is asked for, made from texts of the command line or from values of Python: one way for both."""
