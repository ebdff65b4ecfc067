import json
from pathlib import Path

import pytest

from recomposer_studio.studio.settings import MOST_RECENT, Settings, SettingsFile


def test_settings_come_back(tmp_path):
    file = SettingsFile(tmp_path / "deep" / "settings.json")
    settings = Settings("dark", range_db=60, recent_labels=("Dog",)).with_file(tmp_path / "a.wav")
    file.write(settings)
    assert file.read() == settings


@pytest.mark.parametrize("text", ["", "[]", "{", '{"format_version": 99, "theme": "dark"}', "\xff"])
def test_a_damaged_file_gives_the_defaults(tmp_path, text):
    (tmp_path / "s.json").write_text(text, encoding="utf-8")
    assert SettingsFile(tmp_path / "s.json").read() == Settings()


def test_one_bad_value_costs_only_itself(tmp_path):
    stored = {"format_version": 1, "theme": "light", "range_db": "loud", "recent_files": [1], "unknown": 2}
    (tmp_path / "s.json").write_text(json.dumps(stored), encoding="utf-8")
    assert SettingsFile(tmp_path / "s.json").read() == Settings(theme="light")


def test_a_folder_that_cannot_be_written_is_passed_over(tmp_path):
    (tmp_path / "file").write_text("x", encoding="utf-8")
    SettingsFile(tmp_path / "file" / "settings.json").write(Settings())
    assert (tmp_path / "file").read_text(encoding="utf-8") == "x"


def test_recent_files_are_few_and_newest_first(tmp_path):
    settings = Settings()
    for number in range(20):
        settings = settings.with_file(tmp_path / f"{number}.wav")
    settings = settings.with_file(tmp_path / "15.wav")
    names = [Path(name).name for name in settings.recent_files]
    assert names[:3] == ["15.wav", "19.wav", "18.wav"]
    assert len(names) == MOST_RECENT


def test_labels_used_again_move_up():
    settings = Settings().with_label("Dog").with_label("Bell").with_label("Dog")
    assert settings.recent_labels == ("Dog", "Bell")
