//! What a client says to nthost over a socket in place of Windows.
