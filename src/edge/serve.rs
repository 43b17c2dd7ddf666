//! The server's composition: one App per worker, which answers ordinary requests and those that ask for an upgrade alike.
//!
//! What belongs here: how actix's server, HTTP service and App fit together. What does not: routes, handlers, sockets
//! after an upgrade.

use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::rc::Rc;
use std::time::Duration;

use actix_http::body::MessageBody;
use actix_http::{HttpService, Request, Response};
use actix_server::Server;
use actix_service::{IntoServiceFactory, Service, ServiceFactory, ServiceFactoryExt as _, map_config};
use actix_web::dev::{AppConfig, ServiceResponse};
use futures_util::future::LocalBoxFuture;

use super::upgrade::{Slot, Upgrade};

/// What a server is told beside its App.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Threads that serve; each has an App of its own.
    pub workers: usize,
    /// How long a graceful stop waits for answers that are under way, in whole seconds.
    pub stop: Duration,
}

/// A server on a listening socket, not yet running: it serves while it is polled. `app` makes the App of a worker, on
/// that worker's thread.
///
/// Signals are not handled; who runs the server stops it by its handle. Sockets that a handler has claimed are not
/// waited for: close them first.
///
/// # Errors
/// Where the socket cannot be used.
pub fn bind<F, I, S, B>(listener: TcpListener, options: Options, app: F) -> io::Result<Server>
where
    F: Fn() -> I + Send + Clone + 'static,
    I: IntoServiceFactory<S, Request>,
    S: ServiceFactory<Request, Config = AppConfig, Response = ServiceResponse<B>, Error = actix_web::Error> + 'static,
    S::InitError: fmt::Debug,
    S::Service: 'static,
    <S::Service as Service<Request>>::Future: 'static,
    B: MessageBody + 'static,
{
    let address = listener.local_addr()?;
    let builder = Server::build().workers(options.workers).shutdown_timeout(options.stop.as_secs()).disable_signals();
    let stopping = builder.graceful_shutdown_signal();
    let server = builder.listen("http", listener, move || {
        let slot = Slot::default();
        let app = app().into_factory().map_err(|error: actix_web::Error| error.error_response());
        let shared = Shared { factory: Rc::new(map_config(app, move |()| config(address))), slot: slot.clone() };
        let stopping = stopping.clone();
        HttpService::build()
            .tcp_nodelay(true)
            .local_addr(address)
            // A client that is gone is noticed while its answer is awaited: it has ended its side, and nothing else tells.
            .h1_allow_half_closed(false)
            .client_disconnect_timeout(Duration::from_secs(1))
            // Ends connections that wait for another request, which a graceful stop would otherwise sit out. Hidden from
            // actix-http's documentation, and what actix-web's own server does.
            .graceful_shutdown_signal(move || {
                let stopping = stopping.clone();
                async move { stopping.notified().await }
            })
            .upgrade(Upgrade(slot))
            .finish(shared)
            .tcp()
    })?;
    Ok(server.run())
}

/// What the App is told of its server. The only constructor outside actix-web is hidden from its documentation and exempt
/// from its promises, which is why `Cargo.toml` pins the version.
fn config(address: SocketAddr) -> AppConfig {
    AppConfig::__priv_test_new(false, address.to_string(), address)
}

/// Builds the worker's App once, for the ordinary way and for the upgrade service.
struct Shared<F> {
    factory: Rc<F>,
    slot: Slot,
}

impl<F, B> ServiceFactory<Request> for Shared<F>
where
    F: ServiceFactory<Request, Config = (), Response = ServiceResponse<B>> + 'static,
    F::Error: Into<Response<actix_http::body::BoxBody>> + 'static,
    F::Service: 'static,
    <F::Service as Service<Request>>::Future: 'static,
    B: MessageBody + 'static,
{
    type Response = F::Response;
    type Error = F::Error;
    type Config = ();
    type Service = Rc<F::Service>;
    type InitError = F::InitError;
    type Future = LocalBoxFuture<'static, Result<Self::Service, Self::InitError>>;

    fn new_service(&self, (): ()) -> Self::Future {
        let (factory, slot) = (Rc::clone(&self.factory), self.slot.clone());
        Box::pin(async move {
            let app = Rc::new(factory.new_service(()).await?);
            let called = Rc::clone(&app);
            slot.fill(Rc::new(move |request| {
                let answer = called.call(request);
                Box::pin(async move {
                    match answer.await {
                        Ok(response) => Response::from(response).map_into_boxed_body(),
                        Err(error) => error.into(),
                    }
                })
            }));
            Ok(app)
        })
    }
}
