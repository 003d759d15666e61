"""Dropping the index that a foreign key brings along, without SQLite making the whole table anew.

Django remakes a table there for any change of a column; that takes minutes at a million rows and loses its triggers.
"""

from django.db import migrations, models


class DropIndexOfKey(migrations.AlterField):
    """The field has no index of its own any more: another one begins with its column, or nobody asks by it."""

    def database_forwards(self, app_label, schema_editor, from_state, to_state):
        model = from_state.apps.get_model(app_label, self.model_name)
        for name in own_indexes(schema_editor, model, self.name):
            schema_editor.execute(schema_editor._delete_index_sql(model, name))

    def database_backwards(self, app_label, schema_editor, from_state, to_state):
        model = to_state.apps.get_model(app_label, self.model_name)
        field = model._meta.get_field(self.name)
        if not own_indexes(schema_editor, model, self.name):
            schema_editor.execute(schema_editor._create_index_sql(model, fields=[field]))

    def describe(self):
        return f"Drop the own index of {self.name} on {self.model_name}"


def own_indexes(schema_editor, model, field_name):
    """The names of the indexes on this one column that belong to the field and not to the model."""
    named = {index.name for index in model._meta.indexes} | {one.name for one in model._meta.constraints}
    column = model._meta.get_field(field_name).column
    found = schema_editor._constraint_names(model, [column], index=True, unique=False, primary_key=False)
    return [name for name in found if name not in named]


def drop_like_indexes(schema_editor, model, field_name):
    """Drop PostgreSQL's second index of a text, which only serves `LIKE 'begins with%'`."""
    if schema_editor.connection.vendor == "postgresql":
        for name in own_indexes(schema_editor, model, field_name):
            if name.endswith("_like"):
                schema_editor.execute(schema_editor._delete_index_sql(model, name))
