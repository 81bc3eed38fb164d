"""The one error of the local stack."""


class StackError(Exception):
    """Something that a person has to put right; the text is one sentence that says how."""
