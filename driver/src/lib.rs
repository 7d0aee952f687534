//! ntwatch.sys: process activity of Windows, as a stream of events.
