"""What the clients in Python share: state that one thread changes and another waits for, and tables of scenarios."""
import sys
import threading
import traceback

PATIENCE = 30  # whoever waits longer has failed


class Waiting:
    def __init__(self):
        self.changed = threading.Condition()

    def _set(self, **values):
        with self.changed:
            self.__dict__.update(values)
            self.changed.notify_all()

    def _do(self, change, *args):
        with self.changed:
            change(*args)
            self.changed.notify_all()

    def until(self, condition, what):
        with self.changed:
            assert self.changed.wait_for(condition, PATIENCE), f"waited in vain for {what}"


def run_all(runs):
    """runs: (function, run) pairs. A run has a name and clients that are cut when its scenario is over. Ends the process."""
    failures = 0
    for function, run in runs:
        try:
            function(run)
            print(f"ok {run.name}", flush=True)
        except Exception:
            failures += 1
            print(f"FAILED {run.name}\n{traceback.format_exc()}", flush=True)
        for client in run.clients:
            client.cut()
    sys.exit(1 if failures else 0)
