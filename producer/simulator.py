"""The simulated shop: whose turn it is at each moment, and what they do.

The rhythm says when an event happens, a priority queue of the sessions under way says who is due; where nobody is, a
new session begins. So the rate is exactly the one asked for, and the sessions are as many as it takes.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from heapq import heapify, heappop, heappush, heapreplace
from itertools import accumulate
from math import exp, log1p

from clickpulse.events import PRODUCT_EVENT_TYPES, EventType, Status
from producer import rhythm
from producer.draws import Draws
from producer.incidents import Incident, Incidents
from producer.interaction import MAX_LATENCY_MS, Interaction
from producer.shop import FIRST, STEPS, visits

USERS = 20_000
PRODUCTS = 5_000
MAX_SESSIONS = 20_000
"""Under way at once. Above about 2,000 events a second people think faster instead of being more, to bound memory."""

_SUCCESS, _ERROR = str(Status.SUCCESS), str(Status.ERROR)


class Session:
    """A user on the way through the shop: what comes next, and the product looked at last."""

    __slots__ = ("next_type", "product_id", "session_id", "user_id")

    def __init__(self, user_id: str, session_id: str, next_type: EventType, product_id: str) -> None:
        self.user_id = user_id
        self.session_id = session_id
        self.next_type = next_type
        self.product_id = product_id


class Simulator:
    """An endless shop.

    Args:
        rate: events a second; with the daily rhythm their mean over a day.
        start_ms: when it begins, milliseconds since the epoch (UTC).
        seed: with the same seed the same things happen at the same offsets from the start (in the daily rhythm and
            with incidents only if they lie at the same offsets as well). Ids of events and sessions also depend on
            `start_ms`, so that a second run's events are not taken for repetitions of the first one's.
        flat: exactly constant rate instead of the daily rhythm.
        incidents: what goes wrong, and when.
    """

    def __init__(
        self, rate: float, start_ms: int, *, seed: int, flat: bool = False, incidents: list[Incident] | None = None
    ) -> None:
        self._draws = Draws(seed, start_ms)
        self._start_ms = start_ms
        self._offsets = rhythm.constant(rate) if flat else rhythm.daily(rate, start_ms, self._draws.uniform)
        self._incidents = Incidents(incidents or [])
        self._users = self._draws.user_ids(USERS)
        self._products = [f"P-{number:05}" for number in range(PRODUCTS)]
        mean_sessions = rate * _mean_wait_ms() / 1000
        self._think_scale = min(1.0, MAX_SESSIONS / mean_sessions)
        # Entries are (due offset in ms, tie-breaker, session).
        self._queue = self._under_way(int(mean_sessions * self._think_scale))
        self._number = len(self._queue)

    def events(self) -> Iterator[tuple[float, Interaction]]:
        """Each event with its offset from the start in milliseconds; offsets never go back.

        The event's own timestamp is start plus offset; whoever sends it later than that may set another one.
        """
        queue = self._queue
        for offset in self._offsets:
            if queue and queue[0][0] <= offset:
                session = queue[0][2]
                event, wait = self._act(session, offset)
                if wait is None:
                    heappop(queue)
                else:
                    self._number += 1
                    heapreplace(queue, (offset + wait, self._number, session))
            else:
                session = self._arrival()
                event, wait = self._act(session, offset)
                if wait is not None:
                    self._number += 1
                    heappush(queue, (offset + wait, self._number, session))
            yield offset, event

    def _act(self, session: Session, offset: float) -> tuple[Interaction, float | None]:
        """The session's event, and how long it waits in ms until its next one (None: it leaves)."""
        uniform = self._draws.uniform
        event_type = session.next_type
        step = STEPS[event_type]
        at_ms = self._start_ms + offset
        error_rates, latency_factors = self._incidents.at(at_ms)
        latency = exp(step.latency_mu + step.latency_sigma * self._draws.normal())
        if latency_factors:
            latency *= latency_factors.get(event_type, 1.0)
        failed = uniform() < error_rates.get(event_type, step.error_rate)
        if event_type is EventType.VIEW_PRODUCT:
            # A few products are popular: the first tenth gets about half of the views.
            session.product_id = self._products[int(PRODUCTS * uniform() ** 3)]
        event = Interaction(
            self._draws.uuid(),
            session.user_id,
            session.session_id,
            event_type,
            int(at_ms),
            min(int(latency) + 1, MAX_LATENCY_MS),
            _ERROR if failed else _SUCCESS,
            step.code(uniform()) if failed else None,
            session.product_id if event_type in PRODUCT_EVENT_TYPES else None,
        )
        following = step.after_error(event_type, uniform()) if failed else step.next(uniform())
        if following is None:
            return event, None
        session.next_type = following
        return event, -log1p(-uniform()) * step.think_mean * self._think_scale

    def _arrival(self) -> Session:
        first = EventType.SEARCH if self._draws.uniform() < FIRST[EventType.SEARCH] else EventType.VIEW_PRODUCT
        return self._session(first)

    def _session(self, next_type: EventType) -> Session:
        user = self._users[int(USERS * self._draws.uniform() ** 2)]  # some come more often than others
        product = self._products[int(PRODUCTS * self._draws.uniform() ** 3)]
        return Session(user, self._draws.uuid(), next_type, product)

    def _under_way(self, count: int) -> list[tuple[float, int, Session]]:
        """Sessions that began before the start, as a shop is never opened with everybody at the door.

        Those who think between two steps are as many as come there times the mean think time; what is left of an
        exponential think time has the same distribution as the whole.
        """
        steps = list(_waits().items())
        bounds = list(accumulate(weight for _pair, weight in steps))
        queue = []
        for number in range(count):
            before, following = steps[bisect_right(bounds, self._draws.uniform() * bounds[-1])][0]
            due = -log1p(-self._draws.uniform()) * STEPS[before].think_mean * self._think_scale
            queue.append((due, number, self._session(following)))
        heapify(queue)
        return queue


def _waits() -> dict[tuple[EventType, EventType], float]:
    """Milliseconds that a session spends on the way from one step to the next, on average, by pair of steps."""
    expected = visits()
    return {
        (before, following): expected[before] * probability * step.think_mean
        for before, step in STEPS.items()
        for following, probability in step.then.items()
    }


def _mean_wait_ms() -> float:
    """Think time per event: sessions under way are the rate times this (Little's law)."""
    return sum(_waits().values()) / sum(visits().values())
