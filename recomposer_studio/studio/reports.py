"""What happens when something unexpected goes wrong: it is written to the log, and a report is shown; window and document live on."""

import contextlib
import getpass
import logging
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QMessageLogContext, QObject, Qt, QThread, QtMsgType, Signal, qInstallMessageHandler, qVersion
from PySide6.QtGui import QGuiApplication

from recomposer_studio.diagnosis import machine
from recomposer_studio.diagnosis.log import ACTIONS, ROOT, LastActions, Log, log_folder
from recomposer_studio.diagnosis.machine import Answer
from recomposer_studio.diagnosis.privacy import error_text, place_of
from recomposer_studio.diagnosis.report import Situation, compose, device_facts, roll_facts
from recomposer_studio.diagnosis.versions import facts
from recomposer_studio.studio.views.report_dialog import ReportDialog, show_folder

if TYPE_CHECKING:
    from recomposer_studio.studio.window import Window

LOG = logging.getLogger(__name__)
MOST_ERRORS = 5
"""Different errors in one report: an error that brings others along is told with the first ones."""
_QT_LEVELS = {
    QtMsgType.QtDebugMsg: logging.DEBUG,
    QtMsgType.QtInfoMsg: logging.INFO,
    QtMsgType.QtWarningMsg: logging.WARNING,
    QtMsgType.QtCriticalMsg: logging.ERROR,
    QtMsgType.QtFatalMsg: logging.CRITICAL,
}

Ask = Callable[[tuple[str, ...], Callable[[], bool]], Answer]


def _ask(question: tuple[str, ...], cancelled: Callable[[], bool]) -> Answer:
    return machine.ask(question, cancelled=cancelled)


class _Bell(logging.Handler):
    """Tells of every error that is logged with its traceback, from whatever thread."""

    def __init__(self, ring: Callable[[BaseException], None]) -> None:
        super().__init__(logging.ERROR)
        self._ring = ring

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        if error is not None:
            with contextlib.suppress(RuntimeError):  # the window is gone already
                self._ring(error)


class DeviceQuestions(QThread):
    """Asks for sound output and GPU in child processes.

    Signals:
        answered: (what, `Answer`).
    """

    answered = Signal(str, object)

    def __init__(self, ask: Ask, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._ask = ask
        self._stop = threading.Event()

    def run(self) -> None:
        """Asks one after the other; an answer that cannot be had says why."""
        for what, question in (("audio", machine.AUDIO), ("gpu", machine.GPU)):
            if self._stop.is_set():
                return
            self.answered.emit(what, self._ask(question, self._stop.is_set))

    def stop(self) -> None:
        """Ends the children and waits."""
        self._stop.set()
        self.wait()


class Reports(QObject):
    """The reports of a window.

    Args:
        window: the window; it owns the reports.
        folder: where the log belongs; None for the user's log folder.
        ask: asks the machine, see `machine.ask`.

    Attributes:
        dialog: the report that is shown, or None.

    Signals:
        happened: an unexpected error, from any thread.
    """

    happened = Signal(object)

    def __init__(self, window: "Window", folder: Path | None = None, ask: Ask = _ask) -> None:
        super().__init__(window)
        self._window, self._ask_machine = window, ask
        self.folder = folder or log_folder()
        self.dialog: ReportDialog | None = None
        self._errors: list[BaseException] = []
        self._places: dict[str, int] = {}
        self._audio: Answer | None = None
        self._gpu: Answer | None = None
        self._questions: DeviceQuestions | None = None
        self._actions = LastActions()
        self._bell = _Bell(self.happened.emit)
        self._log: Log | None = None
        self._undo: list[Callable[[], object]] = []
        self._account = _account()
        # Queued: a report is never shown in the middle of what went wrong, which may be a paint event.
        self.happened.connect(self._show_error, Qt.ConnectionType.QueuedConnection)

    @classmethod
    def of(cls, window: "Window") -> "Reports":
        """The reports of a window, made when it has none yet."""
        found = window.findChild(cls)
        return found if isinstance(found, cls) else cls(window)

    # --- hearing of errors -------------------------------------------------------------------------------------------

    def install(self) -> None:
        """Begins the log and catches what nothing else catches; `close` undoes it."""
        self._log = Log(self.folder, self._words)
        level = ACTIONS.level
        ACTIONS.setLevel(logging.INFO)
        ACTIONS.addHandler(self._actions)
        ROOT.addHandler(self._bell)
        hooks = sys.excepthook, threading.excepthook, sys.unraisablehook
        sys.excepthook, threading.excepthook, sys.unraisablehook = self._uncaught, self._in_thread, self._unraisable
        said = qInstallMessageHandler(self._qt_said)

        def restore() -> None:
            sys.excepthook, threading.excepthook, sys.unraisablehook = hooks
            qInstallMessageHandler(said)
            ROOT.removeHandler(self._bell)
            ACTIONS.removeHandler(self._actions)
            ACTIONS.setLevel(level)

        self._undo.append(restore)
        ROOT.info(
            "started: %s",
            "; ".join(f"{name} {value}" for name, value in {**facts(), "window": _window_facts()}.items()),
        )

    def close(self) -> None:
        """Ends log, hooks and questions."""
        if self.dialog is not None:
            self.dialog.close()
        if self._questions is not None:
            self._questions.stop()
            self._questions = None
        while self._undo:
            self._undo.pop()()
        if self._log is not None:
            ROOT.info("ended")
            self._log.close()
            self._log = None

    def _uncaught(self, kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        """Python's last resort; PySide comes here with errors in slots and in events."""
        if not isinstance(error, Exception):  # Ctrl-C and exits are no errors
            sys.__excepthook__(kind, error, trace)
            return
        LOG.error("unexpected", exc_info=(kind, error, trace))

    def _in_thread(self, arguments: threading.ExceptHookArgs) -> None:
        if isinstance(arguments.exc_value, Exception):
            LOG.error("unexpected, in a thread", exc_info=arguments.exc_value)

    def _unraisable(self, arguments: Any) -> None:
        """Errors that nobody could be told, such as in a destructor: for the log alone."""
        if isinstance(arguments.exc_value, Exception):
            ROOT.warning("passed over: %s", error_text(arguments.exc_value, self._words()).strip())

    def _qt_said(self, kind: QtMsgType, context: QMessageLogContext, message: str) -> None:
        """What Qt complains about goes into the log; before it ends the process, it is put on the screen of the terminal too."""
        ROOT.log(_QT_LEVELS.get(kind, logging.WARNING), "Qt: %s", message)
        if kind is QtMsgType.QtFatalMsg and sys.__stderr__ is not None:
            sys.__stderr__.write(f"{message}\n")

    # --- telling -----------------------------------------------------------------------------------------------------

    def _show_error(self, error: BaseException) -> None:
        place = place_of(error)
        self._places[place] = self._places.get(place, 0) + 1
        if self._places[place] > 1:  # the same again, perhaps sixty times a second
            return
        self._errors = [*self._errors, error][-MOST_ERRORS:]
        self._open(
            self.tr(
                "Something unexpected went wrong. Your work is still here and can be saved; if it happens again, send this report."
            )
        )

    def show_report(self) -> None:
        """Shows a report because it was asked for, and puts it into the clipboard."""
        self._open(self.tr("This report is in the clipboard already."))
        if self.dialog is not None:
            self.dialog.copy()

    def show_log_folder(self) -> None:
        """Opens the log folder, or says where it would be."""
        if not show_folder(self.folder):
            self._window.messages.tell(self.tr("The log folder is {0}.").format(self.folder))

    def _open(self, sentence: str) -> None:
        if self.dialog is None:
            self.dialog = ReportDialog(sentence, self.folder, self._window)
            self.dialog.finished.connect(self._forget_dialog)
            self.dialog.show()
        else:
            self.dialog.sentence.setText(sentence)
            self.dialog.raise_()
        self._fill()
        if self._questions is None and (self._audio is None or self._gpu is None):
            self._questions = DeviceQuestions(self._ask_machine, self)
            self._questions.answered.connect(self._answered)
            self._questions.start()

    def _forget_dialog(self) -> None:
        self.dialog = None

    def _answered(self, what: str, answer: Answer) -> None:
        if what == "audio":
            self._audio = answer
        else:
            self._gpu = answer
        self._fill()

    def _fill(self) -> None:
        if self.dialog is not None:
            self.dialog.show_report(self.text())

    def text(self) -> str:
        """The report as it stands."""
        try:
            situation = self._situation()
        except Exception as error:  # what went wrong may have left the window half-built
            situation = Situation(recording=f"cannot be told ({type(error).__name__})", words=self._words())
        trouble = [self._trouble(error, situation.words) for error in self._errors]
        return compose(situation, device_facts(self._audio, self._gpu, situation.words), self._actions.lines(), trouble)

    def _trouble(self, error: BaseException, words: tuple[str, ...]) -> str:
        times = self._places.get(place_of(error), 1)
        return error_text(error, words) + (f"({times} times)\n" if times > 1 else "")

    def _words(self) -> tuple[str, ...]:
        """Names that belong to the person; asked from any thread, so that it only looks at values that never change."""
        try:
            return (*self._names(), self._account)
        except (AttributeError, RuntimeError):  # a window that is being built or taken down
            return (self._account,)

    def _names(self) -> set[str]:
        window = self._window
        document = window.document
        paths = [document.roll_file.path, document.source.path if document.source else None, Path.home()]
        paths += [Path(name) for name in window.settings.recent_files]
        names = {text for path in paths if path is not None for text in (str(path), path.name, path.stem)}
        for roll in (document.roll, document.state.suggestions):
            names |= {text for event in roll.events for text in (event.label, event.row, event.id)}
        names |= {text for entry in document.takes for text in (entry.name, entry.note)}
        return names

    def _situation(self) -> Situation:
        document, generating = self._window.document, self._window.generating
        source, checkpoint = document.source, generating.checkpoint
        recording = ""
        if source is not None:
            form = source.format
            recording = (
                f"{source.path.suffix.lower()} ({form.container}, {form.subtype}), {source.rate_hz} Hz, {source.channels} channels,"
                f" {source.duration_s:.1f} s"
            )
        model = f"{checkpoint.name} ({', '.join(checkpoint.parts)})" if checkpoint is not None else ""
        return Situation(
            recording, roll_facts(document.roll), len(document.takes), model, _window_facts(), self._words()
        )


def _window_facts() -> str:
    screen = QGuiApplication.primaryScreen()
    size = (
        f"{screen.size().width()} x {screen.size().height()} at {screen.devicePixelRatio():g}"
        if screen
        else "no screen"
    )
    return f"Qt {qVersion()}, {QGuiApplication.platformName()}, {size}"


def _account() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):  # a system without accounts
        return ""
