//! A stand-in for KMDF over plain WDM.
