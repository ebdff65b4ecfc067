"""What is raised when a person gave something that cannot work, or asked to stop."""


class InputError(Exception):
    """A bad input, told in one sentence that names it and the remedy.

    The command line prints the sentence and ends with status 2; the window shows it. Nothing has been changed when it is raised.
    """


class Cancelled(Exception):  # noqa: N818 - the field's word, and no error
    """The person asked to stop; nothing was changed."""
