"""Which field of the data dictionary a waiting change is about, so that its row can lead to the page that explains it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from integrations.models import Delivery, DictionaryField, FieldRule, Lane, MappingSet


def explained_fields(lanes: Iterable[Lane], heads: Mapping[int, Delivery]) -> dict[int, str]:
    """A field by its name in the dictionary, by lane; none where the change carries no field.  Two queries at most.

    A change that the sender's rules could not tell knows its own field only: the rules say what that is called.
    """
    waiting = [(lane, heads[lane.pk]) for lane in lanes if lane.pk in heads]
    connections = {lane.connection_id for lane, head in waiting if _own_names(head)}
    if not connections:
        return {}
    known = set(DictionaryField.objects.filter(connection__in=connections).values_list("connection", "name"))
    untold = {lane.connection_id for lane, head in waiting if head.problem}
    told: dict[tuple[int, str], str] = {}
    if untold:
        rules = FieldRule.objects.filter(
            mapping_set__side__connection__in=untold,
            mapping_set__direction=MappingSet.Direction.OUTGOING,
            mapping_set__state=MappingSet.State.PUBLISHED,
        )
        for side_id, source, target in rules.values_list("mapping_set__side", "source", "target"):
            told.setdefault((side_id, source), target)
    found = {}
    for lane, head in waiting:
        senders = {side for side, _ in told if side != lane.target_id}
        names = [
            *head.envelope.get("fields", {}),
            *(told.get((side, name), "") for name in _own_names(head) for side in senders),
        ]
        if name := next((one for one in names if (lane.connection_id, one) in known), ""):
            found[lane.pk] = name
    return found


def _own_names(head: Delivery) -> list[str]:
    if head.operation in (Delivery.Op.COMMENT, Delivery.Op.FILE, *Delivery.OF_RECEIVER):
        return []
    named = [str(head.problem["field"])] if head.problem.get("field") else []
    return [*named, *head.envelope.get("changed", ()), *head.envelope.get("fields", {})]
