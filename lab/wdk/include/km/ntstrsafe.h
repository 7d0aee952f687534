/* Counted string functions of C drivers. wdk-sys includes this header; Rust needs nothing of it. */
#pragma once
