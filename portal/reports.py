"""What the service level report shows: its numbers, its drawing, and for every number the way to its tickets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from urllib.parse import urlencode

from django.db.models import Q, QuerySet
from django.urls import reverse
from django.utils.dateformat import format as format_date

from integrations.models import Partner
from portal.access import Someone
from portal.clocks import agreements_of
from portal.exports import Cell
from portal.presentation import duration_words
from slas.clock import Kind
from slas.matrix import Priority
from slas.models import Agreement, Clock, PriorityChoice, TypeChoice
from slas.reports import AT_WORK, BREACHED, FINISHED, MET, By, Line, Spread, Times, attainment, behind, total

KINDS = [(Kind.RESOLUTION.value, "Resolution"), (Kind.RESPONSE.value, "Response")]
BYS = [
    (By.PROVIDER.value, "Provider"),
    (By.CUSTOMER.value, "Customer"),
    (By.AGREEMENT.value, "Agreement"),
    (By.PRIORITY.value, "Priority"),
    (By.TYPE.value, "Type"),
    (By.MONTH.value, "Month"),
]
# What a number counts -> which clocks these are.
OUTCOMES: Mapping[str, Q] = {
    "opened": Q(),
    "finished": FINISHED,
    "at_work": AT_WORK,
    "met": MET,
    "breached": BREACHED,
}
OUTCOME_WORDS = {
    "opened": "all that began",
    "finished": "finished",
    "at_work": "still at work",
    "met": "finished in time",
    "breached": "past their target",
}
# Without an agreement of its own a line is judged by this.
USUAL_GOAL = 0.95
# This far below the goal is orange, further is red.
NEAR = 0.05


@dataclass(frozen=True, slots=True)
class Scope:
    """Which clocks count, and what the table has a line for.  Months are their first days, both included."""

    kind: str = Kind.RESOLUTION.value
    provider: Partner | None = None
    customer: Partner | None = None
    agreement: Agreement | None = None
    priority: str = ""
    type: str = ""
    start: date | None = None
    end: date | None = None
    by: By = By.PROVIDER

    def query(self) -> dict[str, str]:
        """The scope as the parameters of an address."""
        values = {
            "kind": self.kind,
            "provider": self.provider and self.provider.pk,
            "customer": self.customer and self.customer.pk,
            "agreement": self.agreement and self.agreement.pk,
            "priority": self.priority,
            "type": self.type,
            "start": self.start and self.start.isoformat(),
            "end": self.end and self.end.isoformat(),
            "by": self.by.value,
        }
        return {name: str(value) for name, value in values.items() if value}


@dataclass(frozen=True, slots=True)
class Share:
    """Met out of judged, with the way to the tickets behind it.  `share` is None when nothing was judged."""

    share: float | None
    met: int
    judged: int
    tone: str
    url: str

    @property
    def percent(self) -> str:
        """For people."""
        return percent(self.share)


@dataclass(frozen=True, slots=True)
class TableLine:
    """One line of the table, and the addresses of the tickets behind its numbers."""

    label: str
    line: Line
    share: Share
    urls: Mapping[str, str]

    @property
    def times(self) -> Sequence[str]:
        """Mean, median and ninetieth percentile of the service time, in words."""
        spread = self.line.service
        return spread_words(spread)


@dataclass(frozen=True, slots=True)
class MonthBar:
    """One month in the drawing."""

    x: float
    width: float
    met_y: float
    met_height: float
    breached_y: float
    breached_height: float
    label: str
    label_x: float
    title: str
    url: str


@dataclass(frozen=True, slots=True)
class Chart:
    """Met and breached by month.  Coordinates of an SVG."""

    width: int
    height: int
    base: float
    left: int
    bars: Sequence[MonthBar]
    ticks: Sequence[tuple[float, int]]


@dataclass(frozen=True, slots=True)
class Report:
    """Everything on the page."""

    resolution: Line
    response: Line
    resolution_share: Share
    response_share: Share
    lines: Sequence[TableLine]
    chart: Chart | None
    providers: Sequence[tuple[str, Sequence[Share]]]
    priorities: Sequence[str]


def clocks_for(user: Someone, scope: Scope) -> QuerySet[Clock]:
    """The clocks that count, of those that the person may see; of every kind."""
    clocks = Clock.objects.visible_to(user).of_agreements(agreements_of(user).values_list("pk", flat=True))
    if scope.provider:
        clocks = clocks.filter(agreement__provider=scope.provider)
    if scope.customer:
        clocks = clocks.filter(agreement__customer=scope.customer)
    if scope.agreement:
        clocks = clocks.filter(agreement=scope.agreement)
    if scope.priority:
        clocks = clocks.filter(priority=scope.priority)
    if scope.type:
        clocks = clocks.filter(type=scope.type)
    if scope.start:
        clocks = clocks.filter(month__gte=scope.start)
    return clocks.filter(month__lte=scope.end) if scope.end else clocks


def report(user: Someone, scope: Scope) -> Report:
    """The report.  Four passes over the clocks, whatever the number of its lines; two of them only count."""
    clocks, kind = clocks_for(user, scope), Kind(scope.kind)
    resolution = total(clocks, Kind.RESOLUTION, Times.SERVICE)
    response = total(clocks, Kind.RESPONSE, Times.NONE)
    fine = attainment(clocks, kind, [By.MONTH, By.PROVIDER, By.PRIORITY], Times.NONE)
    return Report(
        resolution=resolution,
        response=response,
        resolution_share=_share(scope, resolution, (), (), kind=Kind.RESOLUTION),
        response_share=_share(scope, response, (), (), kind=Kind.RESPONSE),
        lines=_table(user, clocks, scope, Times.SERVICE),
        chart=_chart(scope, fine),
        providers=_providers(scope, fine),
        priorities=[PriorityChoice(one.value).label for one in Priority],
    )


def table(user: Someone, scope: Scope) -> list[TableLine]:
    """The lines of the report's table alone, with all their durations.  One pass over the clocks."""
    return _table(user, clocks_for(user, scope), scope, Times.ALL)


def _table(user: Someone, clocks: QuerySet[Clock], scope: Scope, times: Times) -> list[TableLine]:
    goals = dict(agreements_of(user).values_list("name", "goal_percent"))
    lines = attainment(clocks, Kind(scope.kind), [scope.by], times)
    return [_table_line(scope, line, goals) for line in lines]


def clocks_behind(
    user: Someone, scope: Scope, bys: Sequence[By], key: Sequence[str], outcome: str
) -> QuerySet[Clock]:
    """The clocks that a number of the report counts."""
    clocks = behind(clocks_for(user, scope), Kind(scope.kind), bys, tuple(key))
    return clocks.filter(OUTCOMES[outcome])


def key_words(by: By, value: str | date) -> str:
    """A line's name for people."""
    if by is By.MONTH:
        return format_date(value if isinstance(value, date) else date.fromisoformat(value), "F Y")
    if by is By.PRIORITY:
        return str(PriorityChoice(str(value)).label) if value else "Without a priority"
    if by is By.TYPE:
        return str(TypeChoice(str(value)).label) if value else "Without a type"
    return str(value)


def percent(share: float | None) -> str:
    """A share for people; cut, not rounded, so that 100 % means all."""
    return "–" if share is None else f"{int(share * 1000) / 10:g} %"


def spread_words(spread: Spread | None) -> Sequence[str]:
    """Mean, median and ninetieth percentile in words."""
    if spread is None:
        return ("–", "–", "–")
    return [
        duration_words(timedelta(minutes=one)) for one in (spread.mean_min, spread.median_min, spread.p90_min)
    ]


EXPORTED = (
    *("Opened", "Finished", "At work", "Met", "Breached", "Share met"),
    *("Mean min (service)", "Median min (service)", "P90 min (service)"),
    *("Mean min (wall clock)", "Median min (wall clock)", "P90 min (wall clock)"),
)


def export_rows(found: Sequence[TableLine]) -> list[Sequence[Cell]]:
    """The table with its numbers as numbers."""
    rows: list[Sequence[Cell]] = []
    for one in found:
        line = one.line
        share = None if line.share_met is None else round(line.share_met, 4)
        counts = (line.opened, line.finished, line.at_work, line.met, line.breached, share)
        rows.append((one.label, *counts, *_numbers(line.service), *_numbers(line.wall)))
    return rows


def _numbers(spread: Spread | None) -> Sequence[Cell]:
    if spread is None:
        return (None, None, None)
    return tuple(round(one, 2) for one in (spread.mean_min, spread.median_min, spread.p90_min))


def _url(
    scope: Scope, bys: Sequence[By], key: Sequence[str | date], outcome: str, kind: Kind | None = None
) -> str:
    query = [*(scope.query() | ({"kind": kind.value} if kind else {})).items(), ("outcome", outcome)]
    query += [("line", one.value) for one in bys]
    query += [("key", one.isoformat() if isinstance(one, date) else one) for one in key]
    return f"{reverse('report_tickets')}?{urlencode(query)}"


def _share(
    scope: Scope,
    line: Line,
    bys: Sequence[By],
    key: Sequence[str | date],
    *,
    kind: Kind | None = None,
    goal: float = USUAL_GOAL,
) -> Share:
    share = line.share_met
    tone = "secondary"
    if share is not None:
        tone = "green" if share >= goal else "orange" if share >= goal - NEAR else "red"
    # What people ask about is what went wrong.
    outcome = "breached" if line.breached else "met"
    return Share(share, line.met, line.judged, tone, _url(scope, bys, key, outcome, kind))


def _table_line(scope: Scope, line: Line, goals: Mapping[str, object]) -> TableLine:
    value = line.key[0]
    goal = (
        float(str(goals.get(str(value), 100 * USUAL_GOAL))) / 100 if scope.by is By.AGREEMENT else USUAL_GOAL
    )
    return TableLine(
        label=key_words(scope.by, value),
        line=line,
        share=_share(scope, line, [scope.by], line.key, goal=goal),
        urls={outcome: _url(scope, [scope.by], line.key, outcome) for outcome in OUTCOMES},
    )


def _sum(lines: Sequence[Line], key: tuple[str | date, ...]) -> Line:
    """Several lines as one; spreads cannot be added and are left out."""
    counts = {
        name: sum(getattr(line, name) for line in lines)
        for name in ("opened", "finished", "at_work", "met", "breached")
    }
    return Line(key=key, wall=None, service=None, **counts)


def _providers(scope: Scope, fine: Sequence[Line]) -> list[tuple[str, Sequence[Share]]]:
    """Share met by provider (down) and priority (across)."""
    cells: dict[str, dict[str, list[Line]]] = {}
    for line in fine:
        _, provider, priority = line.key
        cells.setdefault(str(provider), {}).setdefault(str(priority), []).append(line)
    bys = [By.PROVIDER, By.PRIORITY]
    return [
        (
            provider,
            [_share(scope, _sum(row.get(one.value, []), ()), bys, (provider, one.value)) for one in Priority],
        )
        for provider, row in sorted(cells.items())
    ]


# --- Drawing ---

WIDTH, HEIGHT, LEFT, TOP, BASE = 720, 260, 40, 12, 226
MOST_BAR = 48


def _chart(scope: Scope, fine: Sequence[Line]) -> Chart | None:
    by_month: dict[date, list[Line]] = {}
    for line in fine:
        month = line.key[0]
        assert isinstance(month, date)
        by_month.setdefault(month, []).append(line)
    months = [_sum(lines, (month,)) for month, lines in sorted(by_month.items())]
    highest = max((one.judged for one in months), default=0)
    if not highest:
        return None
    step = _round_step(highest)
    top = -(-highest // step) * step
    slot = (WIDTH - LEFT) / len(months)
    width = min(slot * 0.7, MOST_BAR)
    bars = [_bar(scope, one, LEFT + slot * (place + 0.5), width, top) for place, one in enumerate(months)]
    ticks = [(round(_y(value, top), 1), value) for value in range(0, top + 1, step)]
    return Chart(WIDTH, HEIGHT, BASE, LEFT, bars, ticks)


def _round_step(highest: int) -> int:
    """A round number of which at most five reach the top."""
    step = 1
    while highest / step > 5:
        step = step * 5 // 2 if str(step).startswith("2") else step * 2
    return step


def _y(value: float, top: int) -> float:
    return BASE - value / top * (BASE - TOP)


def _bar(scope: Scope, line: Line, middle: float, width: float, top: int) -> MonthBar:
    month = line.key[0]
    assert isinstance(month, date)
    met_y, breached_y = _y(line.met, top), _y(line.judged, top)
    words = f"{format_date(month, 'F Y')}: {line.met} of {line.judged} in time, {percent(line.share_met)}"
    return MonthBar(
        x=round(middle - width / 2, 1),
        width=round(width, 1),
        met_y=round(met_y, 1),
        met_height=round(BASE - met_y, 1),
        breached_y=round(breached_y, 1),
        breached_height=round(met_y - breached_y, 1),
        label=format_date(month, "M y"),
        label_x=round(middle, 1),
        title=words,
        url=_url(scope, [By.MONTH], [month], "breached" if line.breached else "met"),
    )
