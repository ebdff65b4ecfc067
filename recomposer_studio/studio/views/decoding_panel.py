"""The settings of the next take: seed, sampling, who separates, fade, and where the model runs."""

from PySide6.QtCore import Signal
from PySide6.QtWidgets import (
    QAbstractSpinBox,
    QComboBox,
    QDoubleSpinBox,
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QScrollArea,
    QSizePolicy,
    QSpinBox,
    QToolButton,
    QWidget,
)

from recomposer_studio.errors import InputError
from recomposer_studio.model.catalogue import Checkpoint, read_config
from recomposer_studio.project.recipe import DECODING_RANGES, Decoding, Recipe, Renderer
from recomposer_studio.studio.fields import leave_cursor

MOST_SEED = 2**31 - 1
FADE_MS = (1.0, 200.0)
DEVICES = ("auto", "cpu", "cuda")


class DecodingPanel(QScrollArea):
    """A field for every setting; what it shows is always a recipe that works.

    Signals:
        changed: the person changed a setting; `recipe` has it.
        device_chosen: where the model is to run: `auto`, `cpu` or `cuda`.
    """

    changed = Signal()
    device_chosen = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setAccessibleName(self.tr("Decoding"))
        self._filling = False
        self._recipe = Recipe()
        self._build()
        self._lay_out()
        self.set_recipe(Recipe())

    # --- putting together --------------------------------------------------------------------------------------------

    def _build(self) -> None:
        self.seed = QSpinBox()
        self.seed.setRange(0, MOST_SEED)
        self._dress(
            self.seed, self.tr("Seed"),
            self.tr("Which of the many possible results: the same seed gives the same sound again, another one a variation"),
        )  # fmt: skip
        self.roll_seed = QToolButton()
        self.roll_seed.setText("+1")
        self.roll_seed.setAccessibleName(self.tr("Next seed"))
        self.roll_seed.setToolTip(self.tr("Take another seed, for another variation"))
        leave_cursor(self.roll_seed)
        self.roll_seed.clicked.connect(lambda: self.seed.setValue((self.seed.value() + 1) % MOST_SEED))
        self.temperature = self._number(
            "temperature", 2, 0.05, self.tr("Temperature"),
            self.tr("How daring inserted sounds are: low is safe and alike, high is varied and may go astray; 0 always takes the likeliest"),
        )  # fmt: skip
        self.temperature.setSpecialValueText(self.tr("0 (likeliest)"))
        self.guidance = self._number(
            "guidance", 1, 0.5, self.tr("Guidance"),
            self.tr("How closely inserted sounds follow the class that you named: 1 is not at all, 3 clearly, far above that harshly"),
        )  # fmt: skip
        self.top_p = self._number(
            "top_p", 2, 0.05, self.tr("Top-p"),
            self.tr("Leaves out what is unlikely: 1 allows everything, less keeps to the likeliest sounds that together reach this share"),
        )  # fmt: skip
        self.top_k = QSpinBox()
        self.top_k.setSpecialValueText(self.tr("all"))
        self._dress(
            self.top_k, self.tr("Top-k"),
            self.tr("Leaves out what is unlikely: only so many of the likeliest choices stay at every moment"),
        )  # fmt: skip
        self.levels = QSpinBox()
        self.levels.setSpecialValueText(self.tr("all"))
        self._dress(
            self.levels, self.tr("Levels"),
            self.tr("How finely inserted sounds are drawn: few levels are quick and coarse, all of them sound best"),
        )  # fmt: skip
        self.candidates = QSpinBox()
        self.candidates.setRange(*(int(limit) for limit in DECODING_RANGES["candidates"]))
        self._dress(
            self.candidates, self.tr("Candidates"),
            self.tr("How many sounds are made for an insert, of which the one most like its class is kept: more take longer"),
        )  # fmt: skip
        self.fade = QDoubleSpinBox()
        self.fade.setRange(*FADE_MS)
        self.fade.setDecimals(1)
        self.fade.setSuffix(self.tr(" ms"))
        self._dress(
            self.fade, self.tr("Fade"),
            self.tr("How softly an edit begins and ends on either side of its box; beyond the fade not one sample changes"),
        )  # fmt: skip
        self.renderer = QComboBox()
        for words, renderer in (
            (self.tr("Automatic"), Renderer.AUTO),
            (self.tr("Spectral repair"), Renderer.REPAIR),
            (self.tr("Model"), Renderer.MODEL),
        ):
            self.renderer.addItem(words, renderer.value)
        self._dress(
            self.renderer, self.tr("Renderer"),
            self.tr(
                "Who takes sounds out and brings them up: automatic uses the model where it is known to be better, spectral repair is"
                " quick and needs no model, but cannot insert"
            ),
        )  # fmt: skip
        self.device = QComboBox()
        for words, device in zip((self.tr("Automatic"), self.tr("CPU"), self.tr("GPU (CUDA)")), DEVICES, strict=True):
            self.device.addItem(words, device)
        self._dress(
            self.device, self.tr("Runs on"),
            self.tr("Where the model runs: automatic takes the GPU where there is one; choose the CPU when the GPU runs out of memory"),
        )  # fmt: skip
        self.used = QLabel()
        self.used.setAccessibleName(self.tr("Where the model runs now"))
        self.reset = QPushButton(self.tr("Defaults"))
        self.reset.setAccessibleName(self.tr("Back to the defaults"))
        self.reset.setToolTip(self.tr("Put every setting of this panel back, but for where the model runs"))
        leave_cursor(self.reset)
        self.reset.clicked.connect(lambda: self._show_and_tell(Recipe()))
        whole = (self.seed, self.top_k, self.levels, self.candidates)
        for spin in (*whole, self.temperature, self.guidance, self.top_p, self.fade):
            spin.valueChanged.connect(self._entered)
        self.renderer.activated.connect(self._entered)
        self.device.activated.connect(lambda _: self.device_chosen.emit(str(self.device.currentData())))

    def _dress(self, field: QAbstractSpinBox | QComboBox, name: str, tip: str) -> None:
        field.setAccessibleName(name)
        field.setToolTip(tip)
        if isinstance(field, QAbstractSpinBox):
            field.setKeyboardTracking(False)
        else:
            field.view().setAccessibleName(name)
            field.setMinimumContentsLength(6)
            field.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        field.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        field.setMinimumWidth(56)

    def _number(self, name: str, decimals: int, step: float, words: str, tip: str) -> QDoubleSpinBox:
        spin = QDoubleSpinBox()
        spin.setDecimals(decimals)
        spin.setRange(*DECODING_RANGES[name])
        spin.setSingleStep(step)
        self._dress(spin, words, tip)
        return spin

    def _lay_out(self) -> None:
        page = QWidget()
        grid = QGridLayout(page)
        grid.setContentsMargins(10, 8, 10, 8)
        grid.setHorizontalSpacing(8)
        grid.setVerticalSpacing(5)
        seed = QWidget()
        row = QHBoxLayout(seed)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.seed, 1)
        row.addWidget(self.roll_seed)
        places: tuple[tuple[QWidget, QWidget, int, int], ...] = (
            (self.seed, seed, 0, 0), (self.renderer, self.renderer, 0, 2),
            (self.temperature, self.temperature, 1, 0), (self.guidance, self.guidance, 1, 2),
            (self.top_p, self.top_p, 2, 0), (self.top_k, self.top_k, 2, 2),
            (self.levels, self.levels, 3, 0), (self.fade, self.fade, 3, 2),
            (self.candidates, self.candidates, 4, 0), (self.device, self.device, 4, 2),
        )  # fmt: skip
        for field, holder, line, column in places:
            label = QLabel(field.accessibleName())
            label.setBuddy(field)
            label.setToolTip(field.toolTip())
            grid.addWidget(label, line, column)
            grid.addWidget(holder, line, column + 1)
        last = QHBoxLayout()
        last.addWidget(self.used, 1)
        last.addWidget(self.reset)
        grid.addLayout(last, 5, 0, 1, 4)
        grid.setColumnStretch(1, 1)
        grid.setColumnStretch(3, 1)
        grid.setRowStretch(6, 1)
        self.setWidget(page)

    # --- showing -----------------------------------------------------------------------------------------------------

    @property
    def recipe(self) -> Recipe:
        """What the next take is made with."""
        return self._recipe

    def set_recipe(self, recipe: Recipe) -> None:
        """Shows a recipe."""
        self._filling = True
        decoding = recipe.decoding
        self.seed.setValue(recipe.seed)
        self.renderer.setCurrentIndex(self.renderer.findData(recipe.renderer.value))
        self.temperature.setValue(decoding.temperature)
        self.guidance.setValue(decoding.guidance)
        self.top_p.setValue(decoding.top_p)
        self.top_k.setValue(decoding.top_k)
        self.levels.setValue(decoding.levels)
        self.candidates.setValue(decoding.candidates)
        self.fade.setValue(recipe.fade_s * 1000)
        self._filling = False
        self._read()

    def set_checkpoint(self, checkpoint: Checkpoint | None) -> None:
        """Limits levels and codes to what the model has."""
        levels, codes = (int(DECODING_RANGES[name][1]) for name in ("levels", "top_k"))
        if checkpoint is not None:
            try:
                codec = read_config(checkpoint.folder)["parts"]["codec"]["config"]
                levels, codes = min(levels, int(codec["levels"])), min(codes, int(codec["codebook_size"]))
            except (InputError, KeyError, TypeError, ValueError):
                pass  # a model without a codec, or one whose faults are told when it is loaded
        self.levels.setRange(0, levels)
        self.top_k.setRange(0, codes)

    def show_device(self, device: str) -> None:
        """Shows which device is chosen."""
        self.device.setCurrentIndex(max(self.device.findData(device), 0))

    def show_used(self, device: str) -> None:
        """Shows where the model runs indeed."""
        words = {"cpu": self.tr("now on the CPU"), "cuda": self.tr("now on the GPU")}
        self.used.setText(words.get(device, ""))

    # --- changing ----------------------------------------------------------------------------------------------------

    def _entered(self) -> None:
        if not self._filling:
            self._read()
            self.changed.emit()

    def _show_and_tell(self, recipe: Recipe) -> None:
        self.set_recipe(recipe)
        self.changed.emit()

    def _read(self) -> None:
        """Takes the recipe from the fields, whose ranges let nothing else in."""
        decoding = Decoding(
            temperature=round(self.temperature.value(), 2),
            top_k=self.top_k.value(),
            top_p=round(self.top_p.value(), 2),
            guidance=round(self.guidance.value(), 1),
            levels=self.levels.value(),
            candidates=self.candidates.value(),
        )
        renderer = Renderer(str(self.renderer.currentData()))
        self._recipe = Recipe(self.seed.value(), renderer, decoding, round(self.fade.value() / 1000, 4))
        inserts = renderer is not Renderer.REPAIR
        for field in (self.temperature, self.guidance, self.top_p, self.top_k, self.levels, self.candidates):
            field.setEnabled(inserts)
        self.reset.setEnabled(self._recipe != Recipe())
