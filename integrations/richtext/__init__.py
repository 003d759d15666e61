"""Rich text: one block model between the vendors' markups.  `blocks` is the model; the codecs stand beside it."""
