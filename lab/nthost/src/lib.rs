//! A modelled NT kernel in a Linux process, that runs ntwatch.sys.
