"""Behaviour of the web server's entry: what is ready before the first request."""

import subprocess
import sys


def test_a_server_that_has_just_started_has_its_pages_loaded_before_the_first_request():
    loaded = subprocess.run(
        [sys.executable, "-c", "import sys, portal.wsgi; print('integrations.hooks' in sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    )

    assert loaded.stdout.strip() == "True"
