"""Addresses for machines: the web hooks of the partners' systems."""

from django.urls import path

from integrations import hooks

urlpatterns = [path("hooks/<str:token>/", hooks.receive, name="hook")]
