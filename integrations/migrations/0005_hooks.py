"""Web hooks as the vendor lists them, and findings about them."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('integrations', '0004_people'),
    ]

    operations = [
        migrations.AlterField(
            model_name='systemfinding',
            name='code',
            field=models.CharField(choices=[('field_gone', 'Field gone'), ('value_gone', 'Value gone'), ('newly_required', 'Newly required'), ('field_read_only', 'No longer writable'), ('kind_changed', 'Another kind of field'), ('limit_shorter', 'Shorter limit'), ('value_new', 'New value'), ('hook_missing', 'Web hook missing'), ('hook_off', 'Web hook switched off'), ('hook_silent', 'Web hooks silent')], max_length=40),
        ),
        migrations.AlterField(
            model_name='systemfinding',
            name='field',
            field=models.CharField(blank=True, max_length=120),
        ),
        migrations.CreateModel(
            name='HookStanding',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('state', models.CharField(choices=[('unknown', 'Not looked yet'), ('there', 'Registered'), ('off', 'Switched off there'), ('partly', 'Registered in part'), ('missing', 'Not registered')], default='unknown', max_length=10)),
                ('is_expected', models.BooleanField(default=False)),
                ('looked_at', models.DateTimeField(blank=True, null=True)),
                ('registered_at', models.DateTimeField(blank=True, null=True)),
                ('removed_at', models.DateTimeField(blank=True, null=True)),
                ('problem_code', models.CharField(blank=True, max_length=40)),
                ('problem', models.CharField(blank=True, max_length=500)),
                ('due_at', models.DateTimeField(blank=True, null=True)),
                ('claimed_until', models.DateTimeField(blank=True, null=True)),
                ('system', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, related_name='hook_standing', to='integrations.system')),
            ],
        ),
    ]
