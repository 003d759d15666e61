"""Pages that refresh a part of themselves: the same address answers a browser with the page and htmx with the part."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.cache import patch_vary_headers


def render_live(
    request: HttpRequest, page: str, part: str, context: Mapping[str, Any], *, is_over: bool = False
) -> HttpResponse:
    """The page, or for htmx alone the part of it that is refreshed.

    `is_over`: the part changes no more.  Then htmx loads the whole page once, because what stands around the part has
    changed with it, and that page asks no more.
    """
    is_part = "HX-Request" in request.headers
    response = render(request, part if is_part else page, dict(context))
    if is_part and is_over:
        response["HX-Refresh"] = "true"
    # Neither a cache nor the back button may mix the two up.
    patch_vary_headers(response, ["HX-Request"])
    return response
