"""A recording for projects."""

from collections.abc import Iterator

import pytest

from recomposer_studio.audio.source import Source
from tests.project.states import make_recording


@pytest.fixture(scope="module")
def source(tmp_path_factory) -> Iterator[Source]:
    """An open recording."""
    with Source.open(make_recording(tmp_path_factory.mktemp("recordings"))) as source:
        yield source
