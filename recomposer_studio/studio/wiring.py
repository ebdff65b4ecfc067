"""Lets detection, the settings of the next take and the faults of the model find the window."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtWidgets import QFileDialog

from recomposer_studio.project.kept import home_of
from recomposer_studio.roll.event import Action
from recomposer_studio.studio.remembered import recipe_for, with_recipe
from recomposer_studio.studio.views.decoding_panel import DEVICES
from recomposer_studio.studio.views.messages import Offer
from recomposer_studio.studio.views.text_dialog import TextDialog

if TYPE_CHECKING:
    from recomposer_studio.studio.window import Window

_ACT_ON_SUGGESTION = ("insert", "delete_sound", "enhance", "keep")


def connect_detection(window: "Window") -> None:
    """The bar, the suggestions on picture and roll, and what is remembered of them."""
    detecting, suggestions, bar = window.detecting, window.suggestions, window.detect_bar
    window.timeline.show_suggestions(suggestions)
    suggestions.set_threshold(min(max(window.settings.threshold, 0.0), 1.0))
    if window.settings.tagger in [listener.name for listener in detecting.listeners()]:
        detecting.tagger = window.settings.tagger
    bar.refresh()
    bar.threshold_chosen.connect(lambda threshold: window.remember(threshold=threshold))
    bar.tagger_chosen.connect(lambda name: window.remember(tagger=name))
    bar.file_wanted.connect(lambda: _install_from_file(window))
    detecting.rows_checked.connect(window.takes.mix.show_checks)
    detecting.told.connect(window.messages.tell)
    detecting.failed.connect(window.messages.fail)
    detecting.state_changed.connect(window._refresh)
    suggestions.changed.connect(window._refresh)


def connect_model(window: "Window") -> None:
    """The Decoding panel, and what is offered when the model is lost."""
    panel, generating = window.decoding, window.generating
    panel.set_checkpoint(generating.checkpoint)
    generating.device = window.settings.device if window.settings.device in DEVICES else "auto"
    panel.show_device(generating.device)
    panel.changed.connect(lambda: _remember_recipe(window))
    panel.device_chosen.connect(lambda device: choose_device(window, device))
    window.document.opened.connect(lambda: _show_recipe(window))
    generating.runs_on.connect(panel.show_used)
    offers: list[Offer] = []
    generating.model_lost.connect(lambda *lost: _offer(window, offers, *lost))
    # Another render has begun: trying the lost one again would be trying this one.
    generating.state_changed.connect(lambda: window.messages.withdraw(offers) if generating.running else None)


def refresh(window: "Window") -> None:
    """Which actions make sense now."""
    actions, document = window.actions_, window.document
    focused = window.suggestions.focused is not None
    actions.enable(("accept", "reject"), focused)
    actions.enable(("accept_all",), bool(window.suggestions.visible))
    free = document.source is not None and not window.detecting.running
    actions.enable(("detect",), free)
    actions.enable(
        ("check_rows",), free and window.detecting.listener is not None and document.current_take is not None
    )
    actions.enable(("find_similar",), free and (focused or bool(document.selected)))
    actions.enable(("cancel",), window.generating.running or window.detecting.running or window.projects.busy)
    if focused:
        actions.enable(_ACT_ON_SUGGESTION, True)


def act(window: "Window", action: Action) -> None:
    """Gives the selected boxes an action, or accepts the suggestion in focus with it."""
    if window.suggestions.focused is not None:
        window.suggestions.accept(action)
    else:
        window.editing.set_action(action)


def find_similar(window: "Window") -> None:
    """Looks for sounds like the box in focus, of the roll or suggested."""
    document = window.document
    event = window.suggestions.focused
    if event is None and document.selected:
        event = document.roll.event(document.selected[-1])
    if event is not None:
        window.detecting.find_similar(event)


def check_rows(window: "Window") -> None:
    """Asks the detector about the rows of the take that is heard."""
    entry = window.document.current_take
    if entry is not None:
        window.detecting.check_rows(entry.take)


def cancel(window: "Window") -> None:
    """Stops the render, listening, and opening a project."""
    window.projects.stop_opening()
    window.generating.cancel()
    window.detecting.cancel()


def choose_device(window: "Window", device: str) -> None:
    """Where the model is to run from now on."""
    window.generating.device = device
    window.decoding.show_device(device)
    window.decoding.show_used("")
    window.remember(device=device)


# --- the details ------------------------------------------------------------------------------------------------------


def _install_from_file(window: "Window") -> None:
    kinds = f"{window.tr('YAMNet')} (*.tflite *.h5 *.tar.gz *.tgz *.tar);;{window.tr('All files')} (*)"
    name, _ = QFileDialog.getOpenFileName(window, window.tr("YAMNet's weights"), "", kinds)
    if name:
        window.detecting.install_yamnet(str(Path(name)))


def _show_recipe(window: "Window") -> None:
    source = window.document.source
    if source is not None:
        window.decoding.set_recipe(recipe_for(window.settings.recipes, home_of(source)))


def _remember_recipe(window: "Window") -> None:
    source = window.document.source
    if source is not None:
        recipes = with_recipe(window.settings.recipes, home_of(source), window.decoding.recipe)
        window.remember(recipes=recipes)


def _offer(
    window: "Window", offers: list[Offer], sentence: str, device: str, log: tuple[str, ...], preview: bool
) -> None:
    """Says that the model is lost, with the ways out, which it leaves in `offers`."""

    def on_the_cpu() -> None:
        choose_device(window, "cpu")
        window.generating.again()

    again = Offer(window.tr("Try again"), window.generating.again)
    if device != "cpu":
        again = Offer(window.tr("Try on the CPU"), on_the_cpu)
    offers[:] = [again]
    sentence = sentence.split(";")[0].rstrip(".") + "."
    if preview:
        offers.append(Offer(window.tr("Keep spectral repair"), lambda: None))
        sentence = window.tr("{0} The take by spectral repair stays.").format(sentence)
    else:
        sentence = window.tr("{0} Nothing was changed.").format(sentence)
    if log:
        offers.append(Offer(window.tr("Details"), lambda: _show_log(log, window), stays=True))
    window.messages.fail(sentence, offers)


def _show_log(lines: Sequence[str], window: "Window") -> None:
    TextDialog(
        window.tr("What the process of the model wrote"),
        window.tr("The last lines before it ended. They help whoever looks for the cause."),
        window.tr("Last lines of the process"),
        "\n".join(lines),
        window,
    ).open()
