//! Requests that ask for an upgrade (RFC 9110 §7.8), answered by ordinary handlers, which may claim the socket.
//!
//! actix-http hands a request with `Upgrade: websocket`, and every `CONNECT`, to the service here before the App sees it,
//! together with the socket. The service calls that same App for its answer. A handler that answers 101 and leaves
//! [`OnUpgrade`] in its response's extensions gets the socket itself; any other is served over it as usual, with the
//! bytes behind the head as its request's body, read only when the handler asks for them.
//!
//! What belongs here: the way of a socket until a handler has claimed it, or until its answer is sent. What does not:
//! WebSocket, which a handler speaks; how the server is put together, which is `serve`.

mod driver;
mod input;
#[cfg(test)]
mod tests;

use std::cell::RefCell;
use std::fmt;
use std::future::{Future, Ready, ready};
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use actix_codec::Framed;
use actix_http::{HttpMessage, Method, Request, Response, StatusCode, body::BoxBody, h1};
use actix_service::{Service, ServiceFactory};
use actix_web::http::header;
use bytes::BytesMut;
use futures_util::future::LocalBoxFuture;

use driver::Outcome;
use input::{Input, Link};

/// The socket of a connection, as the server accepts it.
pub type Io = actix_rt::net::TcpStream;

/// How long the App may think about its answer, and how long its client may keep it waiting for the next byte.
const ANSWER: Duration = Duration::from_secs(30);

/// In a request's extensions: this request came with its socket, so that a handler may answer 101.
#[derive(Clone, Copy, Debug)]
pub struct ViaUpgrade;

/// In a 101 response's extensions: what to do with the socket once the response is written.
pub struct OnUpgrade(Box<dyn FnOnce(Io, BytesMut)>);

impl OnUpgrade {
    /// Claims the socket for this task, which runs detached on the worker's thread: the server neither counts it nor
    /// waits for it. It gets the socket and the bytes that were read from it ahead of time.
    pub fn new<F, T>(task: F) -> Self
    where
        F: FnOnce(Io, BytesMut) -> T + 'static,
        T: Future<Output = ()> + 'static,
    {
        Self(Box::new(move |io, early| {
            actix_rt::spawn(task(io, early));
        }))
    }
}

impl fmt::Debug for OnUpgrade {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OnUpgrade")
    }
}

type Call = Rc<dyn Fn(Request) -> LocalBoxFuture<'static, Response<BoxBody>>>;

/// Where the worker's one App is found, once it is built.
#[derive(Clone, Default)]
pub(super) struct Slot(Rc<RefCell<Option<Call>>>);

impl Slot {
    pub(super) fn fill(&self, call: Call) {
        *self.0.borrow_mut() = Some(call);
    }
}

/// The upgrade service of a worker, and its own factory.
#[derive(Clone)]
pub(super) struct Upgrade(pub(super) Slot);

type Handed = (Request, Framed<Io, h1::Codec>);

impl ServiceFactory<Handed> for Upgrade {
    type Response = ();
    type Error = actix_http::Error;
    type Config = ();
    type Service = Self;
    type InitError = ();
    type Future = Ready<Result<Self, ()>>;

    fn new_service(&self, (): ()) -> Self::Future {
        ready(Ok(self.clone()))
    }
}

impl Service<Handed> for Upgrade {
    type Response = ();
    type Error = actix_http::Error;
    type Future = LocalBoxFuture<'static, Result<(), actix_http::Error>>;

    fn poll_ready(&self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&self, (request, framed): Handed) -> Self::Future {
        let app = self.0.0.borrow().clone();
        Box::pin(async move {
            let link = Link::new(framed.into_parts(), request.head().expect());
            // Whatever happens, the socket goes with this future: a body that is kept must not keep it.
            let _taken_back = TakeBack(Rc::clone(&link));
            if let Err(error) = serve(app, request, &link).await {
                tracing::debug!(%error, "a connection that asked for an upgrade broke");
            }
            Ok(())
        })
    }
}

struct TakeBack(Rc<RefCell<Link>>);

impl Drop for TakeBack {
    fn drop(&mut self) {
        let parts = self.0.borrow_mut().take();
        drop(parts);
    }
}

async fn serve(app: Option<Call>, mut request: Request, link: &Rc<RefCell<Link>>) -> std::io::Result<()> {
    // An earlier answer on this connection may still wait to be written.
    driver::flush(link).await?;
    let without_body = request.method() == Method::HEAD;
    let refusal = refuse(&request);
    let response = match (refusal, app) {
        (Some(status), _) => Response::new(status).map_into_boxed_body(),
        (None, None) => Response::internal_server_error(),
        (None, Some(app)) => {
            request.extensions_mut().insert(ViaUpgrade);
            *request.payload() = Input::new(Rc::clone(link)).into_payload();
            answer(app(request), link, ANSWER).await
        }
    };
    match driver::answer(link, response, without_body).await? {
        Outcome::Answered { switched } => driver::linger(link, switched).await?,
        Outcome::Claimed(OnUpgrade(run)) => {
            let parts = link.borrow_mut().take();
            if let Some(parts) = parts {
                run(parts.io, parts.read_buf);
            }
        }
    }
    Ok(())
}

/// Everything behind the head belongs to the upgraded stream, so a request that announces a body of its own is not
/// understood; reading its body as that stream would be request smuggling.
fn refuse(request: &Request) -> Option<StatusCode> {
    let length = request.headers().get(header::CONTENT_LENGTH)?;
    (length.as_bytes().trim_ascii() != b"0").then_some(StatusCode::BAD_REQUEST)
}

/// The App's answer, or ours where it takes too long. Time begins anew whenever the App is given bytes, so that it may
/// read a long body before it answers.
async fn answer(
    mut app: LocalBoxFuture<'static, Response<BoxBody>>,
    link: &Rc<RefCell<Link>>,
    patience: Duration,
) -> Response<BoxBody> {
    loop {
        if let Ok(response) = actix_rt::time::timeout(patience, &mut app).await {
            return response;
        }
        let mut link = link.borrow_mut();
        if std::mem::take(&mut link.progress) {
            continue;
        }
        let status = if link.is_awaited() { StatusCode::REQUEST_TIMEOUT } else { StatusCode::SERVICE_UNAVAILABLE };
        return Response::new(status).map_into_boxed_body();
    }
}
