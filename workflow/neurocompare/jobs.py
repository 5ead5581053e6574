"""What every script of the workflow starts with: a log that also reaches the terminal."""

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path

from neurocompare.errors import UserError


class _Tee:
    """A stream that writes to the terminal and to the log."""

    def __init__(self, *streams):
        self.streams = streams

    def write(self, text: str) -> int:
        for stream in self.streams:
            stream.write(text)
            stream.flush()
        return len(text)

    def flush(self) -> None:
        for stream in self.streams:
            stream.flush()

    def isatty(self) -> bool:
        return False


@contextlib.contextmanager
def job(log: str | Path) -> Iterator[None]:
    """Run the body of a script with its messages in the log as well as on the terminal.

    A `UserError` becomes one line and exit code 1, without a traceback; anything else is a defect and
    keeps its traceback.

    Parameters
    ----------
    log : str or Path
        The log file of the job.
    """
    terminal = sys.stderr
    with open(log, "w", encoding="utf-8") as file:
        sys.stderr = _Tee(terminal, file)
        try:
            yield
        except UserError as error:
            # A message may quote another library, which may use several lines. It is written at once, lest a job that
            # fails beside this one write into the middle of it.
            sys.stderr.write(f"error: {' '.join(str(error).splitlines())}\n")
            sys.exit(1)
        except Exception:
            import traceback

            traceback.print_exc(file=file)
            raise
        finally:
            sys.stderr = terminal
