"""Runs that are killed on the way, as a machine that fails does."""

import os
import signal


def killed_after(step, count):
    """Let the process be killed when `step`, a class of the engine's steps, begins its tile number `count`, from 0."""
    whole, done = step.__call__, []

    def dying(self, tile):
        if len(done) == count:
            os.kill(os.getpid(), signal.SIGKILL)
        done.append(tile)
        return whole(self, tile)

    step.__call__ = dying
