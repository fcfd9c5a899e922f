"""Counts the contacts that an emulator looks at, which is what a page costs it."""

from typing import Any


class Counted(dict[int, Any]):
    """Contacts by their ids; notes how many were looked at."""

    looks = 0

    def __getitem__(self, key: int) -> Any:
        """Return one."""
        self.looks += 1
        return super().__getitem__(key)

    def get(self, key: int, default: Any = None) -> Any:
        """Return one if it is there."""
        self.looks += 1
        return super().get(key, default)

    def values(self) -> Any:
        """Return all."""
        self.looks += len(self)
        return super().values()

    def items(self) -> Any:
        """Return all with their ids."""
        self.looks += len(self)
        return super().items()
