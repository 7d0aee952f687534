//! A lock-free byte ring: many producers, one consumer.
