//! The way to a server and back: calls over HTTP/2, without services.
