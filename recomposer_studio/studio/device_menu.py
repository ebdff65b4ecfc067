"""Play > Output device: filled when it is opened, from a thread, for listing devices can take seconds."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QActionGroup
from PySide6.QtWidgets import QMenu

from recomposer_studio.studio.jobs import Job
from recomposer_studio.studio.output import Device, list_devices

if TYPE_CHECKING:
    from recomposer_studio.studio.window import Window

ListDevices = Callable[[bool], tuple[Device, ...]]


class _Listing(Job):
    """Lists the devices.

    Args:
        list_devices: lists; looks for them anew when it is given true.
        close: closes the output that is open, which looking anew does not allow; None to look at the known ones.
        parent: owner.

    Signals:
        listed: a tuple of `Device`.
    """

    listed = Signal(object)

    def __init__(self, list_devices: ListDevices, close: Callable[[], None] | None, parent: QObject) -> None:
        super().__init__(parent)
        self._list_devices, self._close = list_devices, close

    def work(self) -> None:
        """Closes, looks."""
        if self._close is not None:
            self._close()
        self.listed.emit(self._list_devices(self._close is not None))


class DeviceMenu(QMenu):
    """The devices that can play; the choice is remembered.

    Args:
        window: the window.
        list_devices: lists them.
    """

    def __init__(self, window: "Window", list_devices: ListDevices = list_devices) -> None:
        super().__init__(window.tr("Output &device"), window)
        self.setAccessibleName(window.tr("Output device"))
        self._window, self._list_devices = window, list_devices
        self._devices: tuple[Device, ...] | None = None
        self._job: _Listing | None = None
        self.aboutToShow.connect(self._look)
        self._fill()

    def stop(self) -> None:
        """Waits for the thread."""
        if self._job is not None:
            self._job.wait()

    def look_anew(self) -> None:
        """Lets go of the output and looks for devices that were connected since."""
        if self._job is None:
            self._devices = None
            self._begin(self._window.listening.player.release())

    def _look(self) -> None:
        if self._devices is None and self._job is None:
            self._begin(None)

    def _begin(self, close: Callable[[], None] | None) -> None:
        job = self._job = _Listing(self._list_devices, close, self)
        job.listed.connect(self._listed)
        job.finished.connect(self._finished)
        job.start()
        self._fill()

    def _listed(self, devices: tuple[Device, ...]) -> None:
        self._devices = devices
        self._fill()

    def _finished(self) -> None:
        job, self._job = self._job, None
        if job is not None:
            job.deleteLater()
        self._fill()

    def _fill(self) -> None:
        """Shows what is known; the menu may be open meanwhile."""
        self.clear()
        tr, chosen = self._window.tr, self._window.settings.output_device
        group = QActionGroup(self)
        entries = [(tr("As the &system"), "")]
        if self._devices is not None:
            entries += [(_words(device), device.key) for device in self._devices]
        if chosen and chosen not in [key for _, key in entries]:
            missing = tr("{0} (not there)") if self._devices is not None else "{0}"
            entries.append((missing.format(_plain(chosen)), chosen))
        for words, key in entries:
            action = self.addAction(words)
            action.setCheckable(True)
            action.setChecked(key == chosen)
            action.triggered.connect(lambda _=False, key=key: self._choose(key))
            group.addAction(action)
        self.addSeparator()
        if self._job is not None:
            self.addAction(tr("Looking for devices ...")).setEnabled(False)
        else:
            if self._devices == ():
                self.addAction(tr("No device was found")).setEnabled(False)
            self.addAction(tr("&Look for devices again")).triggered.connect(self.look_anew)

    def _choose(self, key: str) -> None:
        self._window.remember(output_device=key)
        self._window.listening.set_device(key)
        self._fill()


def _words(device: Device) -> str:
    return f"{_plain(device.name)}  \u2013  {device.host}"


def _plain(name: str) -> str:
    """An ampersand in a device's name is no mnemonic."""
    return name.replace("&", "&&")
