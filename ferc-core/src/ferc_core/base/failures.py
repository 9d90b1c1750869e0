"""What failed in work of several parts, of which the others are done all the same."""

from __future__ import annotations

from ferc_core.base.progress import say
from ferc_core.errors import FercError, PartsFailed, RunError, as_failure


class Failures:
    """The parts that failed, with their causes, in the order in which they did.

    They are said at once where there are others to go on with: ``announce``.
    """

    def __init__(self, announce: bool = True) -> None:
        self.causes: dict[str, FercError] = {}
        self.announce = announce

    def __contains__(self, part: object) -> bool:
        return str(part) in self.causes

    def add(self, part: object, error: BaseException) -> None:
        """Note that a part failed, and say so once; a request to stop is raised again."""
        cause = as_failure(error)
        if part not in self:
            self.causes[str(part)] = cause
            if self.announce:
                say(f"{part} failed: {cause}")

    def merge(self, other: Failures, prefix: str) -> None:
        """Take over what failed elsewhere."""
        self.causes |= {f"{prefix}: {part}": cause for part, cause in other.causes.items()}

    def raise_any(self) -> None:
        """Raise `PartsFailed` where anything failed."""
        if self.causes:
            raise PartsFailed(self.causes)

    def raise_all(self) -> None:
        """Raise what stopped everything: the one cause, or all of them."""
        different = {str(cause): cause for cause in self.causes.values()}
        if len(different) == 1:
            _, cause = different.popitem()
            if type(cause) is not RunError:  # of foreign code, which does not name its part
                raise cause
        self.raise_any()
