"""The terminal this process runs in, and pseudo-terminals that look like it."""

from __future__ import annotations

import os
import signal
import termios

_OUTPUT_FLAGS = 1  # the place of c_oflag in what tcgetattr returns


def open_like(model: int) -> tuple[int, int]:
    """Return (controlling side, child's side) of a new pseudo-terminal with the modes and size of the tty `model`.

    It hands output on as it was written: the end of a line becomes CR LF in the real terminal, and only there.
    """
    ours, childs = os.openpty()
    modes = termios.tcgetattr(model)
    modes[_OUTPUT_FLAGS] &= ~termios.OPOST
    termios.tcsetattr(childs, termios.TCSANOW, modes)
    copy_size(model, ours)
    return ours, childs


def copy_size(model: int, other: int) -> None:
    """Give the tty `other` the window size of the tty `model`."""
    try:
        termios.tcsetwinsize(other, termios.tcgetwinsize(model))
    except (OSError, termios.error):
        return  # hung up meanwhile: there is no window any more


def is_foreground() -> bool | None:
    """Say whether this process group is the one that has the keyboard of its terminal; None without a terminal."""
    try:
        tty = os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        return os.tcgetpgrp(tty) == os.getpgrp()
    except OSError:
        return None
    finally:
        os.close(tty)


def reaches_group(number: int, had_terminal: bool) -> bool:
    """Say whether a signal that has come is one that the terminal sends to every process of the group.

    Ctrl-C and Ctrl-\\ do, and a window that is closed, there through the leader of the session. A process cannot see
    who sent it a signal, so what is typed and `kill -INT` from elsewhere look alike while the group has the keyboard;
    the first is what happens.
    """
    if number in (signal.SIGINT, signal.SIGQUIT):
        return is_foreground() is True
    is_leader = os.getsid(0) == os.getpid()
    return number == signal.SIGHUP and not is_leader and had_terminal and is_foreground() is None
