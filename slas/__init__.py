"""Service levels: clocks, agreements, custody and reports."""
