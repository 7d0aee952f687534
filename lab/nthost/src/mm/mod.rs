//! Memory: MDLs, sections and views of them, and the addresses of the kernel's own functions.

pub(crate) mod mdl;
pub(crate) mod routine;
pub(crate) mod section;
pub(crate) mod system;
#[cfg(test)]
mod tests;
mod view;

pub use mdl::UserMdl;
pub(crate) use section::Section;
pub use system::Mm;
pub use view::View;
