"""Rich text: one block model between the vendors' markups.

`blocks` is the model; the codecs `html` and `markdown` stand beside it, ADF's is inside the Jira connector.  `merge`
carries an edit into the other side's own text, and `losses` tells what a text lost on its way.
"""
