//! What ntwatch is for Windows, run on Wine. One program: tests wait for Wine most of the time, and
//! some go on on another machine meanwhile.

mod console;
mod ends;
mod images;
mod interrupt;
mod package;
mod processes;
mod recordings;
mod service;
mod typed;
mod words;
