"""The picture has the pixels of the screen, at every scaling, and what a scroll keeps is what is worked out anew."""

import numpy as np
import pytest

from recomposer_studio.studio.views.spectrogram import Spectrogram


@pytest.mark.parametrize("ratio", [1.0, 1.5, 2.0])
def test_the_picture_has_the_pixels_of_the_screen(opened, monkeypatch, ratio):
    picture = opened.timeline.spectrogram
    monkeypatch.setattr(Spectrogram, "devicePixelRatioF", lambda self: ratio)
    opened.timeline.view.show_span(0.5, 2.0)
    image = picture._rendered(picture.picture)
    assert image.devicePixelRatio() == ratio
    assert image.width() == int(np.ceil(picture.plot.width() * ratio))
    assert image.height() == int(np.ceil(picture.height() * ratio))
    opened.timeline.view.show_span(0.9, 2.0)
    scrolled = np.array(picture._rendered(picture.picture).constBits())
    picture._shown = None
    assert np.array_equal(scrolled, np.array(picture._rendered(picture.picture).constBits()))
