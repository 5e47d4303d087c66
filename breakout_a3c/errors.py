"""Mistakes that the user can mend: one sentence, no traceback, exit code 2."""


class UserError(Exception):
    """A mistake whose message is one sentence that says how to mend it."""
