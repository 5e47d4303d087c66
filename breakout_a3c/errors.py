"""What goes wrong by the user's hand: one sentence, no traceback, exit code 2."""


class UserError(Exception):
    """A mistake that the user can mend; its message is one sentence that says how."""
