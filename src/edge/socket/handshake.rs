//! The beginning of a WebSocket: a request that is checked, and answered by a handler that claims its socket.
//!
//! What belongs here: whether a request gets a WebSocket, and its place. What does not: the connection, which is `Socket`.

use std::future::Future;
use std::rc::Rc;

use actix_http::ws::HandshakeError;
use actix_web::http::header::{HeaderValue, SEC_WEBSOCKET_PROTOCOL};
use actix_web::{HttpMessage as _, HttpRequest, HttpResponse};
use bytes::BytesMut;

use super::super::upgrade::{Io, OnUpgrade, ViaUpgrade};
use super::{OnSkipped, Seat, Socket, Sockets};

/// Why a request gets no WebSocket.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// It is no handshake (RFC 6455 §4.2.1).
    #[error("{0}")]
    Handshake(#[from] HandshakeError),
    /// It came in a way that has no socket to give: with a body, or not over HTTP/1.1.
    #[error("a WebSocket begins with a request without a body, over HTTP/1.1")]
    NoSocket,
    /// There are as many connections as there may be, or the hub stops.
    #[error("the hub has too many connections")]
    Full,
}

/// A handshake that may be answered: a place is kept for its connection as long as this is held.
pub struct Handshake {
    response: HttpResponse,
    sockets: Rc<Sockets>,
    seat: Seat,
}

impl Handshake {
    /// Checks a request for a WebSocket. `protocol` must be one that it offers.
    ///
    /// # Errors
    /// Where the request gets no WebSocket.
    pub fn check(
        request: &HttpRequest,
        sockets: &Rc<Sockets>,
        protocol: Option<&'static str>,
    ) -> Result<Self, Refused> {
        let mut response =
            HttpResponse::from(actix_http::ws::handshake(request.head())?.finish().map_into_boxed_body());
        if !request.extensions().contains::<ViaUpgrade>() {
            return Err(Refused::NoSocket);
        }
        let seat = sockets.connections.seat().ok_or(Refused::Full)?;
        if let Some(protocol) = protocol {
            response.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(protocol));
        }
        Ok(Self { response, sockets: Rc::clone(sockets), seat })
    }

    /// The connection's place, for a handler that answers the handshake through a body.
    #[must_use]
    pub fn into_seat(self) -> Seat {
        self.seat
    }

    /// Answers with 101, and runs `session` with the socket. When the session returns the connection is closed if it is
    /// still open, with 1000, and sees its end properly.
    pub fn accept<F, T>(self, on_skipped: OnSkipped, session: F) -> HttpResponse
    where
        F: FnOnce(Rc<Socket>) -> T + 'static,
        T: Future<Output = ()> + 'static,
    {
        let Self { mut response, sockets, seat } = self;
        response.extensions_mut().insert(OnUpgrade::new(move |io, early| {
            let socket = Socket::open(io, early, &sockets, seat, on_skipped.into());
            let session = session(Rc::clone(&socket));
            async move {
                session.await;
                // Boxed, so that its room is not kept for as long as the session lasts.
                Box::pin(socket.finish()).await;
            }
        }));
        response
    }

    /// Answers with 101, and gives the socket away as it is: for a session that is at home on another thread.
    pub fn pass_on(self, take: impl FnOnce(Io, BytesMut, Seat) + 'static) -> HttpResponse {
        let Self { mut response, seat, .. } = self;
        response.extensions_mut().insert(OnUpgrade::new(move |io, early| {
            take(io, early, seat);
            async {}
        }));
        response
    }
}
