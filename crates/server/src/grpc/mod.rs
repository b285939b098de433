//! gRPC over HTTP/2, as far as a server needs it: calls, their messages and how they end. It knows no service.

mod status;

pub(crate) use status::{Code, Status};
