//! Files beside frames: memory and events that client and machine really share.

use crate::{LinkError, frame};
use rustix::io::Errno;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};
use serde::Serialize;
use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;

/// Sends one frame with a file beside it, which the other side gets a descriptor of its own for.
///
/// # Errors
/// As [`crate::send`].
pub fn send_with_file<T: Serialize>(
    mut to: &UnixStream,
    message: &T,
    file: impl AsFd,
) -> Result<(), LinkError> {
    let frame = frame(message)?;
    let files = [file.as_fd()];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut beside = SendAncillaryBuffer::new(&mut space);
    // The space is for this very message.
    beside.push(SendAncillaryMessage::ScmRights(&files));
    let sent = loop {
        match sendmsg(
            to,
            &[IoSlice::new(&frame)],
            &mut beside,
            SendFlags::NOSIGNAL,
        ) {
            Err(Errno::INTR) => {}
            sent => break sent.map_err(io::Error::from)?,
        }
    };
    to.write_all(&frame[sent..])?;
    Ok(())
}

/// Where frames come in, and files beside them: what [`crate::receive`] reads from on a side that
/// is sent files.
#[derive(Debug)]
pub struct Inbox<'s> {
    stream: &'s UnixStream,
    file: Option<OwnedFd>,
}

impl<'s> Inbox<'s> {
    /// Nothing has come yet.
    #[must_use]
    pub const fn new(stream: &'s UnixStream) -> Self {
        Self { stream, file: None }
    }

    /// The file that came with the frame received last.
    pub const fn take_file(&mut self) -> Option<OwnedFd> {
        self.file.take()
    }
}

impl Read for Inbox<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut beside = RecvAncillaryBuffer::new(&mut space);
        let mut into = [IoSliceMut::new(buffer)];
        let received = recvmsg(self.stream, &mut into, &mut beside, RecvFlags::CMSG_CLOEXEC)?;
        for message in beside.drain() {
            if let RecvAncillaryMessage::ScmRights(files) = message {
                // One that nobody took is closed.
                self.file = files.last().or_else(|| self.file.take());
            }
        }
        Ok(received.bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Answer, Reply, decode, receive, send};
    use rustix::fs::MemfdFlags;
    use std::fs::File;
    use std::os::unix::fs::FileExt;

    #[test]
    fn a_file_comes_with_its_own_frame_and_is_shared() {
        let (here, there) = UnixStream::pair().unwrap();
        let memory = rustix::fs::memfd_create("shared", MemfdFlags::CLOEXEC).unwrap();
        let answer = |tag| Reply::Answer {
            tag,
            answer: Answer::Handle(4),
        };
        send(&here, &answer(1)).unwrap();
        send_with_file(&here, &answer(2), &memory).unwrap();
        send(&here, &answer(3)).unwrap();

        let (mut inbox, mut buffer) = (Inbox::new(&there), Vec::new());
        let came: Vec<_> = (1..=3)
            .map(|tag| {
                assert!(receive(&mut inbox, &mut buffer).unwrap());
                assert_eq!(decode::<Reply>(&buffer).unwrap(), answer(tag));
                inbox.take_file().map(File::from)
            })
            .collect();
        let [None, Some(theirs), None] = &came[..] else {
            panic!("one file, with the second frame: {came:?}");
        };
        File::from(memory).write_at(b"here", 0).unwrap();
        let mut seen = [0; 4];
        theirs.read_exact_at(&mut seen, 0).unwrap();
        assert_eq!(&seen, b"here");
    }
}
