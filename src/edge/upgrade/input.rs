//! What comes in behind the head of a request that asked for an upgrade: its body, for a handler that wants one.

use std::cell::RefCell;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker, ready};

use actix_codec::{AsyncWrite, Encoder, FramedParts};
use actix_http::body::BodySize;
use actix_http::error::PayloadError;
use actix_http::{BoxedPayloadStream, Payload, Response, h1};
use bytes::{Buf, Bytes};
use futures_util::Stream;

use super::Io;

/// How much is read at a time.
const READ: usize = 16 * 1024;

/// How much a body gives without a pause. Readers that read until nothing comes (`actix_ws` is one) would otherwise
/// buffer all that a fast client sends.
pub(super) const HIGH: usize = 32 * 1024;

pub(super) type Parts = FramedParts<Io, h1::Codec>;

/// A socket that the request's body reads and the driver writes. Never borrowed while code of the App or of a response's
/// body runs.
pub(super) struct Link {
    /// The socket and its buffers; none once they are claimed or the connection is over.
    parts: Option<Parts>,
    /// Whether the App still holds the body.
    pub(super) open: bool,
    /// Whether the client has said its last.
    pub(super) eof: bool,
    /// Whether the body has given out a byte, or the end: after that the socket cannot be claimed.
    pub(super) given: bool,
    /// Whether bytes were given out since this was last looked at.
    pub(super) progress: bool,
    /// Whether the head of the final answer is on its way.
    answered: bool,
    /// Bytes given since the body last said that nothing is there.
    turn: usize,
    /// Whether the client waits for a word before it sends its body (RFC 9110 §10.1.1).
    expects: bool,
    reader: Option<Waker>,
    driver: Option<Waker>,
}

impl Link {
    pub(super) fn new(parts: Parts, expects: bool) -> Rc<RefCell<Self>> {
        Rc::new(RefCell::new(Self {
            parts: Some(parts),
            open: false,
            eof: false,
            given: false,
            progress: false,
            answered: false,
            turn: 0,
            expects,
            reader: None,
            driver: None,
        }))
    }

    /// Takes the socket away, and tells a body that is still held.
    pub(super) fn take(&mut self) -> Option<Parts> {
        if let Some(reader) = self.reader.take() {
            reader.wake();
        }
        self.parts.take()
    }

    pub(super) fn parts(&mut self) -> io::Result<&mut Parts> {
        self.parts.as_mut().ok_or_else(|| io::ErrorKind::NotConnected.into())
    }

    /// Whether the App waits for the client's next byte.
    pub(super) fn is_awaited(&self) -> bool {
        self.reader.is_some()
    }

    /// The driver is to look again when the body is dropped, or at its end.
    pub(super) fn watch(&mut self, cx: &Context<'_>) {
        self.driver = Some(cx.waker().clone());
    }

    fn tell_driver(&mut self) {
        if let Some(driver) = self.driver.take() {
            driver.wake();
        }
    }

    /// Puts a piece of the answer behind what waits to be written. After the first one no 100 is sent any more.
    pub(super) fn put(&mut self, message: h1::Message<(Response<()>, BodySize)>) -> io::Result<()> {
        self.answered = true;
        self.expects = false;
        let Parts { codec, write_buf, .. } = self.parts()?;
        codec.encode(message, write_buf)
    }

    /// Writes what waits to be written. Ready when nothing does; `wrote` is set when some of it went.
    pub(super) fn poll_write(&mut self, cx: &mut Context<'_>, wrote: &mut bool) -> Poll<io::Result<()>> {
        let parts = self.parts()?;
        while !parts.write_buf.is_empty() {
            // Asked each time, since that spends of the task's budget: an endless body cannot keep the thread.
            ready!(parts.io.poll_write_ready(cx))?;
            match parts.io.try_write(&parts.write_buf) {
                Ok(0) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Ok(count) => {
                    parts.write_buf.advance(count);
                    *wrote = true;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Tells the client that nothing more will come.
    pub(super) fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.parts()?.io).poll_shutdown(cx)
    }

    /// Reads and throws away. Ready at the client's end.
    pub(super) fn poll_discard(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.eof {
            return Poll::Ready(Ok(()));
        }
        let parts = self.parts()?;
        loop {
            // The readiness is asked for each time, since that spends of the task's budget: a fast client cannot keep
            // the thread.
            ready!(parts.io.poll_read_ready(cx))?;
            parts.read_buf.clear();
            parts.read_buf.reserve(READ);
            match parts.io.try_read_buf(&mut parts.read_buf) {
                Ok(0) => {
                    self.eof = true;
                    return Poll::Ready(Ok(()));
                }
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }

    /// The next bytes: what was read ahead, then the socket's. Nothing at the client's end.
    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Option<Bytes>>> {
        if self.eof {
            return Poll::Ready(Ok(None));
        }
        if self.expects {
            self.expects = false;
            self.parts()?.write_buf.extend_from_slice(b"HTTP/1.1 100 Continue\r\n\r\n");
        }
        if !self.answered {
            // From the answer on the driver writes. The few bytes that are not taken before go with it.
            let _ = self.poll_write(cx, &mut false)?;
        }
        let parts = self.parts()?;
        while parts.read_buf.is_empty() {
            ready!(parts.io.poll_read_ready(cx))?;
            parts.read_buf.reserve(READ);
            match parts.io.try_read_buf(&mut parts.read_buf) {
                Ok(0) => {
                    self.eof = true;
                    return Poll::Ready(Ok(None));
                }
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
        Poll::Ready(Ok(Some(std::mem::take(&mut parts.read_buf).freeze())))
    }
}

/// The request's body. It reads nothing until it is polled, so that a handler that never does leaves every byte for
/// whoever claims the socket.
pub(super) struct Input(Rc<RefCell<Link>>);

impl Input {
    pub(super) fn new(link: Rc<RefCell<Link>>) -> Self {
        link.borrow_mut().open = true;
        Self(link)
    }

    pub(super) fn into_payload(self) -> Payload {
        Payload::from(Box::pin(self) as BoxedPayloadStream)
    }
}

impl Stream for Input {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let mut link = self.0.borrow_mut();
        if link.turn >= HIGH {
            link.turn = 0;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        link.reader = None;
        match link.poll_read(cx) {
            Poll::Pending => {
                link.turn = 0;
                link.reader = Some(cx.waker().clone());
                Poll::Pending
            }
            Poll::Ready(Ok(Some(bytes))) => {
                link.given = true;
                link.progress = true;
                link.turn += bytes.len();
                Poll::Ready(Some(Ok(bytes)))
            }
            Poll::Ready(Ok(None)) => {
                link.given = true;
                link.tell_driver();
                Poll::Ready(None)
            }
            Poll::Ready(Err(error)) => {
                link.eof = true;
                link.given = true;
                link.tell_driver();
                Poll::Ready(Some(Err(PayloadError::Incomplete(Some(error)))))
            }
        }
    }
}

impl Drop for Input {
    fn drop(&mut self) {
        let mut link = self.0.borrow_mut();
        link.open = false;
        link.reader = None;
        link.tell_driver();
    }
}
