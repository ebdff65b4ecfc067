"""What a person does to takes: stars, lock, copies, variations, comps, recipes. Every one is a single step that can be undone."""

from collections.abc import Callable
from dataclasses import replace
from itertools import count as count_from
from itertools import islice
from typing import TYPE_CHECKING

from PySide6.QtWidgets import QApplication

from recomposer_studio.editing.comp import Rendering, assembled, group_roll, renderings, taken_over
from recomposer_studio.errors import InputError
from recomposer_studio.project.origin import Origin, origin
from recomposer_studio.project.recipe import SEEDS
from recomposer_studio.project.recipe_text import WrittenRecipe, read_recipe, recipe_text
from recomposer_studio.project.state import MAX_STARS, TakeEntry
from recomposer_studio.project.take import Take
from recomposer_studio.roll.event import Action
from recomposer_studio.studio.views.abx_dialog import AbxDialog
from recomposer_studio.studio.views.text_dialog import TextDialog

if TYPE_CHECKING:
    from recomposer_studio.studio.window import Window


def take_handlers(window: "Window") -> dict[str, Callable[..., None]]:
    """Action id -> what it does to the takes of a window."""
    stars = {
        f"stars_{number}": lambda number=number: set_stars(window, window.document.current_take, number)
        for number in range(MAX_STARS + 1)
    }
    return {
        **stars,
        "lock": lambda: switch_lock(window, window.document.current_take),
        "duplicate_take": lambda: duplicate_take(window),
        "remove_take": lambda: remove_take(window),
        "rerun": lambda: another_seed(window),
        "variations": lambda: variations(window, window.takes.count.value()),
        "recipe": lambda: show_recipe(window),
        "paste_recipe": lambda: paste_recipe(window),
        "abx": lambda: show_abx(window),
        "match": window.listening.matching.set_on,
    }


def connect_takes(window: "Window") -> None:
    """Lets the panel of the takes do all this."""
    panel, listening = window.takes, window.listening
    panel.rerun_requested.connect(lambda: window.actions_["rerun"].trigger())
    panel.variations_requested.connect(lambda: window.actions_["variations"].trigger())
    panel.recipe_requested.connect(lambda: window.actions_["recipe"].trigger())
    panel.list.remove_requested.connect(lambda: window.actions_["remove_take"].trigger())
    panel.starred.connect(lambda row, number: set_stars(window, _at(window, row), number))
    panel.lock_switched.connect(lambda row: switch_lock(window, _at(window, row)))
    panel.mix.comp_requested.connect(lambda event_id, take_id: take_over(window, event_id, take_id))
    panel.mix.reroll_requested.connect(lambda event_id, count: re_roll(window, event_id, count))
    panel.match.toggled.connect(window.actions_["match"].setChecked)
    window.actions_["match"].toggled.connect(panel.match.setChecked)
    window.variations.changed.connect(panel.show_waiting)
    window.generating.state_changed.connect(lambda: panel.show_making(window.generating.making))
    listening.matching.changed.connect(lambda: panel.show_offsets(listening.matching))
    window.document.refused.connect(window.messages.fail)
    listening.started.connect(window.status.meters.reset_clip)
    listening.player.set_device(window.settings.output_device)


def _at(window: "Window", row: int) -> TakeEntry | None:
    takes = window.document.takes
    return takes[row - 1] if 0 < row <= len(takes) else None


def entry_of(window: "Window", take_id: int | None) -> TakeEntry | None:
    """The take with a number, None when it is not in the list."""
    return next((entry for entry in window.document.takes if entry.id == take_id), None)


# --- the list -----------------------------------------------------------------------------------------------------------


def set_stars(window: "Window", entry: TakeEntry | None, number: int) -> None:
    """Rates a take."""
    if entry is not None:
        window.document.change_take(window.tr("Rate {0}").format(entry.name), replace(entry, stars=number))


def switch_lock(window: "Window", entry: TakeEntry | None) -> None:
    """Protects a take from being removed or mixed, or does no longer."""
    if entry is not None:
        words = window.tr("Unlock {0}") if entry.locked else window.tr("Lock {0}")
        window.document.change_take(words.format(entry.name), replace(entry, locked=not entry.locked))


def duplicate_take(window: "Window") -> None:
    """Puts a copy of the take that is heard at the end of the list, to be mixed otherwise."""
    document, entry = window.document, window.document.current_take
    if entry is not None:
        name = window.tr("{0}, copy").format(entry.name)
        copy = window.generating.copy_of(entry)
        copy = replace(copy, id=document.new_take_id(), name=name, parent=entry.id, locked=False, stars=0)
        _add(window, window.tr("Duplicate {0}").format(entry.name), copy)


def remove_take(window: "Window") -> None:
    """Takes the take that is heard out of the list, unless it is locked."""
    document, entry = window.document, window.document.current_take
    if entry is not None and not document.refuse_locked(entry):
        takes = tuple(other for other in document.takes if other.id != entry.id)
        document.change(window.tr("Remove {0}").format(entry.name), replace(document.state, takes=takes))


def _add(window: "Window", text: str, entry: TakeEntry) -> None:
    document = window.document
    if document.change(text, replace(document.state, takes=(*document.takes, entry))):
        document.hear(len(document.takes))


# --- other seeds --------------------------------------------------------------------------------------------------------


def _fresh_seeds(window: "Window", count: int) -> list[int]:
    """Seeds that no layer of any take has."""
    used = {origin(entry.take, layer).recipe.seed for entry in window.document.takes for layer in entry.take.layers}
    used |= {entry.take.recipe.seed for entry in window.document.takes}
    first = max(used, default=-1) + 1
    # After the last one they begin again.
    fresh = (seed % SEEDS for seed in count_from(first) if seed % SEEDS not in used)
    return list(islice(fresh, count))


def another_seed(window: "Window") -> None:
    """Renders the rows of the take that is heard with the next seed."""
    entry = window.document.current_take
    if entry is not None:
        recipe = replace(entry.take.recipe, seed=_fresh_seeds(window, 1)[0])
        window.generating.generate(entry.take.roll, recipe, entry.id)


def variations(window: "Window", count: int) -> None:
    """Renders the rows of the take that is heard, or of the roll, with several seeds, one after the other."""
    entry = window.document.current_take
    roll = window.document.roll if entry is None else entry.take.roll
    recipe = window.decoding.recipe if entry is None else entry.take.recipe
    parent = None if entry is None else entry.id
    if not any(event.action is Action.INSERT for event in roll.events):
        window.messages.fail(
            window.tr(
                "Variations differ in their inserted sounds alone, and there is none: draw a box with Insert first."
            )
        )
        return

    def start(seed: int) -> Callable[[], None]:
        return lambda: window.generating.generate(roll, replace(recipe, seed=seed), parent, heard=False)

    window.variations.add([start(seed) for seed in _fresh_seeds(window, count)])


def re_roll(window: "Window", event_id: str, count: int) -> None:
    """Renders one event of the take that is heard with other seeds; every one becomes a take, all else in it stays."""
    document, entry = window.document, window.document.current_take
    if entry is None or document.source is None:
        return
    take = entry.take
    layer = take.layer(event_id)
    recipe = origin(take, layer).recipe
    if layer.event.action is not Action.INSERT:
        window.messages.fail(
            window.tr("{0} is not inserted: only inserted sounds depend on the seed.").format(layer.event.label)
        )
        return
    roll = group_roll(take.roll, [event_id], recipe.fade_s, document.source)
    parent = entry.id

    def start(seed: int) -> Callable[[], None]:
        return lambda: window.generating.generate(
            roll,
            replace(recipe, seed=seed),
            parent,
            lambda rendered: taken_over(take, rendered, event_id),
            heard=count == 1,
        )

    window.variations.add([start(seed) for seed in _fresh_seeds(window, count)])


# --- comps --------------------------------------------------------------------------------------------------------------


def take_over(window: "Window", event_id: str, take_id: int) -> None:
    """Makes a new take: the one that is heard, with an event's sound from another one."""
    document, entry, other = window.document, window.document.current_take, entry_of(window, take_id)
    if entry is None or other is None:
        return
    try:
        take = taken_over(entry.take, other.take, event_id)
    except InputError as error:
        window.messages.fail(str(error))
        return
    number = document.new_take_id()
    device = entry.device or other.device
    made = TakeEntry(number, window.tr("Take {0}").format(number), take, parent=entry.id, device=device)
    label = take.layer(event_id).event.label
    _add(window, window.tr("{0} from {1}").format(label, other.name), made)


# --- recipes ------------------------------------------------------------------------------------------------------------


def show_recipe(window: "Window") -> None:
    """Shows the recipe of the take that is heard, to read and to copy."""
    entry = window.document.current_take
    if entry is not None:
        parent = entry_of(window, entry.parent)
        TextDialog(
            window.tr("Recipe of {0}").format(entry.name),
            window.tr(
                "Everything that made this take. Copied, it can be rendered again: Takes > Paste recipe and render."
            ),
            window.tr("Recipe"),
            recipe_text(entry, parent.name if parent else ""),
            window,
        ).open()


def paste_recipe(window: "Window") -> None:
    """Renders what a copied recipe says; a comp part by part."""
    document = window.document
    if document.source is None:
        return
    if window.generating.running:
        window.messages.fail(window.tr("A take is being rendered; wait for it, or press Esc, and paste again."))
        return
    try:
        written = read_recipe(QApplication.clipboard().text())
    except InputError as error:
        window.messages.fail(str(error))
        return
    main = Origin(written.recipe, written.model)
    if all(made_with == main for made_with in written.layers.values()):
        window.variations.add([lambda: _render_written(window, written)])
        return
    parts = renderings(document.source, written.roll, written.layers)
    number, done = document.new_take_id(), dict[Rendering, Take]()
    window.variations.add([_part(window, written, parts, part, done, number) for part in parts])


def _render_written(window: "Window", written: WrittenRecipe) -> None:
    def check(take: Take) -> Take:
        _tell_models(window, written.model, take.model)
        return replace(take, recipe=written.recipe).soloed(written.solo)

    recipe = Rendering(Origin(written.recipe, written.model), written.roll, frozenset()).recipe
    window.generating.generate(written.roll, recipe, None, check)


def _part(
    window: "Window",
    written: WrittenRecipe,
    parts: tuple[Rendering, ...],
    part: Rendering,
    done: dict[Rendering, Take],
    number: int,
) -> Callable[[], None]:
    """Renders one part of a comp; the last one puts them together."""

    def finish(rendered: Take) -> Take | None:
        done[part] = rendered
        _tell_models(window, part.origin.model, rendered.model)
        if len(done) < len(parts):
            return None
        main = Origin(written.recipe, written.model)
        return assembled(rendered.source, written.roll, main, done.items()).soloed(written.solo)

    return lambda: window.generating.generate(part.roll, part.recipe, None, finish, number)


def _tell_models(window: "Window", wanted: str, used: str) -> None:
    """Says when the model is another one than the recipe's, for then the sound will differ."""
    if wanted and wanted != used:
        words = window.tr("The recipe was made with {0}, and this take with {1}: inserted sounds will differ.")
        window.messages.tell(words.format(_short(wanted), _short(used)))


def _short(model: str) -> str:
    name, _, digest = model.partition(" ")
    return f"{name} ({digest[:8]})" if digest else name


# --- the blind test -----------------------------------------------------------------------------------------------------


def show_abx(window: "Window") -> None:
    """Opens the blind test."""
    if not window.document.takes:
        window.messages.fail(window.tr("A blind test compares two versions, and there is no take yet: press G first."))
        return
    AbxDialog(window.document, window.listening, window).open()
