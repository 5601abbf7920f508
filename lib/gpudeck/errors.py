"""The two ways in which a call can go wrong, and the exit status that each becomes."""


class InputError(ValueError):
    """A mistake of the user: an unknown name, a value out of range, a file that is not there.

    The message names the field, the value, what is allowed, and where it was read. Exit status 2.
    """


class BuildError(RuntimeError):
    """A build that failed although its input was right: a notebook that raises, a full disk.

    The message says what to do next. The previous export is intact. Exit status 1.
    """
