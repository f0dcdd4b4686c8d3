r"""No process outlives the one that started it."""

import os
import threading
import time
from functools import cache


@cache
def end_with(parent: int) -> None:
    r"""Ends this process, from now on, once its parent has ended, which a killed one
    cannot ask for.
    """

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1.0)
        os._exit(1)

    if parent != os.getpid():
        threading.Thread(target=watch, daemon=True).start()
