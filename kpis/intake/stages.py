"""The stages of the pipeline: agreed in the settings, uploaded, or read from the data and said to be guessed."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import pyarrow as pa

from kpis.engine import Embedded
from kpis.intake.tables import working
from kpis.intake.words import outcome, plain
from kpis.settings import Settings

_NUMBER = re.compile(r"^\W*(\d{1,2})\b|^\W*(\d{1,2})(?=[\W_])")
_EARLY = re.compile(
    r"\b(prospect\w*|leads?|suspects?|new|unqualified|backlog|identif\w+|inbox|incoming|target\w*|interesse\w*|kontakt\w*)\b"
)
_USUAL = (
    r"suspect|backlog|inbox|incoming|unqualified|new\b|lead",
    r"prospect|target|identif|kontakt",
    r"qualif|contact|engag|interest|connect|appointment|meeting|intro",
    r"discover|need|analy|develop|assess|diagnos|evaluat|solution|scop",
    r"demo|present|trial|poc|proof|pilot|valid|value prop|decision",
    r"propos|quote|pric|angebot|offer|rfp",
    r"negotiat|review|verhandl|legal|procure|security",
    r"verbal|commit|contract|sign|close|closing|final|order",
)
"""What stages are usually called, from the first to the last."""
_QUALIFYING = re.compile(r"\b(qualif\w+|quali)\b")


@dataclass(frozen=True)
class Found:
    """A stage seen in the data or given; None where nothing tells."""

    stage: str
    pipeline: str | None = None
    position: float | None = None
    is_qualified: int | None = None
    is_won: int | None = None
    is_lost: int | None = None
    default_probability: float | None = None


def outcomes(given: Sequence[Found], seen: Sequence[str]) -> dict[str, str]:
    """What each stage says about the outcome: its flags, else its name."""
    result = {s: says for s in seen if (says := outcome(s))}
    for stage in given:
        if stage.is_won:
            result[stage.stage] = "won"
        elif stage.is_lost:
            result[stage.stage] = "lost"
        elif stage.is_won == 0 and stage.is_lost == 0:
            result.pop(stage.stage, None)
    return result


def given(engine: Embedded, settings: Settings, uploaded: bool) -> list[Found]:
    """The stages of the settings, else of an uploaded table."""
    if settings.stages:
        return [
            Found(s.stage, None, s.position, int(s.is_qualified), int(s.is_won), int(s.is_lost), s.default_probability)
            for s in settings.stages
        ]
    if not uploaded:
        return []
    name = working("stages")
    closed = "CASE WHEN is_lost IS NULL AND is_won = 0 AND is_closed = 1 THEN 1 ELSE is_lost END"
    rows = engine.execute(
        f"SELECT stage, any_value(pipeline), min(position), max(is_qualified), max(is_won), max({closed}), max(default_probability) FROM {name} WHERE _why IS NULL AND NOT _merged GROUP BY stage ORDER BY min(position), stage"
    ).fetchall()
    return [Found(*row) for row in rows]


def order(
    stages: Sequence[Found], first_seen: Callable[[], Mapping[str, float]], says: Mapping[str, str]
) -> tuple[list[Found], str]:
    """The stages in the order of the process, and what the order comes from.

    Open stages by given positions, else by the number their names begin with, else by default probability,
    else by the place at which deals first reach them, else by what stages are usually called, else by name; then
    won and lost.
    """
    open_ones = [s for s in stages if says.get(s.stage) not in ("won", "lost", "closed", "void")]
    ends = [s for s in stages if s not in open_ones]
    numbered = {s.stage: int(m[1] or m[2]) for s in open_ones if (m := _NUMBER.match(s.stage))}
    probabilities = {s.stage: s.default_probability for s in open_ones if s.default_probability is not None}
    choices: list[tuple[Callable[[], Mapping[str, float]], str]] = [
        (lambda: {s.stage: s.position for s in open_ones if s.position is not None}, "the positions given"),
        (lambda: numbered, "the numbers in their names"),
        (lambda: probabilities, "their probabilities"),
        (first_seen, "the order in which deals reach them"),
        (lambda: _usual_places([s.stage for s in open_ones]), "what stages are usually called"),
    ]
    places: Mapping[str, float] = {}
    source = "their names" if len(open_ones) > 1 else "the only one"
    for choice, what in choices:
        found = choice()
        named = {s.stage for s in open_ones if s.stage in found}
        apart = len({found[n] for n in named}) == len(named) or what == "the positions given"
        if named and len(named) >= 0.66 * len(open_ones) and apart:
            places, source = found, what
            break
    ordered = sorted(open_ones, key=lambda s: (places.get(s.stage, 1e9), plain(s.stage)))
    ends.sort(key=lambda s: (says.get(s.stage) != "won", s.position or 0, s.stage))
    return [replace(s, position=n) for n, s in enumerate([*ordered, *ends], 1)], source


def _usual_places(names: Sequence[str]) -> dict[str, float]:
    """Stage -> place of the first word of its name that stages are usually called by."""
    return {
        name: place
        for name in names
        for place, words in reversed(list(enumerate(_USUAL)))
        if re.search(rf"\b(?:{words})", plain(name).replace("_", " "))
    }


def qualified(stages: Sequence[Found], says: Mapping[str, str]) -> list[Found]:
    """Every open stage counts as qualified but a first one that reads like prospecting (or, of three or more, like qualifying)."""
    open_ones = [s.stage for s in stages if says.get(s.stage) not in ("won", "lost", "closed", "void")]
    result = []
    for s in stages:
        first = bool(open_ones) and s.stage == open_ones[0]
        name = plain(s.stage).replace("_", " ")
        early = (
            first
            and len(open_ones) > 1
            and bool(_EARLY.search(name) or (len(open_ones) >= 3 and _QUALIFYING.search(name)))
        )
        guess = 0 if early or says.get(s.stage) in ("lost", "void") else 1
        end = says.get(s.stage)
        result.append(
            replace(
                s,
                is_qualified=guess if s.is_qualified is None else s.is_qualified,
                is_won=int(end == "won"),
                is_lost=int(end == "lost"),
            )
        )
    return result


def build(
    engine: Embedded, agreed: Sequence[Found], says: Mapping[str, str], settings: Settings, has_history: bool
) -> list[str]:
    """Write the table of stages; returns the notes on what was guessed."""
    names = _seen(engine, has_history)
    known = {s.stage for s in agreed}
    extra = [s for s in names if s.stage not in known]
    every = [*agreed, *extra]
    ordered, source = order(every, lambda: _first_seen(engine) if has_history else {}, says)
    ordered = qualified(ordered, says)
    engine.register(
        "stages",
        pa.table(
            {
                "pipeline": pa.array([s.pipeline for s in ordered], pa.string()),
                "stage": pa.array([s.stage for s in ordered], pa.string()),
                "position": pa.array([int(s.position or 0) for s in ordered], pa.int64()),
                **{
                    f: pa.array([getattr(s, f) for s in ordered], pa.int8())
                    for f in ("is_qualified", "is_won", "is_lost")
                },
                "default_probability": pa.array([s.default_probability for s in ordered], pa.float64()),
            }
        ),
    )
    return _notes(agreed, extra, ordered, source, settings)


def _notes(
    agreed: Sequence[Found], extra: Sequence[Found], ordered: Sequence[Found], source: str, settings: Settings
) -> list[str]:
    notes = []
    if agreed and extra:
        where = "settings" if settings.stages else "stages table"
        notes.append(f"Stages in the deals but not in the {where}: {', '.join(s.stage for s in extra)}")
    if not ordered:
        return ["The deals have no stages: they are looked at as one stage, by their age"]
    if not agreed:
        notes.append(
            f"The stages are read from the data and guessed: {' > '.join(s.stage for s in ordered)}; their order is by {source}. Agree on them in the settings"
        )
    unsaid = {s.stage for s in [*agreed, *extra] if s.is_qualified is None}
    guessed = [s for s in ordered if s.stage in unsaid and not (s.is_won or s.is_lost)]
    if guessed:
        yes, no = ([s.stage for s in guessed if bool(s.is_qualified) is wanted] for wanted in (True, False))
        said = "; ".join(
            f"{', '.join(names)} {verb}" for names, verb in ((yes, "qualified"), (no, "not yet qualified")) if names
        )
        notes.append(f"Which stages count as qualified is guessed: {said}. Agree on it in the settings")
    return notes


def names(engine: Embedded, has_history: bool) -> list[str]:
    """Every stage named in opportunities and history."""
    places = ["opportunities", *(["opportunity_history"] if has_history else [])]
    each = " UNION ".join(f"SELECT stage FROM {working(t)} WHERE stage IS NOT NULL" for t in places)
    return [row[0] for row in engine.execute(each).fetchall()]


def _seen(engine: Embedded, has_history: bool) -> list[Found]:
    """Every stage in opportunities and history, with what the opportunities tell about it."""
    deals = working("opportunities")
    also = "UNION SELECT stage FROM opportunity_history" if has_history else ""
    rows = engine.execute(
        f"""
        SELECT s.stage, mode(o.pipeline), median(o.stage_position), CASE WHEN quantile_cont(o.probability, 0.9) - quantile_cont(o.probability, 0.1) < 0.01 THEN median(o.probability) END
        FROM (SELECT DISTINCT stage FROM {deals} WHERE _why IS NULL AND NOT _merged {also}) s
        LEFT JOIN {deals} o ON o.stage = s.stage AND o._why IS NULL AND NOT o._merged AND o.status = 'open' WHERE s.stage IS NOT NULL GROUP BY 1 ORDER BY 1
        """
    ).fetchall()
    return [Found(stage, pipeline, position, default_probability=chance) for stage, pipeline, position, chance in rows]


def _first_seen(engine: Embedded) -> dict[str, float]:
    """Stage -> median place in the order in which deals first reach their stages (the mean parts equals)."""
    rows = engine.execute(
        """
        WITH firsts AS (SELECT opportunity_id, stage, min(seq) AS first FROM opportunity_history WHERE stage IS NOT NULL AND hash(opportunity_id) % greatest(1, (SELECT count(*) FROM opportunity_history) // 500000) = 0 GROUP BY ALL),
        places AS (SELECT stage, row_number() OVER (PARTITION BY opportunity_id ORDER BY first) AS place FROM firsts)
        SELECT stage, median(place) + avg(place) / 1000 FROM places GROUP BY 1
        """
    ).fetchall()
    return dict(rows)
