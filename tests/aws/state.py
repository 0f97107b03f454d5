"""What moto remembers, which it keeps once per process: set aside, so that an account begins empty."""

from moto.core.base_backend import BackendDict, backend_lock


class State:
    """Hold an empty state from now on, and bring back at the end what there was before."""

    def __init__(self) -> None:
        with backend_lock:
            self._before = [(backends, dict(backends)) for backends in BackendDict._instances]
            for backends, _ in self._before:
                backends.clear()
            BackendDict._instances.clear()

    def close(self) -> None:
        """Forget what has come since."""
        BackendDict.reset()
        with backend_lock:
            for backends, content in self._before:
                backends.update(content)
                BackendDict._instances.append(backends)
