//! Writes the App's answer to a request that asked for an upgrade, and sees the connection to its end.

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use actix_http::body::{BodySize, BoxBody, MessageBody};
use actix_http::{ConnectionType, Response, StatusCode, h1};
use actix_rt::time::{Sleep, sleep, timeout};

use super::OnUpgrade;
use super::input::{HIGH, Link};

/// How long a client may take none of what waits for it.
const STUCK: Duration = Duration::from_secs(30);

/// How long a connection that is done waits for its client to see that, so that no RST overtakes the answer's last bytes.
const LINGER: Duration = Duration::from_secs(1);

/// What became of an answer.
pub(super) enum Outcome {
    /// It is written, head and body.
    Answered {
        /// Whether it was a 101, served through its body.
        switched: bool,
    },
    /// Its head is written, and the socket is the handler's.
    Claimed(OnUpgrade),
}

/// Writes what waits to be written.
pub(super) async fn flush(link: &RefCell<Link>) -> io::Result<()> {
    let written = poll_fn(|cx| link.borrow_mut().poll_write(cx, &mut false));
    timeout(STUCK, written).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

/// Writes the answer. A claim holds only while the request's body gave nothing out, else the socket's stream would have
/// a hole; that is the handler's mistake, and a 500.
pub(super) async fn answer(
    link: &Rc<RefCell<Link>>,
    mut response: Response<BoxBody>,
    without_body: bool,
) -> io::Result<Outcome> {
    let mut claim = None;
    if response.status() == StatusCode::SWITCHING_PROTOCOLS {
        claim = response.extensions_mut().remove::<OnUpgrade>();
        if claim.is_some() && link.borrow().given {
            tracing::error!("a handler claimed a socket after it had read from it");
            claim = None;
            response = Response::internal_server_error();
        }
    }
    let switched = response.status() == StatusCode::SWITCHING_PROTOCOLS;
    if !switched {
        // The socket cannot go back to where it came from, so the connection ends with the answer; and the codec, told to
        // upgrade, would announce chunks and write none.
        response.head_mut().no_chunking(true);
        response.head_mut().set_connection_type(ConnectionType::Close);
    }
    let (head, body) = response.into_parts();
    if let Some(claim) = claim {
        link.borrow_mut().put(h1::Message::Item((head, BodySize::None)))?;
        flush(link).await?;
        return Ok(Outcome::Claimed(claim));
    }
    link.borrow_mut().put(h1::Message::Item((head, body.size())))?;
    write_body(link, (!without_body).then_some(body), switched).await?;
    Ok(Outcome::Answered { switched })
}

/// Pulls the body and writes it, and meanwhile throws away what the client sends if the App does not want it.
async fn write_body(link: &RefCell<Link>, body: Option<BoxBody>, switched: bool) -> io::Result<()> {
    let mut done = body.is_none();
    let mut body = pin!(body);
    let mut stuck: Option<Pin<Box<Sleep>>> = None;
    poll_fn(|cx| {
        loop {
            let mut starved = false;
            while !done && !starved && link.borrow_mut().parts()?.write_buf.len() < HIGH {
                let Some(body) = body.as_mut().as_pin_mut() else { break };
                match body.poll_next(cx) {
                    Poll::Ready(Some(Ok(bytes))) => link.borrow_mut().put(h1::Message::Chunk(Some(bytes)))?,
                    Poll::Ready(Some(Err(error))) => return Poll::Ready(Err(io::Error::other(error.to_string()))),
                    Poll::Ready(None) => {
                        link.borrow_mut().put(h1::Message::Chunk(None))?;
                        done = true;
                    }
                    Poll::Pending => starved = true,
                }
            }
            let mut link = link.borrow_mut();
            let mut wrote = false;
            let written = link.poll_write(cx, &mut wrote)?;
            if wrote || written.is_ready() {
                stuck = None;
            }
            if written.is_ready() {
                if done {
                    return Poll::Ready(Ok(()));
                }
                if !starved {
                    continue;
                }
            } else if stuck.get_or_insert_with(|| Box::pin(sleep(STUCK))).as_mut().poll(cx).is_ready() {
                return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
            }
            if link.open {
                link.watch(cx);
            } else if link.poll_discard(cx)?.is_ready() && switched {
                // Nobody is left to talk to.
                return Poll::Ready(Ok(()));
            }
            return Poll::Pending;
        }
    })
    .await
}

/// Ends the connection: waits until the App has read what it wants, sends FIN, and throws away what still comes, for a
/// moment. After a 101 nothing more can be said, so the FIN goes first and the App is not waited for so long.
pub(super) async fn linger(link: &RefCell<Link>, switched: bool) -> io::Result<()> {
    let read = poll_fn(|cx| {
        let mut link = link.borrow_mut();
        if link.open && !link.eof {
            link.watch(cx);
            return Poll::Pending;
        }
        Poll::Ready(())
    });
    let fin = poll_fn(|cx| link.borrow_mut().poll_shutdown(cx));
    if switched {
        fin.await?;
        let _ = timeout(LINGER, read).await;
    } else {
        read.await;
        fin.await?;
    }
    let rest = poll_fn(|cx| {
        let mut link = link.borrow_mut();
        if link.open {
            // Still read by the App, which has its second.
            link.watch(cx);
            return if link.eof { Poll::Ready(Ok(())) } else { Poll::Pending };
        }
        link.poll_discard(cx)
    });
    timeout(LINGER, rest).await.unwrap_or(Ok(()))
}
