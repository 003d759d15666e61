"""`manage.py add_administrator ada`: the first person of an installation, who then adds the others in the portal."""

from __future__ import annotations

import getpass
import sys
from typing import Any

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction

from portal import access
from portal.models import User


class Command(BaseCommand):
    """Gives somebody the administrator's role, making the account if there is none.  Repeatable."""

    help = "Makes an administrator: a new account, or one that is there already."

    def add_arguments(self, parser: CommandParser) -> None:
        """The user name; the password is asked for, or read from standard input where nobody can be asked."""
        parser.add_argument("username")

    def handle(self, *args: Any, **options: Any) -> None:
        """Do it, or say in a sentence why not; then nothing was changed."""
        username = options["username"].strip()
        user = User.objects.filter(username=username).first()
        try:
            if user is None:
                user = User(username=username)
                user.set_password(new_password(user))
                user.full_clean()
            with transaction.atomic():
                user.save()
                access.grant(user, access.Role.ADMINISTRATOR)
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from error
        except access.AccessError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{user} is an administrator.")


def new_password(user: User) -> str:
    """A password typed twice at a terminal, or the first line of standard input; ValidationError for a weak one."""
    if sys.stdin.isatty():
        password = getpass.getpass("Password: ")
        if getpass.getpass("Again: ") != password:
            raise ValidationError("The two passwords differ.")
    else:
        password = sys.stdin.readline().rstrip("\n")
    validate_password(password, user)
    return password
