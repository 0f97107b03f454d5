"""What moto remembers, which it keeps once per process: set aside, so that an account begins empty."""

from typing import Any

from moto.core.base_backend import BackendDict, backend_lock


class State:
    """Hold an empty state from now on, and bring back at the end what there was before."""

    def __init__(self) -> None:
        with backend_lock:
            self._backends = BackendDict._instances.copy()
            self._before = [(each, each.copy()) for backends in self._backends for each in _dictionaries(backends)]
            for each, _ in self._before:
                each.clear()
            BackendDict._instances.clear()

    def close(self) -> None:
        """Forget what has come since."""
        BackendDict.reset()
        with backend_lock:
            for each, content in self._before:
                each.clear()
                each.update(content)
            BackendDict._instances.extend(self._backends)


def _dictionaries(backends: BackendDict[Any]) -> list[dict[Any, Any]]:
    """Return a service's accounts, and what else it knows of all of them: S3's names of buckets are everybody's."""
    return [backends, *(value for value in vars(backends).values() if isinstance(value, dict))]
