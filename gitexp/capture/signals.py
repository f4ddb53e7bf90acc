"""Signals that come while a child runs: handed on to it, so that this process stays to see how the child ends."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from subprocess import Popen
from types import FrameType
from typing import Any, Self

from gitexp.capture import terminal

_HANDED_ON = (signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)


class Relay:
    """Hands signals on to a child, each once, until the `with` block ends.

    The child is in the process group of this process, as it would be without us. What the terminal sends goes to the
    whole group, so it is not sent a second time. Signals that this process was told to ignore (nohup) stay ignored, by
    the child too. `wake` becomes readable with every signal, also when a child ends. Outside the main thread, where
    Python lets nobody handle signals, nothing is handed on and `works` is false.
    """

    def __init__(self, resize: Callable[[], None] | None = None) -> None:
        self._resize = resize
        self._child: Popen[bytes] | None = None
        self._early: list[int] = []
        self._before: dict[int, Any] = {}
        self._had_terminal = terminal.is_foreground() is not None
        self._wake_before = -1
        self.works = threading.current_thread() is threading.main_thread()
        self.wake, self._bell = os.pipe()
        os.set_blocking(self.wake, False)
        os.set_blocking(self._bell, False)

    def __enter__(self) -> Self:
        if self.works:
            self._wake_before = signal.set_wakeup_fd(self._bell, warn_on_full_buffer=False)
            for number in _HANDED_ON:
                if signal.getsignal(number) != signal.SIG_IGN:
                    self._before[number] = signal.signal(number, self._hand_on)
            # Ignored, it would take the children's exit codes away.
            self._before[signal.SIGCHLD] = signal.signal(signal.SIGCHLD, _nothing)
            if self._resize is not None:
                self._before[signal.SIGWINCH] = signal.signal(signal.SIGWINCH, self._resized)
        return self

    def __exit__(self, *error: object) -> None:
        if self.works:
            for number, handler in self._before.items():
                signal.signal(number, signal.SIG_DFL if handler is None else handler)
            signal.set_wakeup_fd(self._wake_before)
        os.close(self.wake)
        os.close(self._bell)

    def attach(self, child: Popen[bytes]) -> None:
        """Name the child, and hand on what came before there was one."""
        self._child = child
        for number in self._early:
            child.send_signal(number)

    def clear(self) -> None:
        """Make `wake` silent until the next signal."""
        try:
            os.read(self.wake, 4096)
        except BlockingIOError:
            return

    def _hand_on(self, number: int, frame: FrameType | None) -> None:
        if self._child is None:
            self._early.append(number)
        elif not terminal.reaches_group(number, self._had_terminal):
            self._child.send_signal(number)

    def _resized(self, number: int, frame: FrameType | None) -> None:
        if self._resize is not None:
            self._resize()
        if self._child is not None:  # it may have looked at the size before that was copied
            self._child.send_signal(number)


def _nothing(number: int, frame: FrameType | None) -> None:
    """Handle a signal that only has to wake us."""
