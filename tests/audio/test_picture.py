"""Pictures: whole files with everything in its place, whatever the recording and the roll are like."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
from PIL import Image

from recomposer_studio.audio.axes import FrequencyAxis
from recomposer_studio.audio.picture import colour_table, draw_comparison, draw_picture
from recomposer_studio.audio.source import Source
from recomposer_studio.errors import InputError
from recomposer_studio.roll.event import Action, Event, EventRoll

LEFT, RIGHT, TOP, HEIGHT = 150, 72, 12 + 22 + 70 + 6, 320
"""Where the spectrogram of a single panel lies."""

COLOURS = {"insert": (0, 158, 115), "delete": (213, 94, 0), "enhance": (0, 114, 178), "keep": (148, 103, 20)}


def event(number: int, action: str = "insert", label: str = "Dog", **fields: object) -> Event:
    values: dict[str, object] = {"start_s": 0.2, "end_s": 0.4, "row": f"row {number}"} | fields
    return Event(id=str(number), action=Action(action), label=label, **values)  # type: ignore[arg-type]


def recording(path: Path, seconds: float = 1.0, rate_hz: int = 16_000, channels: int = 1) -> Path:
    frames = max(1, round(seconds * rate_hz))
    soundfile.write(path, 0.1 * np.random.default_rng(0).standard_normal((frames, channels)), rate_hz, "PCM_24")
    return path


def picture(tmp_path: Path, source: Path, roll: EventRoll | None, **options: object) -> Image.Image:
    path = tmp_path / "picture.png"
    with Source.open(source) as opened:
        draw_picture(opened, roll, path, **options)  # type: ignore[arg-type]
    with Image.open(path) as image:
        image.load()
        assert image.format == "PNG"
        assert image.mode == "P"
        return image.convert("RGB")


def near(image: Image.Image, colour: tuple[int, int, int], tolerance: int = 12) -> np.ndarray:
    difference = np.abs(np.asarray(image).astype(int) - np.array(colour))
    return (difference <= tolerance).all(axis=2)


def test_the_colours_grow_lighter_evenly() -> None:
    table = colour_table()
    assert table.shape == (256, 3)
    lightness = table.astype(float) @ np.array([0.2126, 0.7152, 0.0722])
    assert (np.diff(lightness) > -0.5).all()
    steps = lightness[32::32] - lightness[:-32:32]
    assert steps.min() > 10
    assert len(np.unique(table, axis=0)) > 250


@pytest.mark.parametrize("action", list(COLOURS))
def test_a_box_lies_at_its_time_and_frequency(tmp_path: Path, action: str) -> None:
    roll = EventRoll((event(1, action, start_s=0.25, end_s=0.75, low_hz=1_000.0, high_hz=4_000.0),))
    image = picture(tmp_path, recording(tmp_path / "a.wav"), roll)
    pixels = 1_600 - LEFT - RIGHT
    axis = FrequencyAxis(8_000, HEIGHT)
    found = near(image, COLOURS[action])
    on_spectrogram = found[TOP : TOP + HEIGHT]
    columns = np.flatnonzero(on_spectrogram.sum(axis=0) > 20)
    assert abs(columns.min() - (LEFT + 0.25 * pixels)) <= 3
    assert abs(columns.max() - (LEFT + 0.75 * pixels)) <= 3
    rows = np.flatnonzero(on_spectrogram.sum(axis=1) > 200)
    assert abs(rows.min() - axis.y(4_000.0)) <= 3
    assert abs(rows.max() - axis.y(1_000.0)) <= 3
    lane = found[TOP + HEIGHT + 24 : TOP + HEIGHT + 24 + 24]
    columns = np.flatnonzero(lane.any(axis=0))
    assert abs(columns.min() - (LEFT + 0.25 * pixels)) <= 3
    assert abs(columns.max() - (LEFT + 0.75 * pixels)) <= 3


def test_actions_differ_without_colour(tmp_path: Path) -> None:
    """In grey, the four patterns of the legend are still four patterns."""
    roll = EventRoll(tuple(event(k, action) for k, action in enumerate(COLOURS)))
    image = picture(tmp_path, recording(tmp_path / "a.wav"), roll).convert("L")
    tiles = []
    for lane in range(4):
        top = TOP + HEIGHT + 24 + lane * 24 + 2
        tile = np.asarray(image.crop((LEFT + 380, top, LEFT + 540, top + 20))).astype(float)
        tiles.append((tile - tile.mean()) / tile.std())
    for a in range(4):
        for b in range(a):
            assert np.abs(tiles[a] - tiles[b]).mean() > 0.2


def test_the_same_input_gives_the_same_bytes(tmp_path: Path) -> None:
    source = recording(tmp_path / "a.wav")
    roll = EventRoll((event(1), event(2, "delete")))
    for name in ("one.png", "two.png"):
        with Source.open(source) as opened:
            draw_picture(opened, roll, tmp_path / name, width=700)
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "two.png").read_bytes()


def test_before_and_after_share_their_colours(tmp_path: Path) -> None:
    """A take that is 40 dB lower is darker, not scaled up."""
    rng = np.random.default_rng(0)
    samples = 0.1 * rng.standard_normal((16_000, 1))
    for name, gain in (("loud.wav", 1.0), ("soft.wav", 0.01)):
        soundfile.write(tmp_path / name, samples * gain, 16_000, "FLOAT")
    path = tmp_path / "both.png"
    with Source.open(tmp_path / "loud.wav") as loud, Source.open(tmp_path / "soft.wav") as soft:
        draw_picture(loud, None, path, take=soft)
        draw_comparison([("soft", soft)], None, tmp_path / "soft.png")
    with Image.open(path) as image:
        grey = np.asarray(image.convert("L")).astype(float)
    panel = 22 + 70 + 6 + HEIGHT * 3 // 4 + 6
    first = grey[TOP + 20 : TOP + 200, 200:1_400].mean()
    second = grey[TOP + panel + 20 : TOP + panel + 200, 200:1_400].mean()
    assert first - second > 60
    with Image.open(tmp_path / "soft.png") as image:
        alone = np.asarray(image.convert("L")).astype(float)[TOP + 20 : TOP + 200, 200:1_400].mean()
    assert alone - second > 60


@pytest.mark.parametrize(
    ("seconds", "rate_hz", "channels"), [(0, 44_100, 1), (0.3, 44_100, 2), (0.2, 192_000, 12), (60, 8_000, 1)]
)
def test_odd_recordings(tmp_path: Path, seconds: float, rate_hz: int, channels: int) -> None:
    source = recording(tmp_path / "a.wav", seconds, rate_hz, channels)
    image = picture(tmp_path, source, None, width=640)
    assert image.size[0] == 640
    part = np.asarray(image)[TOP : TOP + HEIGHT, 84 : 640 - RIGHT]
    assert (part.max(axis=2) < 255).all() or (part.mean() < 254)  # not paper


def test_silence_is_dark(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.zeros((8_000, 1)), 8_000)
    image = picture(tmp_path, tmp_path / "a.wav", None, width=640)
    part = np.asarray(image)[TOP : TOP + HEIGHT, 84 : 640 - RIGHT]
    assert part.max() < 40


@pytest.mark.parametrize("lanes", [1, 13, 60, 1_000])
def test_every_lane_is_drawn(tmp_path: Path, lanes: int) -> None:
    roll = EventRoll(tuple(event(k, start_s=0.5, end_s=0.9) for k in range(lanes)))
    image = picture(tmp_path, recording(tmp_path / "a.wav"), roll, width=640)
    lane = max(3, min(24, 9_000 // lanes))
    assert image.size[1] < 10_000
    top = TOP + HEIGHT + 24
    column = near(image, COLOURS["insert"])[top : top + lanes * lane, LEFT + round(0.9 * (640 - LEFT - RIGHT)) - 1]
    assert np.count_nonzero(np.diff(column.astype(int)) == 1) + int(column[0]) >= lanes - 1


def test_labels_never_leave_the_picture(tmp_path: Path) -> None:
    """Long labels of any script are shortened: the outer columns stay paper."""
    long = "A label so long that it cannot fit, " * 5
    roll = EventRoll(
        tuple(
            event(k, action, label, row=label + str(k), start_s=k / 10, end_s=k / 10 + 0.1)
            for k, (action, label) in enumerate(
                [("insert", long), ("delete", "Glöckchen läutet"), ("keep", "犬の鳴き声 🐕"), ("enhance", "ß" * 190)]
            )
        )
    )
    image = np.asarray(picture(tmp_path, recording(tmp_path / ("n" * 150 + ".wav")), roll, width=480))
    assert (image[:, :4] == 255).all()
    assert (image[:, -4:] == 255).all()


def test_a_muted_event_is_hollow(tmp_path: Path) -> None:
    roll = EventRoll((event(1, muted=True),))
    image = picture(tmp_path, recording(tmp_path / "a.wav"), roll)
    lane = np.s_[TOP + HEIGHT + 24 : TOP + HEIGHT + 48]
    assert not near(image, COLOURS["insert"])[lane].any()
    assert near(image, (128, 128, 134))[lane].sum() > 100


def test_events_outside_the_part_are_not_drawn(tmp_path: Path) -> None:
    roll = EventRoll((event(1, "delete", start_s=0.1, end_s=0.2), event(2, "insert", start_s=0.5, end_s=0.7)))
    image = picture(tmp_path, recording(tmp_path / "a.wav"), roll, start_s=0.4, end_s=0.8)
    assert not near(image, COLOURS["delete"])[TOP : TOP + HEIGHT + 70].any()
    assert near(image, COLOURS["insert"])[TOP : TOP + HEIGHT].any()


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"width": 10}, "480 to 8000"),
        ({"width": 100_000}, "480 to 8000"),
        ({"start_s": -1.0}, "choose a part of 0 to 1 s"),
        ({"start_s": 0.5, "end_s": 0.5}, "choose a part"),
        ({"end_s": 1.1}, "choose a part"),
        ({"end_s": float("nan")}, "choose a part"),
    ],
)
def test_what_cannot_be_drawn_is_told(tmp_path: Path, options: dict[str, float], match: str) -> None:
    source = recording(tmp_path / "a.wav")
    with pytest.raises(InputError, match=match):
        picture(tmp_path, source, None, **options)
    assert [p.name for p in tmp_path.iterdir()] == ["a.wav"]


@pytest.mark.parametrize(("name", "match"), [("a.jpg", r"ends in \.png"), ("no/a.png", "does not exist")])
def test_where_nothing_can_be_written(tmp_path: Path, name: str, match: str) -> None:
    with Source.open(recording(tmp_path / "a.wav")) as source, pytest.raises(InputError, match=match):
        draw_picture(source, None, tmp_path / name)
    assert [p.name for p in tmp_path.iterdir()] == ["a.wav"]


def test_samples_that_are_no_numbers_leave_no_picture(tmp_path: Path) -> None:
    samples = np.zeros((1_000, 1), np.float32)
    samples[500] = np.nan
    soundfile.write(tmp_path / "a.wav", samples, 8_000, "FLOAT")
    with Source.open(tmp_path / "a.wav") as source, pytest.raises(InputError, match="not a number"):
        draw_picture(source, None, tmp_path / "a.png")
    assert [p.name for p in tmp_path.iterdir()] == ["a.wav"]
