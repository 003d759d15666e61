"""What a web server starts: `gunicorn portal.wsgi`."""

import os

from django.core.wsgi import get_wsgi_application
from django.urls import get_resolver

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")

application = get_wsgi_application()
# Django would load the views with the first request; the web hooks that wait for a server that has just been started
# are to be answered as quickly as all others.
get_resolver().url_patterns  # noqa: B018
