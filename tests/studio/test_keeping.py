"""One process is kept for the wish that came last."""

from recomposer_studio.studio.keeping import Keeper


class Process:
    def __init__(self, wish: str) -> None:
        self.wish, self.closed = wish, False

    def close(self) -> None:
        self.closed = True


def test_the_same_wish_gets_the_same_process_and_another_one_ends_it():
    keeper = Keeper(lambda wish, cancelled: Process(wish))
    first = keeper.get("a", lambda: False)
    assert keeper.get("a", lambda: False) is first and not first.closed
    second = keeper.get("b", lambda: False)
    assert second.wish == "b" and first.closed
    keeper.close()
    assert second.closed
    assert keeper.get("b", lambda: False) is not second
