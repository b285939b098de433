//! What PD and the stores answer over HTTP, on the same ports.

use hyper::StatusCode;

use super::pd::Dialled;
use super::service::{Endpoint, Role};
use crate::backend::Rows;
use crate::http::{Answer, Asked, json, not_found, text};

impl<R: Rows> Endpoint<R> {
    /// Answers what is asked over HTTP.
    pub(super) fn answer_http(&self, asked: &Asked<'_>) -> Answer {
        let Role::Store(number) = self.role else {
            return self
                .service
                .pd()
                .answer_http(asked, &Dialled::new(asked.host, self.local, self.service.handshakes().is_some()));
        };
        if asked.posted.is_some() {
            return text(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD are answered here\n").into();
        }
        let found = self.service.store(number).ok().and_then(|store| store.http(asked.path));
        found.map_or_else(|| not_found(asked), |(status, body)| json(status, &body)).into()
    }
}
