"""The two ways a run can go wrong that are nobody's bug.

Exception
+-- ValueError
|   +-- UserError    the input breaks a rule: names the rule and the value (exit status 2)
+-- RuntimeError
    +-- ToolError    a tool is missing, failed or timed out (exit status 1)
"""

from __future__ import annotations

from collections.abc import Sequence


class UserError(ValueError):
    """The user's input breaks a rule; the message reads "X must be ..., not {value!r}"."""


class ToolError(RuntimeError):
    """A tool that runs as a process is missing, failed or timed out.

    Parameters
    ----------
    message : one sentence for the user: what happened and what to do.
    command : the argument list that was run.
    code : exit status, or None when the tool never ended by itself.
    log : path of the full log, or "" when there is none.
    tail : last lines of the log.
    """

    def __init__(
        self,
        message: str,
        *,
        command: Sequence[str] = (),
        code: int | None = None,
        log: str = "",
        tail: str = "",
    ) -> None:
        super().__init__(message)
        self.command = tuple(command)
        self.code = code
        self.log = log
        self.tail = tail
