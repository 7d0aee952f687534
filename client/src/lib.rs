//! Library and command line for the events of ntwatch.sys.
