"""Field rules as pure functions.  Knows neither Django nor vendors: `rules` are the values, `plan` applies them."""
