"""The API's answers: a list of linked tickets, one of them, and its timeline."""

from __future__ import annotations

from django.utils import timezone
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from integrations.services.timeline.timelines import timeline
from portal.api.permissions import MayReadTickets
from portal.api.serializers import EntrySerializer, TicketSerializer
from portal.forms.tickets import TicketFilter
from portal.tickets import find_page, linked_ticket_for, rows_for, viewer_of

MOST_A_PAGE = 200


class TicketList(APIView):
    """Linked tickets of the caller's partners, the latest change first.

    Narrowed like the page: `q`, `connection`, `partner`, `state`, `order`; `page` is a token from `next` or
    `previous`, `size` up to 200.
    """

    permission_classes = [MayReadTickets]

    def get(self, request: Request) -> Response:
        """One page."""
        form = TicketFilter(request.query_params, request.user)
        if form.errors:
            raise ValidationError(form.errors.get_json_data())
        size = _size(request.query_params.get("size", "50"))
        page = find_page(request.user, form.criteria(), request.query_params.get("page", ""), size)
        return Response(
            {
                "next": _link(request, "page", page.next),
                "previous": _link(request, "page", page.previous),
                "results": TicketSerializer(page.rows, many=True).data,
            }
        )


class TicketDetail(APIView):
    """One linked ticket."""

    permission_classes = [MayReadTickets]

    def get(self, request: Request, pk: int) -> Response:
        """The ticket; 404 when it is none of the caller's."""
        linked = linked_ticket_for(request.user, pk)
        (row,) = rows_for([linked.pk], viewer_of(request.user))
        return Response(TicketSerializer(row).data)


class TicketTimeline(APIView):
    """What happened to a linked ticket on both sides, newest first, as far as the caller may see it."""

    permission_classes = [MayReadTickets]

    def get(self, request: Request, pk: int) -> Response:
        """One page of the timeline; `next` leads to what happened before."""
        linked = linked_ticket_for(request.user, pk)
        size, older = _size(request.query_params.get("size", "50")), request.query_params.get("older", "")
        found = timeline(linked, viewer_of(request.user), now=timezone.now(), older_than=older, limit=size)
        results = EntrySerializer(found.entries, many=True).data
        return Response({"next": _link(request, "older", found.older), "results": results})


def _size(text: str) -> int:
    """How many results a page has; 400 for what is no number in its range."""
    if not text.isdecimal() or not 1 <= int(text) <= MOST_A_PAGE:
        raise ValidationError({"size": [f"A page has between 1 and {MOST_A_PAGE} results."]})
    return int(text)


def _link(request: Request, name: str, token: str) -> str | None:
    """The address of another page of the same question; None where there is none."""
    if not token:
        return None
    query = request.query_params.copy()
    query[name] = token
    return request.build_absolute_uri(f"?{query.urlencode()}")
