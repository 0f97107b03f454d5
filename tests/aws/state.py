"""Moto's state, which is global to the process: set aside, so that an account starts empty."""

from typing import Any

from moto.core.base_backend import BackendDict, backend_lock


class State:
    """Start with an empty state, and restore the previous one at the end."""

    def __init__(self) -> None:
        with backend_lock:
            self._backends = BackendDict._instances.copy()
            self._before = [(each, each.copy()) for backends in self._backends for each in _dictionaries(backends)]
            for each, _ in self._before:
                each.clear()
            BackendDict._instances.clear()

    def close(self) -> None:
        """Discard the new state, and restore the previous one."""
        BackendDict.reset()
        with backend_lock:
            for each, content in self._before:
                each.clear()
                each.update(content)
            BackendDict._instances.extend(self._backends)


def _dictionaries(backends: BackendDict[Any]) -> list[dict[Any, Any]]:
    """Return a service's accounts, and what it keeps for all of them, such as S3's bucket names."""
    return [backends, *(value for value in vars(backends).values() if isinstance(value, dict))]
