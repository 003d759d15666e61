"""`manage.py demo`: the reference scenario on sandboxes, a story played in it, and a verdict on what came of it.

`place` says where a demo keeps its things, `processes` starts and stops what runs, `seed` fills the database,
`story` is what happens and `ending` what should come of it, `verdict` compares, `report` prints.
"""
