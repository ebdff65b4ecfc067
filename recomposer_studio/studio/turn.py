"""One job at a time in the service of the document: what is wanted no more is cancelled at once and ends when it notices."""

from collections.abc import Callable

from recomposer_studio.studio.jobs import Job


class Turn:
    """Whose turn it is.

    Attributes:
        job: the job that is at work, None when none is. What another one still sends is stale.
    """

    def __init__(self) -> None:
        self.job: Job | None = None
        self._leaving: list[Job] = []

    @property
    def running(self) -> bool:
        """Whether a job is at work."""
        return self.job is not None

    @property
    def leaving(self) -> bool:
        """Whether cancelled work has yet to notice."""
        return bool(self._leaving)

    def begin(self, job: Job, ended: Callable[[], None]) -> None:
        """Starts a job.

        Args:
            job: the work; its signals are connected.
            ended: called when it came to its end, however that was, unless it was cancelled.
        """
        self.job = job
        job.finished.connect(lambda: self._finished(job, ended))
        job.start()

    def cancel(self) -> bool:
        """Stops the work, without waiting for its thread; returns whether there was any."""
        job, self.job = self.job, None
        if job is None:
            return False
        self._leaving.append(job)
        job.cancel()
        return True

    def wait(self) -> None:
        """Waits until all cancelled work has noticed."""
        for job in self._leaving:
            job.wait()

    def _finished(self, job: Job, ended: Callable[[], None]) -> None:
        if job in self._leaving:
            self._leaving.remove(job)
        if job is self.job:
            self.job = None
            ended()
        job.deleteLater()
