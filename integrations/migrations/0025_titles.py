import django.db.models.deletion
from django.db import DatabaseError, migrations, models, transaction

# Kept by the database itself: whoever writes a ticket's title, and however, it is found by it.
POSTGRES = """
CREATE FUNCTION integrations_keep_title() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO integrations_tickettitle (ticket_id, system_id, title) VALUES (NEW.id, NEW.system_id, NEW.title)
    ON CONFLICT (ticket_id) DO UPDATE SET title = EXCLUDED.title;
    RETURN NULL;
END $$;
CREATE TRIGGER ticket_title_new AFTER INSERT ON integrations_ticket
    FOR EACH ROW WHEN (NEW.title <> '') EXECUTE FUNCTION integrations_keep_title();
CREATE TRIGGER ticket_title_changed AFTER UPDATE OF title ON integrations_ticket
    FOR EACH ROW WHEN (NEW.title IS DISTINCT FROM OLD.title) EXECUTE FUNCTION integrations_keep_title();
"""
POSTGRES_BACK = """
DROP TRIGGER ticket_title_new ON integrations_ticket;
DROP TRIGGER ticket_title_changed ON integrations_ticket;
DROP FUNCTION integrations_keep_title();
"""
# Whatever remakes integrations_ticket on SQLite drops its triggers; a test sees to it that they are there at the end.
SQLITE_WORDS = (
    """
    CREATE VIRTUAL TABLE integrations_tickettitle_words USING fts5(
        title, content='integrations_tickettitle', content_rowid='ticket_id', tokenize='trigram'
    )""",
    """
    CREATE TRIGGER title_words_new AFTER INSERT ON integrations_tickettitle BEGIN
        INSERT INTO integrations_tickettitle_words (rowid, title) VALUES (NEW.ticket_id, NEW.title);
    END""",
    """
    CREATE TRIGGER title_words_changed AFTER UPDATE ON integrations_tickettitle BEGIN
        INSERT INTO integrations_tickettitle_words (integrations_tickettitle_words, rowid, title)
            VALUES ('delete', OLD.ticket_id, OLD.title);
        INSERT INTO integrations_tickettitle_words (rowid, title) VALUES (NEW.ticket_id, NEW.title);
    END""",
    """
    CREATE TRIGGER title_words_gone AFTER DELETE ON integrations_tickettitle BEGIN
        INSERT INTO integrations_tickettitle_words (integrations_tickettitle_words, rowid, title)
            VALUES ('delete', OLD.ticket_id, OLD.title);
    END""",
)
SQLITE = (
    """
    CREATE TRIGGER ticket_title_new AFTER INSERT ON integrations_ticket WHEN NEW.title <> '' BEGIN
        INSERT INTO integrations_tickettitle (ticket_id, system_id, title) VALUES (NEW.id, NEW.system_id, NEW.title);
    END""",
    """
    CREATE TRIGGER ticket_title_changed AFTER UPDATE OF title ON integrations_ticket
    WHEN NEW.title IS NOT OLD.title BEGIN
        INSERT INTO integrations_tickettitle (ticket_id, system_id, title) VALUES (NEW.id, NEW.system_id, NEW.title)
        ON CONFLICT (ticket_id) DO UPDATE SET title = excluded.title;
    END""",
)
SQLITE_BACK = (
    "DROP TRIGGER ticket_title_new",
    "DROP TRIGGER ticket_title_changed",
    "DROP TRIGGER IF EXISTS title_words_new",
    "DROP TRIGGER IF EXISTS title_words_changed",
    "DROP TRIGGER IF EXISTS title_words_gone",
    "DROP TABLE IF EXISTS integrations_tickettitle_words",
)
# Those that are there already.
ENTER = """
INSERT INTO integrations_tickettitle (ticket_id, system_id, title)
SELECT id, system_id, title FROM integrations_ticket WHERE title <> ''
"""


def make(apps, schema_editor):
    connection = schema_editor.connection
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            make_words(connection, cursor)
            for statement in SQLITE:
                cursor.execute(statement)
            cursor.execute(ENTER)
            return
        cursor.execute(POSTGRES)
        cursor.execute(ENTER)
        place = place_of_trigrams(connection, cursor)
        if place:
            operators = f"{connection.ops.quote_name(place)}.gin_trgm_ops"
            # The expression that a search without regard to case compares.
            cursor.execute(
                "CREATE INDEX ticket_title_words ON integrations_tickettitle "
                f"USING gin (upper(title::text) {operators})"
            )


def make_words(connection, cursor):
    """The table of words; none where SQLite was built without it, and then titles are gone through one by one."""
    try:
        with transaction.atomic(using=connection.alias):
            for statement in SQLITE_WORDS:
                cursor.execute(statement)
    except DatabaseError:
        pass


def place_of_trigrams(connection, cursor):
    """The schema of PostgreSQL's extension for groups of letters; none where we may not create it.

    Then the titles are gone through one by one, which takes a second or two at a million.
    """
    try:
        with transaction.atomic(using=connection.alias):
            # Not in the schema of a demo, which goes with everything in it.
            cursor.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm WITH SCHEMA public")
    except DatabaseError:
        return None
    cursor.execute(
        "SELECT nspname FROM pg_extension JOIN pg_namespace ON pg_namespace.oid = extnamespace "
        "WHERE extname = 'pg_trgm'"
    )
    return cursor.fetchone()[0]


def unmake(apps, schema_editor):
    connection = schema_editor.connection
    with connection.cursor() as cursor:
        if connection.vendor != "sqlite":
            cursor.execute(POSTGRES_BACK)
            return
        for statement in SQLITE_BACK:
            cursor.execute(statement)


class Migration(migrations.Migration):

    dependencies = [
        ('integrations', '0024_twin_index'),
    ]

    operations = [
        migrations.CreateModel(
            name='TicketTitle',
            fields=[
                ('ticket', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='searched_title', serialize=False, to='integrations.ticket')),
                ('title', models.CharField(max_length=300)),
                ('system', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='integrations.system')),
            ],
        ),
        migrations.RunPython(make, unmake),
    ]
