//! What a store answers over HTTP. The original does so on a port of its own, the status address.

use charioteer_engine::raw::MAX_KEY_BYTES;
use hyper::StatusCode;
use serde_json::{Value, json};

use super::super::TikvApi;
use super::Store;
use crate::backend::Rows;

impl<R: Rows> Store<R> {
    /// The answer to a GET; `None` for a path that means nothing.
    pub(crate) fn http(&self, path: &str) -> Option<(StatusCode, Value)> {
        match path {
            "/config" => Some((StatusCode::OK, self.config())),
            "/status" => {
                Some((StatusCode::OK, json!({ "store_id": self.id, "version": super::super::cluster::VERSION })))
            }
            _ => None,
        }
    }

    /// The part of the original's configuration that clients and their tests read.
    fn config(&self) -> Value {
        let (version, has_ttl) = match self.api {
            TikvApi::Any | TikvApi::V1Ttl => (1, true),
            TikvApi::V1 => (1, false),
            TikvApi::V2 => (2, true),
        };
        json!({ "storage": { "api-version": version, "enable-ttl": has_ttl, "max-key-size": MAX_KEY_BYTES } })
    }
}
