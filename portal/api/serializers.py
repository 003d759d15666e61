"""The API's answers as JSON.  Every field is named here: what is not named does not leave."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from integrations.services.timeline.entries import Remark


class EndSerializer(serializers.Serializer[Any]):
    """One side of a linked ticket; `key` and `url` are empty on the other company's side."""

    partner = serializers.CharField()
    system = serializers.CharField(source="kind")
    key = serializers.CharField()
    url = serializers.CharField()
    exists = serializers.BooleanField(source="is_there")


class TicketSerializer(serializers.Serializer[Any]):
    """A linked ticket in a list."""

    id = serializers.IntegerField(source="pk")
    number = serializers.CharField()
    title = serializers.CharField()
    state = serializers.CharField()
    connection = serializers.CharField()
    opened_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()
    records = EndSerializer(source="ends", many=True)


class ChangeSerializer(serializers.Serializer[Any]):
    """One field that changed."""

    field = serializers.CharField(source="label")
    before = serializers.CharField()
    after = serializers.CharField()


class FileSerializer(serializers.Serializer[Any]):
    """A file, by name and size."""

    name = serializers.CharField()
    size_bytes = serializers.IntegerField()


class RemarkSerializer(serializers.Serializer[Remark]):
    """One comment as plain text; `text` is null for an internal note that stayed with its company."""

    author = serializers.CharField()
    is_public = serializers.BooleanField()
    text = serializers.SerializerMethodField()
    files = FileSerializer(many=True)

    def get_text(self, remark: Remark) -> str | None:
        """The words without markup."""
        return None if remark.body is None else remark.body.plain()


class SentSerializer(serializers.Serializer[Any]):
    """What became of a change on its way to the other side."""

    to = serializers.CharField(source="partner")
    what = serializers.CharField()
    state = serializers.CharField(source="fate")
    at = serializers.DateTimeField()


class EntrySerializer(serializers.Serializer[Any]):
    """One entry of the timeline, in its own system's time."""

    at = serializers.DateTimeField()
    kind = serializers.CharField()
    partner = serializers.CharField()
    system = serializers.CharField()
    ticket = serializers.CharField()
    author = serializers.CharField()
    is_own = serializers.BooleanField()
    changes = ChangeSerializer(many=True)
    comments = RemarkSerializer(source="remarks", many=True)
    files = FileSerializer(many=True)
    deliveries = SentSerializer(source="sent", many=True)
