//! The size of a function's frame, from its unwind data.

use thiserror::Error;

use crate::pe::Image;

/// Unwind data that says nothing of the frame's size.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum UnwindError {
    /// It ends too early.
    #[error("the UNWIND_INFO at {0:#x} ends too early")]
    Short(u32),
    /// A version other than 1.
    #[error("the UNWIND_INFO at {0:#x} has version {1}")]
    Version(u32, u8),
    /// It goes on elsewhere.
    #[error("the UNWIND_INFO at {0:#x} is chained: a function in pieces")]
    Chained(u32),
    /// An operation that is not documented, or is for interrupts.
    #[error("the UNWIND_INFO at {0:#x} has operation {1}")]
    Operation(u32, u8),
}

const UNW_FLAG_CHAININFO: u8 = 4;

/// Bytes that the function with the `UNWIND_INFO` at `address` pushes and allocates, without its
/// return address (page "x64 exception handling", sections "struct `UNWIND_INFO`" and "Unwind
/// operation code").
///
/// # Errors
/// When the data does not say.
pub fn frame_size(image: &Image<'_>, address: u32) -> Result<u32, UnwindError> {
    of_bytes(address, image.bytes_at(address))
}

fn of_bytes(address: u32, bytes: &[u8]) -> Result<u32, UnwindError> {
    let short = UnwindError::Short(address);
    let &[version_flags, _, count, _, ref codes @ ..] = bytes else {
        return Err(short);
    };
    let (version, flags) = (version_flags & 7, version_flags >> 3);
    if version != 1 {
        return Err(UnwindError::Version(address, version));
    }
    if flags & UNW_FLAG_CHAININFO != 0 {
        return Err(UnwindError::Chained(address));
    }
    let (codes, _) = codes.as_chunks::<2>();
    let mut codes = codes.get(..count.into()).ok_or(short)?.iter();
    let mut size: u32 = 0;
    while let Some(&[_, code]) = codes.next() {
        let mut slot = || {
            let slot = codes.next().ok_or(UnwindError::Short(address))?;
            Ok(u32::from(u16::from_le_bytes(*slot)))
        };
        let info = u32::from(code >> 4);
        let bytes = match (code & 15, info) {
            (operation::PUSH_NONVOL, _) => 8,
            (operation::ALLOC_SMALL, _) => info * 8 + 8,
            (operation::ALLOC_LARGE, 0) => slot()? * 8,
            (operation::ALLOC_LARGE, 1) => slot()? | slot()? << 16,
            (operation::SET_FPREG, _) => 0,
            (operation::SAVE_NONVOL | operation::SAVE_XMM128, _) => {
                slot()?;
                0
            }
            (operation::SAVE_NONVOL_FAR | operation::SAVE_XMM128_FAR, _) => {
                slot()?;
                slot()?;
                0
            }
            (operation, _) => return Err(UnwindError::Operation(address, operation)),
        };
        size = size.saturating_add(bytes);
    }
    Ok(size)
}

mod operation {
    pub(super) const PUSH_NONVOL: u8 = 0;
    pub(super) const ALLOC_LARGE: u8 = 1;
    pub(super) const ALLOC_SMALL: u8 = 2;
    pub(super) const SET_FPREG: u8 = 3;
    pub(super) const SAVE_NONVOL: u8 = 4;
    pub(super) const SAVE_NONVOL_FAR: u8 = 5;
    pub(super) const SAVE_XMM128: u8 = 8;
    pub(super) const SAVE_XMM128_FAR: u8 = 9;
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_frame_is_what_is_pushed_and_allocated() {
        // push rsi; push rdi; sub rsp, 40
        let small = [1, 6, 3, 0, 6, 0x42, 2, 0x70, 1, 0x60];
        assert_eq!(of_bytes(0, &small), Ok(56));
        // sub rsp, 600, with xmm6 saved in it
        let large = [1, 15, 4, 0, 15, 0x68, 35, 0, 7, 0x01, 75, 0];
        assert_eq!(of_bytes(0, &large), Ok(600));
        // sub rsp, 0x12340
        let huge = [1, 7, 3, 0, 7, 0x11, 0x40, 0x23, 1, 0];
        assert_eq!(of_bytes(0, &huge), Ok(0x12340));
    }

    #[test]
    fn a_function_in_pieces_is_not_guessed_at() {
        assert_eq!(of_bytes(7, &[0x21, 0, 0, 0]), Err(UnwindError::Chained(7)));
    }

    proptest! {
        #[test]
        fn any_bytes_have_a_size_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            let _ = of_bytes(0, &bytes);
        }
    }
}
