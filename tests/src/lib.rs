//! What ntwatch promises, checked end to end.
