//! What ntwatch.sys and its clients say to each other: event records, IOCTLs, versions.
