"""How long work will still take, from how it went."""

from collections import deque

_REMEMBERED_S = 6.0
_LEAST_SHARE, _LEAST_S = 0.02, 0.5
"""Before that a guess would be wild."""


class Pace:
    """Seconds left by the pace of the last seconds: a row that is slower than the ones before soon shows.

    Args:
        began: when the work began, in seconds of any clock.
    """

    def __init__(self, began: float) -> None:
        self._seen: deque[tuple[float, float]] = deque([(began, 0.0)])

    def left_s(self, share: float, now: float) -> float:
        """Seconds left when a share is done now, or -1 while nobody can know.

        Args:
            share: what is done, 0 to 1; never less than before.
            now: the time on the same clock.
        """
        while len(self._seen) > 1 and self._seen[1][0] <= now - _REMEMBERED_S:
            self._seen.popleft()
        self._seen.append((now, share))
        then, before = self._seen[0]
        if share <= before or share < _LEAST_SHARE or now - then < _LEAST_S:
            return -1.0
        return (now - then) / (share - before) * (1.0 - share)
