"""gunicorn's ASGI worker, whose streams end when it is asked to stop: it would wait for them else."""

from __future__ import annotations

from gunicorn.workers.gasgi import ASGIWorker


class Worker(ASGIWorker):  # type: ignore[misc]  # it has no types
    def handle_exit_signal(self) -> None:
        # gunicorn loads the worker first, without Django.
        from trochai.live.asgi import application

        application.stop()
        super().handle_exit_signal()
