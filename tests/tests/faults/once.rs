//! One call of the driver's that is answered in the function's place.

use nthost::verify::{Call, Decision, Watch};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Decides about the first call of a function that a certain function leads to.
pub(crate) struct Once {
    function: &'static str,
    from: &'static str,
    decide: fn() -> Decision,
    is_over: AtomicBool,
}

impl Once {
    /// `from` is a part of that function's name.
    pub(crate) fn new(
        function: &'static str,
        from: &'static str,
        decide: fn() -> Decision,
    ) -> Arc<Self> {
        Arc::new(Self {
            function,
            from,
            decide,
            is_over: AtomicBool::new(false),
        })
    }
}

impl Watch for Once {
    fn enter(&self, call: &Call<'_>) -> Decision {
        let is_it = call.export.name == self.function
            && call.stack().to_string().contains(self.from)
            && !self.is_over.swap(true, Ordering::Relaxed);
        match is_it {
            true => (self.decide)(),
            false => Decision::Call,
        }
    }
}
