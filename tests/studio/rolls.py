"""The roll that most windows are tested with."""

from tests.editing.scenes import event, roll

ROLL = roll(
    event("a", "delete", 1.0, 1.5, "Bell"), event("b", "enhance", 2.5, 2.9, "Dog"), event("k", "keep", 2.0, 2.7, "Rain")
)
