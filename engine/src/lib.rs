//! The logic of ntwatch.sys that needs no Windows.
