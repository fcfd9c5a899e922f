"""The administration that every emulator has: faults, limits, clock, statistics."""

from collections.abc import Mapping

import msgspec

from tests.emulators.core.bodies import reader
from tests.emulators.core.clock import Clock
from tests.emulators.core.faults import Fault, Faults
from tests.emulators.core.host import ADMIN_PREFIX
from tests.emulators.core.http import Call, Refusal, Reply, Router, json_reply
from tests.emulators.core.limits import Limiter
from tests.emulators.core.statistics import Statistics


class FaultOrder(Fault, kw_only=True, forbid_unknown_fields=True):
    """A fault to put into force, optionally starting the draws from a seed."""

    seed: int | None = None


class ClockOrder(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What to do with the time."""

    advance_s: float = 0.0
    is_frozen: bool | None = None
    """None leaves it as it is."""


def refused(message: str, status: int = 400) -> Refusal:
    """Refuse in the administration's own words."""
    return Refusal(json_reply({"error": message}, status))


_changes = reader(dict[str, dict[str, object]], refused)
_fault = reader(FaultOrder, refused)
_clock = reader(ClockOrder, refused)


class Admin:
    """Serve an emulator's own administration."""

    def __init__(
        self,
        *,
        clock: Clock,
        faults: Faults,
        statistics: Statistics,
        limiter: Limiter,
        settings: Mapping[str, msgspec.Struct],
    ) -> None:
        self._clock = clock
        self._faults = faults
        self._statistics = statistics
        self._limiter = limiter
        self._settings = settings

    def register(self, router: Router) -> None:
        """Put the administration on its paths."""
        for method, path, handler in (
            ("GET", "/settings", self.show_settings),
            ("PATCH", "/settings", self.change_settings),
            ("GET", "/faults", self.show_faults),
            ("POST", "/faults", self.add_fault),
            ("DELETE", "/faults", self.clear_faults),
            ("GET", "/statistics", self.show_statistics),
            ("DELETE", "/statistics", self.reset_statistics),
            ("GET", "/clock", self.show_clock),
            ("POST", "/clock", self.move_clock),
        ):
            router.add(method, ADMIN_PREFIX + path, handler)

    def show_settings(self, _call: Call) -> Reply:
        """Return everything that can be set."""
        return json_reply(self._settings)

    def change_settings(self, call: Call) -> Reply:
        """Change what is mentioned, at once and altogether or not at all."""
        changes = _changes(call.body)
        checked = []
        for name, fields in changes.items():
            if name not in self._settings:
                raise refused(f"there is no setting {name}")
            section = self._settings[name]
            merged = msgspec.to_builtins(section) | fields
            try:
                checked.append((section, msgspec.convert(merged, type(section))))
            except msgspec.ValidationError as err:
                raise refused(str(err)) from err
        for section, new in checked:
            for field in section.__struct_fields__:
                setattr(section, field, getattr(new, field))
        self._limiter.reset()
        return json_reply(self._settings)

    def show_faults(self, _call: Call) -> Reply:
        """Return the rules in force and how often each has struck."""
        return json_reply(self._faults.rules)

    def add_fault(self, call: Call) -> Reply:
        """Put a rule into force."""
        order = _fault(call.body)
        if order.seed is not None:
            self._faults.reseed(order.seed)
        self._faults.add(order)
        return json_reply(order, 201)

    def clear_faults(self, _call: Call) -> Reply:
        """Let everything work again."""
        self._faults.clear()
        return Reply(204)

    def show_statistics(self, _call: Call) -> Reply:
        """Return the calls since the last reset."""
        return json_reply(self._statistics.report())

    def reset_statistics(self, _call: Call) -> Reply:
        """Start counting from nothing."""
        self._statistics.reset()
        return Reply(204)

    def show_clock(self, _call: Call) -> Reply:
        """Return the vendor's time."""
        return json_reply({"now": self._clock.stamp(), "epoch_s": self._clock.now()})

    def move_clock(self, call: Call) -> Reply:
        """Stop, move or resume the vendor's time."""
        order = _clock(call.body)
        if order.is_frozen is True:
            self._clock.freeze()
        elif order.is_frozen is False:
            self._clock.resume()
        self._clock.advance(order.advance_s)
        return self.show_clock(call)
